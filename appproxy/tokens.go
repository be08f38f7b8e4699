package appproxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"linkgate/linkedaccount"
)

// tokenPatience is how long a request waits for all of its tokens. A service that is down must not
// take the app down with it.
const tokenPatience = 2 * time.Second

// Why the app gets no token.
const (
	notConnected   = "not_connected"   // the user has no account at the connection
	reauthRequired = "reauth_required" // the user must sign in at the service again
	unavailable    = "unavailable"     // neither of them: worth another try later
)

// injection is a connection whose tokens the app gets.
type injection struct {
	authID string
	token  string // names of headers, in Go's canonical spelling
	error  string
}

// field is a header for the app.
type field struct {
	header string // in Go's canonical spelling
	name   string // in lower case
	value  string
}

// injections prepares the connections. Their headers must be headers, and no two the same one: not
// even to a server that takes an underscore for a hyphen, or for a connection that is called like
// another one's error.
func injections(authIDs []string) ([]injection, error) {
	var all []injection
	taken := map[string]string{} // flat name → auth id
	for _, id := range authIDs {
		if !httpguts.ValidHeaderFieldName(id) {
			return nil, fmt.Errorf("connection %q: its auth id can't be part of a header's name, so its token can't be injected", id)
		}
		i := injection{
			authID: id,
			token:  http.CanonicalHeaderKey(tokenHeader + id),
			error:  http.CanonicalHeaderKey(tokenErrorHeader + id),
		}
		for _, name := range []string{flat(i.token), flat(i.error)} {
			if other, ok := taken[name]; ok {
				return nil, fmt.Errorf("connections %q and %q: the app could not tell their headers apart", other, id)
			}
			taken[name] = id
		}
		all = append(all, i)
	}
	return all, nil
}

// tokenFields gets a token for each connection, or why there is none, all at once.
func (p *Proxy) tokenFields(ctx context.Context, hostUserID string) []field {
	if len(p.inject) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, tokenPatience)
	defer cancel()
	type answer struct {
		at    int
		field field
	}
	answers := make(chan answer, len(p.inject)) // so that a late answer holds nobody
	fields := make([]field, len(p.inject))
	for at, in := range p.inject {
		fields[at] = in.none(unavailable)
		go func() { answers <- answer{at, p.tokenField(ctx, hostUserID, in)} }()
	}
	for range p.inject {
		select {
		case a := <-answers:
			fields[a.at] = a.field
		case <-ctx.Done():
			return fields
		}
	}
	return fields
}

func (p *Proxy) tokenField(ctx context.Context, hostUserID string, in injection) field {
	o, err := p.tokens.For(ctx, hostUserID, in.authID, "")
	var token string
	if err == nil {
		token = o.Credential.AccessToken.Reveal()
	}
	switch {
	case errors.Is(err, linkedaccount.ErrNotFound):
		return in.none(notConnected)
	case errors.Is(err, linkedaccount.ErrReauthRequired):
		return in.none(reauthRequired)
	case err == nil && isValue(token):
		return newField(in.token, token)
	case err == nil:
		err = errNoValue
	}
	p.log.WarnContext(ctx, "getting a token for the app", "auth_id", in.authID, "error", err)
	return in.none(unavailable)
}

var errNoValue = errors.New("the access token can't be the value of a header")

func (in injection) none(why string) field { return newField(in.error, why) }

func newField(header, value string) field {
	return field{header: header, name: strings.ToLower(header), value: value}
}
