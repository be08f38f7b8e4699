package provider

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/ory/fosite"
	"github.com/ory/fosite/compose"
	"github.com/ory/fosite/handler/openid"
	"github.com/ory/fosite/storage"

	"linkgate/secret"
)

// fositeService is a server of somebody else's making, which takes pushed requests and signed clients
// alone: https://github.com/ory/fosite.
type fositeService struct {
	*httptest.Server
	oauth  fosite.OAuth2Provider
	store  *storage.MemoryStore
	config *fosite.Config
}

func newFositeService(t *testing.T) *fositeService {
	t.Helper()
	global := make([]byte, 32)
	_, _ = rand.Read(global)
	s := &fositeService{store: storage.NewMemoryStore(), config: &fosite.Config{
		GlobalSecret: global, EnforcePKCE: true, IsPushedAuthorizeEnforced: true,
		ScopeStrategy: fosite.ExactScopeStrategy, AccessTokenLifespan: time.Hour,
	}}
	s.oauth = compose.ComposeAllEnabled(s.config, s.store, theRSAKey(t))
	mux := http.NewServeMux()
	mux.HandleFunc("/par", s.par)
	mux.HandleFunc("/authorize", s.authorize)
	mux.HandleFunc("/token", s.token)
	mux.HandleFunc("/revoke", func(w http.ResponseWriter, r *http.Request) {
		s.oauth.WriteRevocationResponse(r.Context(), w, s.oauth.NewRevocationRequest(r.Context(), r))
	})
	mux.HandleFunc("/me", replying(200, `{"id":7}`))
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	s.config.TokenURL = s.URL + "/token"
	return s
}

func (s *fositeService) par(w http.ResponseWriter, r *http.Request) {
	request, err := s.oauth.NewPushedAuthorizeRequest(r.Context(), r)
	if err == nil {
		var response fosite.PushedAuthorizeResponder
		if response, err = s.oauth.NewPushedAuthorizeResponse(r.Context(), request, new(openid.DefaultSession)); err == nil {
			s.oauth.WritePushedAuthorizeResponse(r.Context(), w, request, response)
			return
		}
	}
	s.oauth.WritePushedAuthorizeError(r.Context(), w, request, err)
}

// authorize has a user who allows everything at once.
func (s *fositeService) authorize(w http.ResponseWriter, r *http.Request) {
	request, err := s.oauth.NewAuthorizeRequest(r.Context(), r)
	if err == nil {
		for _, scope := range request.GetRequestedScopes() {
			request.GrantScope(scope)
		}
		var response fosite.AuthorizeResponder
		if response, err = s.oauth.NewAuthorizeResponse(r.Context(), request, &openid.DefaultSession{Subject: "7"}); err == nil {
			s.oauth.WriteAuthorizeResponse(r.Context(), w, request, response)
			return
		}
	}
	s.oauth.WriteAuthorizeError(r.Context(), w, request, err)
}

func (s *fositeService) token(w http.ResponseWriter, r *http.Request) {
	request, err := s.oauth.NewAccessRequest(r.Context(), r, new(openid.DefaultSession))
	if err == nil {
		if request.GetGrantTypes().ExactOne("client_credentials") { // nobody has granted them before
			for _, scope := range request.GetRequestedScopes() {
				request.GrantScope(scope)
			}
		}
		var response fosite.AccessResponder
		if response, err = s.oauth.NewAccessResponse(r.Context(), request); err == nil {
			s.oauth.WriteAccessResponse(r.Context(), w, request, response)
			return
		}
	}
	s.oauth.WriteAccessError(r.Context(), w, request, err)
}

// register makes a client known by its public key.
func (s *fositeService) register(t *testing.T, public any, algorithm, keyID string) {
	t.Helper()
	client := &fosite.DefaultOpenIDConnectClient{
		DefaultClient: &fosite.DefaultClient{
			ID: "signer", RedirectURIs: []string{theRedirectURI}, Scopes: []string{"notes", "offline"},
			ResponseTypes: []string{"code"}, GrantTypes: []string{"authorization_code", "refresh_token", "client_credentials"},
		},
		TokenEndpointAuthMethod: "private_key_jwt", TokenEndpointAuthSigningAlgorithm: algorithm,
	}
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: public, KeyID: keyID, Algorithm: algorithm, Use: "sig"}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(keys, &client.JSONWebKeys); err != nil {
		t.Fatal(err)
	}
	s.store.Clients["signer"] = client
}

