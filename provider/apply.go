package provider

import (
	"net/http"
	"net/url"
	"strings"
)

// Where a credential goes when the connection does not say (RFC 6750 §2.1).
const (
	authorizationHeader = "Authorization"
	bearerPrefix        = "Bearer"
)

// applier puts the access token where the connection says.
type applier struct {
	query  string // the parameter; empty: the header
	header string // as net/http spells it
	prefix string // with the blank behind it
}

func newApplier(place CredentialPlace) applier {
	a := applier{query: place.Query, header: http.CanonicalHeaderKey(place.Header), prefix: place.Prefix}
	if a.header == "" {
		a.header = authorizationHeader
	}
	if a.prefix == "" && a.header == authorizationHeader {
		a.prefix = bearerPrefix
	}
	if a.prefix != "" {
		a.prefix += " "
	}
	return a
}

var _ Applier = applier{}

// Apply implements Applier.
func (a applier) Apply(r *http.Request, c Credential) {
	token := c.AccessToken.Reveal()
	if a.query != "" {
		r.URL.RawQuery = replaceParam(r.URL.RawQuery, a.query, token)
		return
	}
	r.Header[a.header] = []string{a.prefix + token}
}

// replaceParam puts a parameter at the end of a query, in place of every other of that name. What
// else there is stays as it was written, for it is not ours to understand.
func replaceParam(rawQuery, name, value string) string {
	var kept []string
	for pair := range strings.SplitSeq(rawQuery, "&") {
		if pair != "" && !names(pair, name) {
			kept = append(kept, pair)
		}
	}
	return strings.Join(append(kept, url.QueryEscape(name)+"="+url.QueryEscape(value)), "&")
}

// names tells whether a pair has that name, or hides one that has it behind a semicolon, at which
// some servers cut a query as well.
func names(pair, name string) bool {
	for part := range strings.SplitSeq(pair, ";") {
		key, _, _ := strings.Cut(part, "=")
		if decoded, err := url.QueryUnescape(key); err == nil && decoded == name {
			return true
		}
	}
	return false
}
