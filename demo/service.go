package demo

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/compose"
	"github.com/ory/fosite/handler/openid"

	"linkgate/secret"
)

// Operations of the external service, for Service.Requests and Script.
const (
	OpDiscovery  = "discovery"
	OpJWKS       = "jwks"
	OpAuthorize  = "authorize" // GET and POST of the sign-in and consent pages
	OpToken      = "token"     // codes and refreshes alike
	OpDevice     = "device"    // a code is made, RFC 8628
	OpActivate   = "activate"  // GET and POST of the page where it is typed
	OpRevoke     = "revoke"    // RFC 7009
	OpIntrospect = "introspect"
	OpUserinfo   = "userinfo"
)

// Operations of the external service's API.
const (
	OpProfile   = "profile" // /api/me, the service's own idea of a user
	OpNotes     = "notes"   // list and create
	OpEcho      = "echo"
	OpUpload    = "upload"
	OpDownload  = "download"
	OpEvents    = "events"
	OpWebSocket = "websocket"
	OpSlow      = "slow"
	OpStatus    = "status"
	OpRedirect  = "redirect"
	OpForbidden = "forbidden" // whatever a careless server would take for /api/forbidden-for-calls
)

// Password is the password of every user of the simulated service. Its sign-in page shows it.
const Password = "open-sesame"

// ServiceOptions configures a Service.
type ServiceOptions struct {
	Issuer               string        // its address, without a trailing slash
	Clients              []Client      // more may be added with Register
	Users                []ServiceUser // empty: ada, grace and linus
	AccessTokenLifetime  time.Duration // zero: an hour; counted in whole seconds, as all three
	RefreshTokenLifetime time.Duration // zero: thirty days
	CodeLifetime         time.Duration // zero: a minute
	DevicePause          time.Duration // between two polls; zero: five seconds; told in whole ones
	DeviceLifetime       time.Duration // of a code that is typed elsewhere; zero: ten minutes
}

// Client is a registered OAuth client.
type Client struct {
	ID           string
	Name         string // on the consent page; empty: the id
	Secret       secret.Text
	RedirectURIs []string
	Scopes       []string // it may ask for; empty: all of them
	AuthMethod   string   // client_secret_basic or client_secret_post; empty: either
	OnItsOwn     bool     // it gets tokens of its own (RFC 6749 §4.4), and nobody signs in for it
}

// ServiceUser has an account at the simulated service.
type ServiceUser struct {
	Username string // typed at sign-in
	Subject  string // sub, stable
	Name     string
}

// Service is "Acme Notes": an OAuth 2.0 and OpenID Connect server with a sign-in and a consent
// page, and an API for those who have an access token. PKCE with S256 is enforced, refresh tokens
// rotate and their reuse ends the grant, every authorization response has iss (RFC 9207).
type Service struct {
	options ServiceOptions
	oauth   fosite.OAuth2Provider
	store   *store
	keys    signingKeys
	routes  http.Handler
	stage   stage
	ledger  ledger
	tokens  tokenUses
	notes   notebook
	flow    flow
	devices devices

	// exchange makes the token endpoint one at a time: fosite looks at a code or refresh token
	// and uses it up in two steps, and a second request must not come in between.
	exchange sync.Mutex

	mu             sync.Mutex
	signedIn       map[string]ServiceUser // by session cookie
	names          map[string]string      // of clients, by id
	tamperIDToken  func(*IDToken)
	tamperRedirect func(url.Values)
}

// NewService makes a service with a new signing key and nothing issued.
func NewService(o ServiceOptions) *Service {
	if len(o.Users) == 0 {
		o.Users = []ServiceUser{
			{Username: "ada", Subject: "acct_1815", Name: "Ada Lovelace"},
			{Username: "grace", Subject: "acct_1906", Name: "Grace Hopper"},
			{Username: "linus", Subject: "acct_1969", Name: "Linus Torvalds"},
		}
	}
	o.DevicePause, o.DeviceLifetime = cmp.Or(o.DevicePause, devicePause), cmp.Or(o.DeviceLifetime, deviceLife)
	s := &Service{
		options:  o,
		keys:     newSigningKeys(),
		store:    newStore(),
		signedIn: map[string]ServiceUser{},
		names:    map[string]string{},
		devices:  devices{pause: o.DevicePause},
	}
	s.stage.errorBody, s.stage.note = oauthError, s.note
	s.oauth = composeOAuth(fositeConfig(o), s.store, s.keys, s.deviceFactory)
	s.routes = s.newRoutes()
	s.Register(o.Clients...)
	return s
}

// oauthError is how RFC 6749 §5.2 words an error.
func oauthError(status int) string {
	if status >= http.StatusInternalServerError {
		return `{"error":"temporarily_unavailable","error_description":"by the script"}`
	}
	return `{"error":"invalid_request","error_description":"by the script"}`
}