func (s *fositeService) connection(key string) Connection {
	return Connection{
		AuthID: "7f3c", Provider: "oauth2", ClientID: "signer", AuthStyle: AuthPrivateKeyJWT, SigningKey: secret.New(key),
		Scopes: []string{"notes", "offline"}, AuthorizeURL: s.URL + "/authorize", TokenURL: s.URL + "/token",
		RevokeURL: s.URL + "/revoke", PARURL: s.URL + "/par", Identity: IdentityPaths{URL: s.URL + "/me", ID: "id"},
	}
}

// active tells whether an access token is good now.
func (s *fositeService) active(t *testing.T, token secret.Text) bool {
	t.Helper()
	_, _, err := s.oauth.IntrospectToken(t.Context(), token.Reveal(), fosite.AccessToken, new(openid.DefaultSession))
	return err == nil
}

// visit is the browser at the service, and returns what its redirect brings to our callback.
func (s *fositeService) visit(t *testing.T, address string) url.Values {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	location, err := res.Location()
	if err != nil {
		t.Fatalf("HTTP %d and no redirect: %v", res.StatusCode, err)
	}
	return location.Query()
}

// TestFositeJourney: connect with a pushed request, refresh and revoke, as a client that signs.
func TestFositeJourney(t *testing.T) {
	rsaKey, ecKey := theRSAKey(t), theECKey(t)
	for name, test := range map[string]struct {
		public    any
		key       string
		algorithm string
	}{
		"EC":      {ecKey.Public(), jwk(t, ecKey, "", "k1"), "ES256"},
		"RSA":     {rsaKey.Public(), jwk(t, rsaKey, "", "k1"), "RS256"},
		"RSA PSS": {rsaKey.Public(), jwk(t, rsaKey, "PS256", "k1"), "PS256"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newFositeService(t)
			s.register(t, test.public, test.algorithm, "k1")
			p, err := New(s.connection(test.key), Deps{AllowPrivateNetworks: true})
			if err != nil {
				t.Fatal(err)
			}
			attempt, address, err := p.Redirector.Authorize(t.Context(), secret.New("a-state-that-is-long-enough"), theRedirectURI)
			if err != nil {
				t.Fatal(err)
			}
			back := s.visit(t, address)
			if back.Get("state") != "a-state-that-is-long-enough" {
				t.Fatalf("got back %v, want our state", back)
			}
			grant, err := p.Redirector.Exchange(t.Context(), attempt, Callback{Code: secret.New(back.Get("code"))})
			if err != nil || grant.Identity.Subject != "7" || len(grant.Missing) > 0 {
				t.Fatalf("got %v, %v", grant, err)
			}
			next, err := p.Refresher.Refresh(t.Context(), grant.Credential, time.Time{})
			if err != nil || next.Credential.RefreshToken.Reveal() == grant.Credential.RefreshToken.Reveal() {
				t.Fatalf("refreshing: %v", err)
			}
			if err := p.Revoker.Revoke(t.Context(), next.Credential); err != nil {
				t.Error(err)
			}
			if _, err := p.Refresher.Refresh(t.Context(), next.Credential, time.Time{}); !errors.Is(err, ErrInvalidGrant) {
				t.Errorf("refreshing what is revoked: got %v, want %v", err, ErrInvalidGrant)
			}
		})
	}
}

// TestFositeRefusesAnotherKey already when the request is pushed, before any user is sent there.
func TestFositeRefusesAnotherKey(t *testing.T) {
	s := newFositeService(t)
	s.register(t, theECKey(t).Public(), "ES256", "k1")
	p, err := New(s.connection(jwk(t, theECKey(t), "", "k1")), Deps{AllowPrivateNetworks: true})
	if err != nil {
		t.Fatal(err)
	}
	_, address, err := p.Redirector.Authorize(t.Context(), secret.New("a-state-that-is-long-enough"), theRedirectURI)
	if !errors.Is(err, ErrRefused) || address != "" {
		t.Errorf("got %q, %v; want %v", address, err, ErrRefused)
	}
}
