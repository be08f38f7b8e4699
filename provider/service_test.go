package provider

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"

	"linkgate/secret"
)

// What must never be seen in an error. The code is spelt like an error code, so that only the
// guard against echoes keeps it out.
const (
	theCode         = "the_code_of_this_test"
	theClientSecret = "client+secret:%/ü"
	theAccessToken  = "access-token-7Qk"
	theRefreshToken = "refresh-token-9Zx"
)

const theRedirectURI = "https://linkgate.example/callback/7f3c"

// service is an external service on loopback: an OAuth 2 and OpenID Connect server in few lines,
// any of whose answers a test can replace.
type service struct {
	*httptest.Server
	t   *testing.T
	key *ecdsa.PrivateKey

	mu       sync.Mutex
	answers  map[string]http.HandlerFunc // by path
	requests map[string]int              // by path
	codes    int                         // requests that carried theCode
	forms    []url.Values                // of the token endpoint
	basic    []string                    // user and password of each of those, as sent
	asked    url.Values                  // the last authorization request
	metadata map[string]any              // laid over the discovery document
	claims   map[string]any              // laid over the ID token's; nil values take out
}

func newService(t *testing.T) *service {
	t.Helper()
	s := unstartedService(t)
	s.Start()
	return s
}

// newTLSService speaks HTTP/2.
func newTLSService(t *testing.T) *service {
	t.Helper()
	s := unstartedService(t)
	s.EnableHTTP2 = true
	s.StartTLS()
	return s
}

func unstartedService(t *testing.T) *service {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := &service{t: t, key: key, answers: map[string]http.HandlerFunc{}, requests: map[string]int{}}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // what tests provoke is no news
	t.Cleanup(s.Close)
	return s
}

func (s *service) serve(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	s.mu.Lock()
	s.requests[r.URL.Path]++
	if r.PostForm.Get("code") == theCode {
		s.codes++
	}
	if r.URL.Path == "/token" {
		user, password, _ := r.BasicAuth()
		s.forms, s.basic = append(s.forms, r.PostForm), append(s.basic, user+" "+password)
	}
	answer := s.answers[r.URL.Path]
	s.mu.Unlock()
	if answer != nil {
		answer(w, r)
		return
	}
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		reply(w, 200, overlay(s.document(), s.metadata))
	case "/keys":
		reply(w, 200, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: s.key.Public(), KeyID: "k1", Algorithm: "ES256", Use: "sig"}}})
	case "/token":
		reply(w, 200, s.tokens())
	case "/me":
		reply(w, 200, map[string]any{"id": 583231, "login": "octocat"})
	case "/userinfo":
		reply(w, 200, map[string]any{"sub": "subject-1", "name": "Ada from userinfo"})
	case "/revoke":
		w.WriteHeader(200)
	default:
		http.NotFound(w, r)
	}
}

// answer replaces the answer at a path.
func (s *service) answer(path string, h http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[path] = h
}

func (s *service) count(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[path]
}

func (s *service) codesSeen() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.codes
}

func (s *service) document() map[string]any {
	return map[string]any{
		"issuer":                 s.URL,
		"authorization_endpoint": s.URL + "/authorize",
		"token_endpoint":         s.URL + "/token",
		"jwks_uri":               s.URL + "/keys",
		"userinfo_endpoint":      s.URL + "/userinfo",
		"revocation_endpoint":    s.URL + "/revoke",
	}
}

func (s *service) tokens() map[string]any {
	return map[string]any{
		"access_token":  theAccessToken,
		"refresh_token": theRefreshToken,
		"token_type":    "bearer",
		"expires_in":    3600,
		"id_token":      s.idToken(),
	}
}

// idToken signs the claims that answer the last authorization request.
func (s *service) idToken() string {
	claims := map[string]any{
		"iss":   s.URL,
		"sub":   "subject-1",
		"aud":   s.asked.Get("client_id"),
		"nonce": s.asked.Get("nonce"),
		"iat":   time.Now().Unix(),
		"exp":   time.Now().Add(5 * time.Minute).Unix(),
		"name":  "Ada Lovelace",
	}
	return sign(s.t, jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: s.key, KeyID: "k1"}}, overlay(claims, s.claims))
}

func sign(t *testing.T, key jose.SigningKey, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(key, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

// overlay puts the values of top over those of base; nil takes one out.
func overlay(base, top map[string]any) map[string]any {
	for key, value := range top {
		base[key] = value
		if value == nil {
			delete(base, key)
		}
	}
	return base
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// replying answers with a status and a body as it stands.
func replying(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

func (s *service) oauth2() Connection {
	return Connection{
		AuthID: "7f3c", Provider: "oauth2", Name: "Service",
		ClientID: "client id", ClientSecret: secret.New(theClientSecret),
		AuthorizeURL: s.URL + "/authorize", TokenURL: s.URL + "/token", RevokeURL: s.URL + "/revoke",
		Identity: IdentityPaths{URL: s.URL + "/me", ID: "id", Name: "login"},
	}
}

func (s *service) oidc() Connection {
	return Connection{
		AuthID: "7f3c", Provider: "oidc", Name: "Service", Issuer: s.URL,
		ClientID: "client id", ClientSecret: secret.New(theClientSecret),
	}
}

func (s *service) open(c Connection) *Provider {
	s.t.Helper()
	deps := Deps{AllowPrivateNetworks: true}
	if certificate := s.Certificate(); certificate != nil {
		deps.RootCAs = x509.NewCertPool()
		deps.RootCAs.AddCert(certificate)
	}
	p, err := New(c, deps)
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

// begin runs Authorize and has the service remember what it was asked.
func (s *service) begin(p *Provider, scopes ...string) Attempt {
	s.t.Helper()
	attempt, address, err := p.Redirector.Authorize(s.t.Context(), secret.New("state-1"), theRedirectURI, scopes...)
	if err != nil {
		s.t.Fatal(err)
	}
	u, err := url.Parse(address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.asked = u.Query()
	return attempt
}

// connect runs a sign-in in which the browser brings the code.
func (s *service) connect(p *Provider) (Grant, error) {
	s.t.Helper()
	return p.Redirector.Exchange(s.t.Context(), s.begin(p), Callback{Code: secret.New(theCode)})
}

// checkQuiet fails when an error's text holds what it must not.
func checkQuiet(t *testing.T, err error, more ...string) {
	t.Helper()
	for _, s := range append(more, theCode, theClientSecret, theAccessToken, theRefreshToken, "<html") {
		if err != nil && strings.Contains(err.Error(), s) {
			t.Errorf("error tells %q: %v", s, err)
		}
	}
}

func s256(verifier string) string { return oauth2.S256ChallengeFromVerifier(verifier) }

// signInProtocols are those that work with a token endpoint.
var signInProtocols = []string{"oauth2", "oidc"}
