package demo

import (
	"context"
	"crypto/ecdsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/ory/fosite/token/jwt"
)

// TamperIDToken has f spoil every ID token from now on; nil ends it.
func (s *Service) TamperIDToken(f func(*IDToken)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tamperIDToken = f
}

// TamperRedirect has f change the parameters of every authorization response from now on, errors
// included: remove iss, alter state. nil ends it.
func (s *Service) TamperRedirect(f func(url.Values)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tamperRedirect = f
}

// IDToken is an ID token on its way out. It is signed with ES256 after tampering, unless it says
// otherwise.
type IDToken struct {
	Claims     map[string]any
	Unsigned   bool // alg none and no signature
	ForeignKey bool // signed with a key that the JWKS does not have, under the true key's id
}

// WrongNonce is for TamperIDToken: the token answers another request.
func WrongNonce(t *IDToken) { t.Claims["nonce"] = random() }

// NoNonce is for TamperIDToken: the token answers any request.
func NoNonce(t *IDToken) { delete(t.Claims, "nonce") }

// WrongIssuer is for TamperIDToken: the token is another server's.
func WrongIssuer(t *IDToken) { t.Claims["iss"] = "https://issuer.example" }

// WrongAudience is for TamperIDToken: the token is another client's.
func WrongAudience(t *IDToken) { t.Claims["aud"] = []string{"another-client"} }

// Expired is for TamperIDToken: the token was good until an hour ago.
func Expired(t *IDToken) {
	t.Claims["iat"] = time.Now().Add(-2 * time.Hour).Unix()
	t.Claims["exp"] = time.Now().Add(-time.Hour).Unix()
}

// AlgNone is for TamperIDToken: nobody vouches for the token.
func AlgNone(t *IDToken) { t.Unsigned = true }

// ForeignKey is for TamperIDToken: somebody else vouches for the token.
func ForeignKey(t *IDToken) { t.ForeignKey = true }

// spoil applies the tampering that is on, if any.
func (s *Service) spoil(raw string) (string, error) {
	s.mu.Lock()
	tamper := s.tamperIDToken
	s.mu.Unlock()
	if tamper == nil || raw == "" {
		return raw, nil
	}
	t := IDToken{Claims: map[string]any{}}
	if err := decodeSegment(strings.Split(raw, ".")[1], &t.Claims); err != nil {
		return "", fmt.Errorf("reading the ID token: %w", err)
	}
	tamper(&t)
	return s.keys.sign(t)
}

func (k signingKeys) sign(t IDToken) (string, error) {
	if t.Unsigned {
		return encodeSegment(map[string]any{"alg": "none"}) + "." + encodeSegment(t.Claims) + ".", nil
	}
	key := k.own
	if t.ForeignKey {
		key = k.foreign
	}
	signer := jwt.DefaultSigner{GetPrivateKey: func(context.Context) (any, error) { return key, nil }}
	raw, _, err := signer.Generate(context.Background(), t.Claims, k.header())
	return raw, err
}

func (k signingKeys) header() *jwt.Headers {
	return &jwt.Headers{Extra: map[string]any{"kid": k.id}}
}

// jwks is the public half, RFC 7517 and RFC 7518 §6.2.
func (k signingKeys) jwks() map[string]any {
	x, y := coordinates(&k.own.PublicKey)
	return map[string]any{"keys": []any{map[string]string{
		"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": k.id, "x": x, "y": y,
	}}}
}

func coordinates(key *ecdsa.PublicKey) (x, y string) {
	point, err := key.Bytes() // 4, then x and y in 32 bytes each
	if err != nil {
		panic(fmt.Errorf("encoding our own public key: %w", err))
	}
	return base64.RawURLEncoding.EncodeToString(point[1:33]), base64.RawURLEncoding.EncodeToString(point[33:])
}

func encodeSegment(v map[string]any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Errorf("encoding tampered claims: %w", err)) // a test's mistake
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

func decodeSegment(segment string, v any) error {
	b, err := base64.RawURLEncoding.DecodeString(segment)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, v)
}
