package handlers

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"linkgate/call"
	"linkgate/handlers/inbound"
)

// How a request chooses among a user's accounts at a connection: by our id or the host's, or by the
// owner's id of a component that uses one. The headers are in Go's canonical spelling.
const (
	accountParameter   = "linked_account_id"
	accountHeader      = "Linkgate-Account"
	componentParameter = "component_id"
	componentHeader    = "Linkgate-Component"
)

// call passes a user's request on to a service.
func (s *site) call(c echo.Context) error {
	to, err := s.target(c)
	if err != nil {
		return err
	}
	if err := s.Calls.Serve(passing{c.Response()}, c.Request(), to); err != nil {
		return s.notCalled(c.Request().Context(), to, err)
	}
	return nil
}

// target is what a request below /call/ is for.
func (s *site) target(c echo.Context) (to call.Target, err error) {
	r := c.Request()
	if to.HostUserID, err = s.guard.user(r.Header); err != nil {
		return to, err
	}
	if to.AuthID, err = authIDOf(c); err != nil {
		return to, err
	}
	const callAndAuthID = 2 // segments in front of the path
	var ok bool
	if to.Path, ok = inbound.PathBelow(r.URL, callAndAuthID); !ok {
		return to, call.ErrBadPath
	}
	to.Account, to.Component, err = chosen(r)
	return to, err
}

// chosen are the account and the component that a request names; empty where it names none.
func chosen(r *http.Request) (account, component string, err error) {
	var query url.Values // what else is in it is the service's to read
	raw := r.URL.RawQuery
	if strings.Contains(raw, "%") || strings.Contains(raw, accountParameter) || strings.Contains(raw, componentParameter) {
		query = r.URL.Query()
	}
	account, ok := agreed(query[accountParameter], r.Header[accountHeader])
	if !ok {
		return "", "", errAccount
	}
	component, ok = agreed(query[componentParameter], r.Header[componentHeader])
	if !ok {
		return "", "", errComponent
	}
	return account, component, nil
}

// agreed is what is named in the query or in a header, or in both if they agree; empty when in neither.
func agreed(inQuery, inHeader []string) (named string, ok bool) {
	if len(inQuery) > 1 || len(inHeader) > 1 {
		return "", false
	}
	for i, id := range append(inQuery, inHeader...) {
		if len(id) > inbound.IDLimit || !inbound.IsSegment(id) || i > 0 && id != named {
			return "", false
		}
		named = id
	}
	return named, true
}

// notCalled is why a call was not made, and what its caller can do about it.
type notCalled struct {
	err         error // call's
	authID      string
	signIn      string // of call.ErrReauthRequired: where the user signs in again; empty: not known
	unsignedFor error  // why signIn is empty
}

// notCalled adds to an error of call what a caller needs next. Who must sign in again can do so at
// once: the address is a session begun this moment.
func (s *site) notCalled(ctx context.Context, to call.Target, err error) error {
	n := &notCalled{err: err, authID: to.AuthID}
	if errors.Is(err, call.ErrReauthRequired) {
		n.signIn, n.unsignedFor = s.Connect.Begin(ctx, to.HostUserID, to.AuthID)
	}
	return n
}

// Error leaves out what a path was like: it may say something about a person.
func (n *notCalled) Error() string {
	if errors.Is(n.err, call.ErrBadPath) {
		return call.ErrBadPath.Error()
	}
	if n.unsignedFor != nil {
		return n.err.Error() + "; beginning a session: " + n.unsignedFor.Error()
	}
	return n.err.Error()
}

// Unwrap gives what happened to the call. A session that could not be begun changes nothing of it.
func (n *notCalled) Unwrap() error { return n.err }

// data is what the envelope has about it, an object in every case.
func (n *notCalled) data() any {
	switch {
	case errors.Is(n.err, call.ErrNotConnected):
		return struct {
			AuthID string `json:"auth_id"`
		}{n.authID}
	case n.signIn != "":
		return beginning{n.signIn}
	}
	return struct{}{}
}

// message is what can be said of this call beyond what its error means in general; mostly empty.
func (n *notCalled) message() string {
	if !errors.Is(n.err, call.ErrNotConnected) {
		return ""
	}
	return "This user has no such account at this connection; POST /auth/" + legible(url.PathEscape(n.authID)) + " connects one."
}

// retryAfter is when a session can be begun again; zero: nothing is known of it.
func (n *notCalled) retryAfter() time.Duration {
	if n.unsignedFor == nil {
		return 0
	}
	return explain(n.unsignedFor).retryAfter
}

// ruleMissing names the rule that a call would need.
func ruleMissing(refused *call.NotAllowedError) string {
	return `"` + legible(refused.Rule) + `" is not among calls.allow of connection ` + legible(refused.AuthID) + " in connections.yaml."
}

const legibleLimit = 200 // bytes

// legible is s as far as it can be shown in a message: a client has made it up.
func legible(s string) string {
	cut := ""
	if len(s) > legibleLimit {
		s, cut = s[:legibleLimit], "..."
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s) + cut
}
