package provider

import (
	"maps"
	"slices"

	"linkgate/secret"
)

// Connection is one configured pairing of a host auth id with a way to speak to a service. Its
// yaml keys are the same in connections.yaml and in a preset; a connection's value wins.
type Connection struct {
	AuthID   string   `yaml:"auth_id"`
	Provider string   `yaml:"provider"` // a preset's name or a protocol's
	Protocol string   `yaml:"protocol"` // of a preset: the protocol it stands on; else empty
	Name     string   `yaml:"name"`     // shown to users
	Scopes   []string `yaml:"scopes"`   // asked for; oidc adds openid

	ClientID     string      `yaml:"client_id"`
	ClientSecret secret.Text `yaml:"client_secret"`
	AuthStyle    string      `yaml:"auth_style"` // AuthBasic (also when empty), AuthPost or AuthNone

	// Issuer of an oidc connection is where discovery starts. An oauth2 connection may state it:
	// an iss in the callback (RFC 9207) must then equal it, and accounts are kept under it.
	Issuer          string            `yaml:"issuer"`
	AuthorizeURL    string            `yaml:"authorize_url"`    // oauth2
	TokenURL        string            `yaml:"token_url"`        // oauth2
	RevokeURL       string            `yaml:"revoke_url"`       // RFC 7009; empty: none, or with oidc the discovered one
	AuthorizeParams map[string]string `yaml:"authorize_params"` // added to the authorization request
	TokenParams     map[string]string `yaml:"token_params"`     // added to the token request
	ScopeSeparator  string            `yaml:"scope_separator"`  // empty: a space

	Identity IdentityPaths `yaml:"identity"`
}

// How the client authenticates at the token and revocation endpoints (RFC 6749 §2.3.1). It is
// never guessed, for guessing means sending the code twice.
const (
	AuthBasic = "basic" // id and secret in the Authorization header
	AuthPost  = "post"  // id and secret in the form
	AuthNone  = "none"  // a public client: the id in the form, no secret
)

// IdentityPaths say where the service tells who the account is. Paths are dots and numbers into
// the JSON answer: data.0.attributes.user_id.
type IdentityPaths struct {
	URL  string `yaml:"url"`  // oauth2: asked with the access token. oidc: in place of the discovered userinfo endpoint
	ID   string `yaml:"id"`   // oauth2 only: oidc identifies by sub
	Name string `yaml:"name"` // for people; empty: none, or with oidc the usual claims
}

// Clone copies a connection with everything it points to.
func (c Connection) Clone() Connection {
	c.Scopes = slices.Clone(c.Scopes)
	c.AuthorizeParams = maps.Clone(c.AuthorizeParams)
	c.TokenParams = maps.Clone(c.TokenParams)
	return c
}

// protocol names the protocol that the connection uses.
func (c Connection) protocol() string {
	if c.Protocol != "" {
		return c.Protocol
	}
	return c.Provider
}
