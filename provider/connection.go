package provider

import (
	"maps"
	"slices"
	"time"

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
	AuthStyle    string      `yaml:"auth_style"`  // AuthBasic (also when empty), AuthPost, AuthNone and others
	SigningKey   secret.Text `yaml:"signing_key"` // of AuthPrivateKeyJWT: a private JWK or PEM

	// Issuer of an oidc connection is where discovery starts. An oauth2 connection may state it:
	// an iss in the callback (RFC 9207) must then equal it, and accounts are kept under it.
	Issuer          string            `yaml:"issuer"`
	AuthorizeURL    string            `yaml:"authorize_url"`    // oauth2
	TokenURL        string            `yaml:"token_url"`        // oauth2
	RevokeURL       string            `yaml:"revoke_url"`       // RFC 7009; empty: none, or with oidc the discovered one
	AuthorizeParams map[string]string `yaml:"authorize_params"` // added to the authorization request
	TokenParams     map[string]string `yaml:"token_params"`     // added to the token request
	ScopeSeparator  string            `yaml:"scope_separator"`  // empty: a space
	RefreshURL      string            `yaml:"refresh_url"`      // oauth2; empty: TokenURL
	RevokeMethod    string            `yaml:"revoke_method"`    // RevokePost (also when empty) or RevokeDelete
	PARURL          string            `yaml:"par_url"`          // RFC 9126; empty: the request goes through the browser
	DeviceURL       string            `yaml:"device_url"`       // RFC 8628, an address or DeviceDiscover; empty: nobody signs in by code
	Resource        []string          `yaml:"resource"`         // RFC 8707
	PKCE            string            `yaml:"pkce"`             // PKCES256 (also when empty) or PKCENone, for a service that fails on it

	// oauth1 (RFC 5849), which has AuthorizeURL as well.
	RequestTokenURL string `yaml:"request_token_url"`
	AccessTokenURL  string `yaml:"access_token_url"`
	SignatureMethod string `yaml:"signature_method"` // HMACSHA1 (also when empty) or RSASHA1, with SigningKey

	// Fields are what is asked of the user on our own page, before a redirect or in its place. A
	// value that is no secret can stand in every URL as {key}.
	Fields []Field   `yaml:"fields"`
	Verify VerifyURL `yaml:"verify"` // api_key, basic: where identity has no address
	Login  Exchange  `yaml:"login"`  // password
	// Refresh is a password connection's own way to new tokens; none: the user signs in again.
	Refresh Exchange    `yaml:"refresh"`
	Paths   AnswerPaths `yaml:"paths"` // password: into the answers of both

	RemovalSecret secret.Text `yaml:"removal_secret"` // proves the service at /hooks/{auth_id}/removed; empty: nobody can
	RemovalID     string      `yaml:"removal_id"`     // where the service names the account there: a parameter, or a path as in IdentityPaths; empty: the usual ones

	// What is known of this service's tokens.
	Lifetime  time.Duration `yaml:"lifetime"`   // of an access token whose answer states none; zero: unknown
	Margin    time.Duration `yaml:"margin"`     // how long before its end an access token is replaced; zero: DefaultMargin
	KeepAlive time.Duration `yaml:"keep_alive"` // refresh tokens unused for this long die; zero: they don't
	Rotation  string        `yaml:"rotation"`   // RotationAlways (also when empty) or RotationNone

	Identity   IdentityPaths   `yaml:"identity"`
	Credential CredentialPlace `yaml:"credential"`
	Calls      CallRules       `yaml:"calls"`
	App        AppRules        `yaml:"app"`

	Registration Registration `yaml:"registration"` // in place of ClientID and ClientSecret
}

// DefaultMargin is how long a credential that is handed out lasts at least, where its service lets
// it last much longer.
const DefaultMargin = time.Minute

// Whether a refresh may replace the refresh token. Where it may, one that was sent and whose answer
// is not known is left alone for a while: the service may take a second use for theft and end the
// grant (RFC 9700 §4.14.2).
const (
	RotationAlways = "always"
	RotationNone   = "none" // the refresh token stays the same for good
)

// CredentialPlace says where the service's API wants the credential: in a header, with a prefix
// before it, or in a parameter of the query. The zero value is `Authorization: Bearer …`
// (RFC 6750 §2.1).
type CredentialPlace struct {
	Header string `yaml:"header"` // empty: Authorization, unless Query is set
	Prefix string `yaml:"prefix"` // before the token and a space; empty: Bearer in Authorization, none elsewhere
	Query  string `yaml:"query"`  // a parameter's name; only for APIs that take it nowhere else (RFC 6750 §2.3)
	// basic: what goes into Authorization: Basic (RFC 7617), made of {key}s.
	Username string `yaml:"username"`
	Password string `yaml:"password"`
}

