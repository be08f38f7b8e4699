package registration

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"linkgate/provider"
)

// defaultName is what the service calls us where registration.metadata has no client_name.
const defaultName = "Linkgate"

// app is what a connection wants registered.
type app struct {
	service     string // where: what tells one service from another
	redirectURI string
	name        string
	scopes      []string
	authStyle   string            // one of provider's
	byCode      bool              // users may sign in by a code (RFC 8628)
	metadata    map[string]string // the operator's
	fingerprint string            // of all that the service is told
}

func (m *Manager) app(c provider.Connection) app {
	a := app{
		service:     serviceOf(c),
		redirectURI: m.options.RedirectURI(c.AuthID),
		name:        cmp.Or(c.Registration.Metadata["client_name"], defaultName),
		scopes:      c.Scopes,
		authStyle:   cmp.Or(c.AuthStyle, provider.AuthBasic),
		byCode:      c.DeviceURL != "",
		metadata:    c.Registration.Metadata,
	}
	if cmp.Or(c.Protocol, c.Provider) == "oidc" && !slices.Contains(a.scopes, "openid") {
		a.scopes = append([]string{"openid"}, a.scopes...)
	}
	all := []any{a.redirectURI, a.name, a.scopes, a.authStyle, a.metadata}
	if a.byCode {
		all = append(all, a.byCode)
	}
	told, _ := json.Marshal(all) // can't fail; maps are sorted
	sum := sha256.Sum256(told)
	a.fingerprint = base64.RawURLEncoding.EncodeToString(sum[:])
	return a
}

// serviceOf names where a connection's client is registered, as the operator has.
func serviceOf(c provider.Connection) string {
	return cmp.Or(c.Registration.Dialect, provider.DialectRFC7591) + " " + cmp.Or(c.Registration.URL, c.Issuer)
}

// lists are the members that are arrays of strings (RFC 7591 §2, OpenID Connect RP-Initiated Logout
// §3.1); the operator writes them with spaces or commas between.
func lists() []string {
	return []string{"contacts", "post_logout_redirect_uris", "request_uris"}
}

// said is the operator's metadata as JSON has it.
func (a app) said() map[string]any {
	said := map[string]any{}
	for name, value := range maps.All(a.metadata) {
		said[name] = value
		if slices.Contains(lists(), name) {
			said[name] = strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' })
		}
	}
	said["client_name"] = a.name
	said["redirect_uris"] = []string{a.redirectURI}
	said["response_types"] = []string{"code"}
	return said
}
