package provider

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
)

// answerIDToken has the token endpoint answer with an ID token that make makes.
func (s *service) answerIDToken(makeToken func(claims map[string]any) any) {
	s.answer("/token", func(w http.ResponseWriter, _ *http.Request) {
		payload, _ := base64.RawURLEncoding.DecodeString(strings.Split(s.idToken(), ".")[1])
		var claims map[string]any
		_ = json.Unmarshal(payload, &claims)
		reply(w, 200, overlay(s.tokens(), map[string]any{"id_token": makeToken(claims)}))
	})
}

func TestOIDCExchange(t *testing.T) {
	s := newService(t)
	c := s.oidc()
	c.Scopes = []string{"profile", "calendar"}
	got, err := s.connect(s.open(c))
	if err != nil {
		t.Fatal(err)
	}
	if want := "openid profile calendar"; s.asked.Get("scope") != want {
		t.Errorf("scope asked: want %q, got %q", want, s.asked.Get("scope"))
	}
	if diff := cmp.Diff(Identity{Issuer: s.URL, Subject: "subject-1", Name: "Ada Lovelace"}, got.Identity); diff != "" {
		t.Errorf("identity (-want +got):\n%s", diff)
	}
	if got.Credential.AccessToken.Reveal() != theAccessToken {
		t.Error("the access token is not the service's")
	}
	if s.count("/userinfo") != 0 {
		t.Error("userinfo was asked although the ID token has a name")
	}
}

// TestIDTokenClaims lays claims over a good ID token.
func TestIDTokenClaims(t *testing.T) {
	now := time.Now()
	at := func(d time.Duration) int64 { return now.Add(d).Unix() }
	tests := map[string]struct {
		claims map[string]any // nil values take a claim out
		want   error
	}{
		"good":                     {nil, nil},
		"nonce missing":            {map[string]any{"nonce": nil}, ErrNotVerified},
		"nonce empty":              {map[string]any{"nonce": ""}, ErrNotVerified},
		"nonce wrong":              {map[string]any{"nonce": "another"}, ErrNotVerified},
		"nonce of another type":    {map[string]any{"nonce": []string{"n"}}, ErrNotVerified},
		"iss missing":              {map[string]any{"iss": nil}, ErrNotVerified},
		"iss another":              {map[string]any{"iss": "https://evil.example"}, ErrNotVerified},
		"iss Google's":             {map[string]any{"iss": "accounts.google.com"}, ErrNotVerified},
		"aud missing":              {map[string]any{"aud": nil}, ErrNotVerified},
		"aud another":              {map[string]any{"aud": "other"}, ErrNotVerified},
		"aud empty":                {map[string]any{"aud": []string{}}, ErrNotVerified},
		"aud ours in a list":       {map[string]any{"aud": []string{"client id"}}, nil},
		"aud several":              {map[string]any{"aud": []string{"client id", "other"}}, ErrNotVerified},
		"aud several, azp ours":    {map[string]any{"aud": []string{"client id", "other"}, "azp": "client id"}, nil},
		"aud several, azp another": {map[string]any{"aud": []string{"client id", "other"}, "azp": "other"}, ErrNotVerified},
		"azp another":              {map[string]any{"azp": "other"}, ErrNotVerified},
		"azp empty":                {map[string]any{"azp": ""}, ErrNotVerified},
		"azp of another type":      {map[string]any{"azp": 1}, ErrNotVerified},
		"azp ours":                 {map[string]any{"azp": "client id"}, nil},
		"exp missing":              {map[string]any{"exp": nil}, ErrNotVerified},
		"exp past":                 {map[string]any{"exp": at(-3 * time.Minute)}, ErrNotVerified},
		"exp past, clocks differ":  {map[string]any{"exp": at(-time.Minute)}, nil},
		"exp in words":             {map[string]any{"exp": "tomorrow"}, ErrNotVerified},
		"nbf to come":              {map[string]any{"nbf": at(time.Hour)}, ErrNotVerified},
		"sub missing":              {map[string]any{"sub": nil}, ErrNotVerified},
		"sub empty":                {map[string]any{"sub": ""}, ErrNotVerified},
		"sub a number":             {map[string]any{"sub": 1}, ErrNotVerified},
		"sub with newline":         {map[string]any{"sub": "a\nb"}, ErrNotVerified},
		"sub too long":             {map[string]any{"sub": strings.Repeat("a", 256)}, ErrNotVerified},
		"at_hash wrong":            {map[string]any{"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}, ErrNotVerified},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			s.claims = test.claims
			got, err := s.connect(s.open(s.oidc()))
			if !errors.Is(err, test.want) {
				t.Fatalf("want %v, got %v", test.want, err)
			}
			checkQuiet(t, err, s.asked.Get("nonce"))
			if test.want != nil && !cmp.Equal(got, Grant{}, byReveal) {
				t.Error("a failed exchange grants something")
			}
		})
	}
}

