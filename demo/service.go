package demo

import (
	"net/http"
	"net/url"
	"time"

	"linkgate/secret"
)

// Operations of the external service, for Service.Requests and Script.
const (
	OpDiscovery  = "discovery"
	OpJWKS       = "jwks"
	OpAuthorize  = "authorize" // GET and POST of the sign-in and consent pages
	OpToken      = "token"     // codes and refreshes alike
	OpRevoke     = "revoke"    // RFC 7009
	OpIntrospect = "introspect"
	OpUserinfo   = "userinfo"
	OpProfile    = "profile" // /api/me, the service's own idea of a user
)

// Password is the password of every user of the simulated service. Its sign-in page shows it.
const Password = "open-sesame"

// Scopes of the simulated service.
const ScopeNotesRead = "notes.read"

// ServiceOptions configures a Service.
type ServiceOptions struct {
	Issuer               string        // its address, without a trailing slash
	Clients              []Client      // more may be added with Register
	Users                []ServiceUser // empty: ada, grace and linus
	AccessTokenLifetime  time.Duration // zero: an hour
	RefreshTokenLifetime time.Duration // zero: thirty days
	CodeLifetime         time.Duration // zero: a minute
}

// Client is a registered OAuth client.
type Client struct {
	ID           string
	Secret       secret.Text
	RedirectURIs []string
	Scopes       []string // it may ask for; empty: all of them
	AuthMethod   string   // client_secret_basic or client_secret_post; empty: either
}

// ServiceUser has an account at the simulated service.
type ServiceUser struct {
	Username string // typed at sign-in
	Subject  string // sub, stable
	Name     string
}

// Service is "Acme Notes": an OAuth 2.0 and OpenID Connect server with a sign-in and a consent
// page. PKCE with S256 is enforced, refresh tokens rotate and their reuse ends the grant, every
// authorization response has iss (RFC 9207).
type Service struct{}

// NewService makes a service with a new signing key and nothing issued.
func NewService(o ServiceOptions) *Service { panic("unwritten") }

// ServeHTTP serves discovery, the OAuth endpoints, the pages and the API.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) { panic("unwritten") }

// Register adds clients, or replaces those with the same id.
func (s *Service) Register(clients ...Client) { panic("unwritten") }

// Play directs the service from now on; the zero Script ends it.
func (s *Service) Play(script Script) { panic("unwritten") }

// Requests counts the requests for op that arrived, faulty ones included.
func (s *Service) Requests(op string) int { panic("unwritten") }

// CodeUses counts the token requests that carried code, faulty ones included.
func (s *Service) CodeUses(code string) int { panic("unwritten") }

// Codes lists the authorization codes issued, oldest first.
func (s *Service) Codes() []string { panic("unwritten") }

// Active tells whether an access or refresh token is good now.
func (s *Service) Active(token string) bool { panic("unwritten") }

// ActiveTokens counts the access and refresh tokens of a subject that are good now.
func (s *Service) ActiveTokens(subject string) int { panic("unwritten") }

// Secrets lists every secret that exists because of this service, for the canary test: client
// secrets, codes and tokens issued, PKCE verifiers, states and nonces received.
func (s *Service) Secrets() []string { panic("unwritten") }

// TamperIDToken has f spoil every ID token from now on; nil ends it.
func (s *Service) TamperIDToken(f func(*IDToken)) { panic("unwritten") }

// TamperRedirect has f change the parameters of every authorization response from now on, errors
// included: remove iss, alter state. nil ends it.
func (s *Service) TamperRedirect(f func(url.Values)) { panic("unwritten") }

// IDToken is an ID token on its way out. It is signed after tampering, with the header's alg
// left at what the key can do.
type IDToken struct {
	Claims     map[string]any
	Unsigned   bool // alg none and no signature
	ForeignKey bool // signed with a key that the JWKS does not have, under the true key's id
}

// WrongNonce, WrongIssuer, WrongAudience, Expired, AlgNone and ForeignKey are for TamperIDToken.
func WrongNonce(t *IDToken)    { panic("unwritten") }
func WrongIssuer(t *IDToken)   { panic("unwritten") }
func WrongAudience(t *IDToken) { panic("unwritten") }
func Expired(t *IDToken)       { panic("unwritten") }
func AlgNone(t *IDToken)       { panic("unwritten") }
func ForeignKey(t *IDToken)    { panic("unwritten") }