// CallRules say what host users may have sent to the service's API in their name. Package call
// knows what they mean.
type CallRules struct {
	BaseURL string   `yaml:"base_url"` // with {placeholders}; empty: no calls
	Allow   []string `yaml:"allow"`    // "GET /repos/**"; empty: nothing
	// Headers are set on every call, in place of the caller's own: name → value, with {placeholders}.
	Headers map[string]string `yaml:"headers"`
}

// AppRules say what the owner's own app gets with each request.
type AppRules struct {
	Inject bool `yaml:"inject"` // a fresh access token, when the user has an account
}

// How the client authenticates at the token and revocation endpoints (RFC 6749 §2.3.1). It is
// never guessed, for guessing means sending the code twice.
const (
	AuthBasic = "basic" // id and secret in the Authorization header
	AuthPost  = "post"  // id and secret in the form
	AuthNone  = "none"  // a public client: the id in the form, no secret

	AuthPrivateKeyJWT = "private_key_jwt"   // RFC 7523 §2.2, signed with SigningKey
	AuthSecretJWT     = "client_secret_jwt" // the same, with the client secret
)

// IdentityPaths say where the service tells who the account is. Paths are dots and numbers into
// the JSON answer: data.0.attributes.user_id.
type IdentityPaths struct {
	URL string `yaml:"url"` // oauth2: asked with the credential in its place. oidc: in place of the discovered userinfo endpoint
	// Body, a JSON document, is posted to URL by services that answer no GET, such as GraphQL's; empty: GET.
	Body string `yaml:"body"`
	ID   string `yaml:"id"`   // oauth2 only: oidc identifies by sub
	Name string `yaml:"name"` // for people; empty: none, or with oidc the usual claims
	// Settings names values of the identity that URLs may use as {placeholders}: name → path.
	Settings map[string]string `yaml:"settings"`
}

// Field is one thing that is asked of the user.
type Field struct {
	Key     string `yaml:"key"`     // a placeholder's name
	Label   string `yaml:"label"`   // shown to the user, in the words of the service
	Help    string `yaml:"help"`    // a sentence below it; may be empty
	Link    string `yaml:"link"`    // "where do I find this?"; may be empty
	Pattern string `yaml:"pattern"` // RE2 that the whole value must match; may be empty
	Secret  bool   `yaml:"secret"`  // never shown again, and in no URL
	Example string `yaml:"example"` // may be empty
}

// VerifyURL is asked with the credential to see whether it is right. Any answer of success will do.
type VerifyURL struct {
	URL string `yaml:"url"`
}

// Exchange is a request that trades what the user typed, or a refresh token, for tokens.
type Exchange struct {
	URL    string            `yaml:"url"`
	Params map[string]string `yaml:"params"` // of the form; a value may have {key} of a field, or {refresh_token}
}

// AnswerPaths say where an answer has the tokens. Paths are as in IdentityPaths.
type AnswerPaths struct {
	AccessToken  string `yaml:"access_token"`
	RefreshToken string `yaml:"refresh_token"`
	ExpiresAt    string `yaml:"expires_at"` // seconds since 1970
	ExpiresIn    string `yaml:"expires_in"` // seconds
	ExternalID   string `yaml:"external_id"`
	Name         string `yaml:"name"`
}

// Whether a code is bound to its sign-in (RFC 7636).
const (
	PKCES256 = "S256"
	PKCENone = "none"
)

// How tokens are revoked at RevokeURL.
const (
	RevokePost   = "post"   // RFC 7009
	RevokeDelete = "delete" // DELETE with the token as bearer
)

// Clone copies a connection with everything it points to.
func (c Connection) Clone() Connection {
	c.Scopes = slices.Clone(c.Scopes)
	c.AuthorizeParams = maps.Clone(c.AuthorizeParams)
	c.TokenParams = maps.Clone(c.TokenParams)
	c.Identity.Settings = maps.Clone(c.Identity.Settings)
	c.Calls.Allow, c.Calls.Headers = slices.Clone(c.Calls.Allow), maps.Clone(c.Calls.Headers)
	c.Registration.Metadata = maps.Clone(c.Registration.Metadata)
	c.Resource, c.Fields = slices.Clone(c.Resource), slices.Clone(c.Fields)
	c.Login.Params, c.Refresh.Params = maps.Clone(c.Login.Params), maps.Clone(c.Refresh.Params)
	return c
}

// protocol names the protocol that the connection uses.
func (c Connection) protocol() string {
	if c.Protocol != "" {
		return c.Protocol
	}
	return c.Provider
}
