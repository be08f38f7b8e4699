package provider

import "linkgate/secret"

// Connection is one configured pairing of a host auth id with a way to speak to a service. Its
// yaml keys are the same in connections.yaml and in a preset; a connection's value wins.
type Connection struct {
	AuthID   string   `yaml:"auth_id"`
	Provider string   `yaml:"provider"` // a preset's name or a protocol's
	Protocol string   `yaml:"protocol"` // presets only: the protocol they stand on
	Name     string   `yaml:"name"`     // shown to users
	Scopes   []string `yaml:"scopes"`

	ClientID     string      `yaml:"client_id"`
	ClientSecret secret.Text `yaml:"client_secret"`
	AuthStyle    string      `yaml:"auth_style"` // basic or post; RFC 6749 §2.3.1

	Issuer          string            `yaml:"issuer"` // oidc: where discovery starts
	AuthorizeURL    string            `yaml:"authorize_url"`
	TokenURL        string            `yaml:"token_url"`
	RevokeURL       string            `yaml:"revoke_url"` // RFC 7009; empty: the service has none
	AuthorizeParams map[string]string `yaml:"authorize_params"`
	TokenParams     map[string]string `yaml:"token_params"`
	ScopeSeparator  string            `yaml:"scope_separator"` // empty: a space

	Identity IdentityPaths `yaml:"identity"`
}

// IdentityPaths say where the service tells who the account is. Paths are dots and numbers into
// the JSON answer: data.0.attributes.user_id.
type IdentityPaths struct {
	URL  string `yaml:"url"`
	ID   string `yaml:"id"`
	Name string `yaml:"name"`
}
