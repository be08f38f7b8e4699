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
type applier struct{ place CredentialPlace }

var _ Applier = applier{}

// Apply implements Applier.
func (a applier) Apply(r *http.Request, c Credential) {
	token := c.AccessToken.Reveal()
	if a.place.Query != "" {
		r.URL.RawQuery = replaceParam(r.URL.RawQuery, a.place.Query, token)
		return
	}
	header, prefix := a.place.Header, a.place.Prefix
	if header == "" {
		header = authorizationHeader
	}
	if prefix == "" && strings.EqualFold(header, authorizationHeader) {
		prefix = bearerPrefix
	}
	if prefix != "" {
		token = prefix + " " + token
	}
	r.Header.Set(header, token)
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