// TestIDTokenForgeries are tokens that the service's keys have not signed, and worse.
func TestIDTokenForgeries(t *testing.T) {
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	unsigned := func(header string) func(*service, map[string]any) any {
		return func(_ *service, claims map[string]any) any {
			payload, _ := json.Marshal(claims)
			return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString(payload) + "."
		}
	}
	tests := map[string]func(s *service, claims map[string]any) any{
		"none":           func(*service, map[string]any) any { return nil },
		"empty":          func(*service, map[string]any) any { return "" },
		"no JWT":         func(*service, map[string]any) any { return "a.b.c" },
		"of two parts":   func(*service, map[string]any) any { return "e30.e30" },
		"alg none":       unsigned(`{"alg":"none"}`),
		"alg None":       unsigned(`{"alg":"None","kid":"k1"}`),
		"alg missing":    unsigned(`{"kid":"k1"}`),
		"alg empty":      unsigned(`{"alg":""}`),
		"alg ES256, sig": unsigned(`{"alg":"ES256","kid":"k1"}`),
		"another's key": func(s *service, claims map[string]any) any {
			return sign(s.t, jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: stranger, KeyID: "k1"}}, claims)
		},
		"another's key, embedded": func(s *service, claims map[string]any) any {
			signer, _ := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: stranger}, &jose.SignerOptions{EmbedJWK: true})
			payload, _ := json.Marshal(claims)
			signed, _ := signer.Sign(payload)
			compact, _ := signed.CompactSerialize()
			return compact
		},
		"unknown kid": func(s *service, claims map[string]any) any {
			return sign(s.t, jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: s.key, KeyID: "k2"}}, claims)
		},
		"HS256 with the client secret": func(s *service, claims map[string]any) any {
			return sign(s.t, jose.SigningKey{Algorithm: jose.HS256, Key: []byte(theClientSecret + strings.Repeat("x", 32))}, claims)
		},
		"HS256 with the public key": func(s *service, claims map[string]any) any {
			public, _ := x509.MarshalPKIXPublicKey(s.key.Public())
			return sign(s.t, jose.SigningKey{Algorithm: jose.HS256, Key: public}, claims)
		},
		"claims changed": func(s *service, claims map[string]any) any {
			parts := strings.Split(s.idToken(), ".")
			payload, _ := json.Marshal(overlay(claims, map[string]any{"sub": "victim"}))
			return parts[0] + "." + base64.RawURLEncoding.EncodeToString(payload) + "." + parts[2]
		},
		"as JSON": func(s *service, _ map[string]any) any {
			parts := strings.Split(s.idToken(), ".")
			return `{"protected":"` + parts[0] + `","payload":"` + parts[1] + `","signature":"` + parts[2] + `"}`
		},
	}
	for name, forge := range tests {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			s.answerIDToken(func(claims map[string]any) any { return forge(s, claims) })
			if _, err := s.connect(s.open(s.oidc())); !errors.Is(err, ErrNotVerified) {
				t.Errorf("want ErrNotVerified, got %v", err)
			}
		})
	}
}

// TestIDTokenAlgorithms: each of those allowed, with at_hash where the service sends it.
func TestIDTokenAlgorithms(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p384, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	p521, _ := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	_, edKey, _ := ed25519.GenerateKey(rand.Reader)
	keys := map[jose.SignatureAlgorithm]any{
		jose.RS256: rsaKey, jose.RS384: rsaKey, jose.RS512: rsaKey,
		jose.PS256: rsaKey, jose.PS384: rsaKey, jose.PS512: rsaKey,
		jose.ES384: p384, jose.ES512: p521, jose.EdDSA: edKey,
	}
	for algorithm, key := range keys {
		t.Run(string(algorithm), func(t *testing.T) {
			s := newService(t)
			private := jose.JSONWebKey{Key: key, KeyID: "k9"}
			s.answer("/keys", func(w http.ResponseWriter, _ *http.Request) {
				reply(w, 200, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{private.Public()}})
			})
			s.answerIDToken(func(claims map[string]any) any {
				return sign(t, jose.SigningKey{Algorithm: algorithm, Key: private}, claims)
			})
			if _, err := s.connect(s.open(s.oidc())); err != nil {
				t.Error(err)
			}
		})
	}
}