func fositeConfig(o ServiceOptions) *fosite.Config {
	global := make([]byte, 32)
	_, _ = rand.Read(global) // never fails
	return &fosite.Config{
		GlobalSecret:          global,
		IDTokenIssuer:         o.Issuer,
		AccessTokenLifespan:   cmp.Or(o.AccessTokenLifetime, time.Hour),
		RefreshTokenLifespan:  cmp.Or(o.RefreshTokenLifetime, 30*24*time.Hour),
		AuthorizeCodeLifespan: cmp.Or(o.CodeLifetime, time.Minute),
		EnforcePKCE:           true,
		ScopeStrategy:         fosite.ExactScopeStrategy,
		AllowedPromptValues:   []string{"none", "consent"},
		ClientSecretsHasher:   secretHasher{},
	}
}

func composeOAuth(config *fosite.Config, s fosite.Storage, keys signingKeys, more ...compose.Factory) fosite.OAuth2Provider {
	key := func(context.Context) (any, error) { return keys.own, nil }
	return compose.Compose(config, s,
		&compose.CommonStrategy{
			CoreStrategy:               compose.NewOAuth2HMACStrategy(config),
			OpenIDConnectTokenStrategy: compose.NewOpenIDConnectStrategy(key, config),
		},
		append(more,
			compose.OAuth2AuthorizeExplicitFactory,
			compose.OAuth2RefreshTokenGrantFactory,
			compose.OAuth2ClientCredentialsGrantFactory,
			compose.OpenIDConnectExplicitFactory,
			compose.OpenIDConnectRefreshFactory,
			compose.OAuth2TokenIntrospectionFactory,
			compose.OAuth2TokenRevocationFactory,
			compose.OAuth2PKCEFactory)...,
	)
}

// signingKeys are the key of the JWKS, and one that nobody knows.
type signingKeys struct {
	own, foreign *ecdsa.PrivateKey
	id           string
}

func newSigningKeys() signingKeys {
	return signingKeys{own: newKey(), foreign: newKey(), id: random()}
}

func newKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(fmt.Errorf("generating an ES256 key: %w", err)) // no entropy: nothing can work
	}
	return key
}

// ServeHTTP serves discovery, the OAuth endpoints, the pages and the API.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.routes.ServeHTTP(w, r) }

// Register adds clients, or replaces those with the same id.
func (s *Service) Register(clients ...Client) {
	for _, c := range clients {
		s.ledger.add(c.Secret.Reveal())
		s.store.register(fositeClient(c))
		s.mu.Lock()
		s.names[c.ID] = cmp.Or(c.Name, c.ID)
		s.mu.Unlock()
	}
}

func fositeClient(c Client) fosite.Client {
	if len(c.Scopes) == 0 {
		c.Scopes = scopes()
	}
	plain := &fosite.DefaultClient{
		ID:            c.ID,
		Secret:        hashSecret([]byte(c.Secret.Reveal())),
		RedirectURIs:  c.RedirectURIs,
		GrantTypes:    fosite.Arguments{"authorization_code", "refresh_token", deviceGrant},
		ResponseTypes: fosite.Arguments{"code"},
		Scopes:        c.Scopes,
	}
	if c.OnItsOwn {
		plain.GrantTypes, plain.ResponseTypes = fosite.Arguments{"client_credentials"}, nil
	}
	if c.AuthMethod == "" {
		return plain
	}
	return &fosite.DefaultOpenIDConnectClient{DefaultClient: plain, TokenEndpointAuthMethod: c.AuthMethod}
}

// Play directs the service from now on; the zero Script ends it.
func (s *Service) Play(script Script) { s.stage.play(script) }

// Requests counts the requests for op that arrived, faulty ones included.
func (s *Service) Requests(op string) int { return s.stage.count(op) }

// CodeUses counts the token requests that carried code, faulty ones included.
func (s *Service) CodeUses(code string) int { return s.ledger.uses(code) }

// Codes lists the authorization codes issued, oldest first.
func (s *Service) Codes() []string { return s.ledger.codes() }

// Active tells whether an access or refresh token is good now.
func (s *Service) Active(token string) bool {
	_, _, err := s.oauth.IntrospectToken(context.Background(), token, fosite.AccessToken, new(openid.DefaultSession))
	return err == nil
}

// ActiveTokens counts the access and refresh tokens of a subject that are good now.
func (s *Service) ActiveTokens(subject string) int { return s.store.active(subject, time.Now()) }

// Secrets lists every secret that exists because of this service, for the canary test: client
// secrets, codes and tokens issued, PKCE verifiers, states and nonces received.
func (s *Service) Secrets() []string { return s.ledger.all() }

// Users lists the service's users.
func (s *Service) Users() []ServiceUser { return append([]ServiceUser(nil), s.options.Users...) }
