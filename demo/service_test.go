package demo_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"

	"linkgate/demo"
)

const adaSubject = "acct_1815"

// The whole life of a grant, as an independent OpenID Connect client sees it.
func TestServiceJourney(t *testing.T) {
	ctx := t.Context()
	p := newParty(t, demo.ServiceOptions{})
	g := p.signIn(t, demo.NotesOIDC, "ada")
	if got, want := g.callback.Get("state")+" "+g.callback.Get("iss"), testState+" "+p.issuer; got != want {
		t.Errorf("state and iss = %q, want %q", got, want)
	}
	provider, err := oidc.NewProvider(ctx, p.issuer)
	if err != nil {
		t.Fatal(err)
	}
	token := g.exchange(t)
	raw, _ := token.Extra("id_token").(string)
	idToken, err := provider.Verifier(&oidc.Config{ClientID: g.config.ClientID}).Verify(ctx, raw)
	if err != nil {
		t.Fatalf("verifying the ID token: %v", err)
	}
	if idToken.Subject != adaSubject || idToken.Nonce != testNonce {
		t.Errorf("sub, nonce = %q, %q; want %q, %q", idToken.Subject, idToken.Nonce, adaSubject, testNonce)
	}
	info, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]string
	if err := info.Claims(&claims); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"sub": adaSubject, "name": "Ada Lovelace", "preferred_username": "ada"}, claims); diff != "" {
		t.Errorf("userinfo (-want +got):\n%s", diff)
	}
	if got := p.service.ActiveTokens(adaSubject); got != 2 {
		t.Errorf("active tokens = %d, want an access and a refresh token", got)
	}

	rotated := refresh(t, g.config, token.RefreshToken)
	if rotated.RefreshToken == token.RefreshToken || p.service.Active(token.RefreshToken) || p.service.Active(token.AccessToken) || !p.service.Active(rotated.AccessToken) {
		t.Error("refreshing did not rotate the pair")
	}
	form(t, p.issuer+"/oauth/revoke", p.clients[0], url.Values{"token": {rotated.RefreshToken}})
	for _, secret := range []string{rotated.AccessToken, rotated.RefreshToken} {
		if p.service.Active(secret) || introspect(t, p, secret) {
			t.Error("a token outlived its revocation")
		}
	}
	if got := p.service.ActiveTokens(adaSubject); got != 0 {
		t.Errorf("active tokens after revocation = %d, want 0", got)
	}
	have := strings.Join(p.service.Secrets(), "\n")
	for name, secret := range map[string]string{
		"code": g.code, "verifier": g.verifier, "state": testState, "nonce": testNonce, "client secret": g.config.ClientSecret,
		"access token": token.AccessToken, "refresh token": token.RefreshToken, "ID token": raw,
		"second access token": rotated.AccessToken, "second refresh token": rotated.RefreshToken,
	} {
		if secret == "" || !strings.Contains(have, secret) {
			t.Errorf("Secrets lacks the %s", name)
		}
	}
}

func refresh(t *testing.T, c *oauth2.Config, refreshToken string) *oauth2.Token {
	t.Helper()
	token, err := c.TokenSource(t.Context(), &oauth2.Token{RefreshToken: refreshToken}).Token()
	if err != nil {
		t.Fatalf("refreshing: %v", err)
	}
	return token
}

func introspect(t *testing.T, p *party, token string) bool {
	t.Helper()
	_, body := form(t, p.issuer+"/oauth/introspect", p.clients[0], url.Values{"token": {token}})
	var answer struct{ Active bool }
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatalf("introspection answered %q", body)
	}
	return answer.Active
}

// form posts with the client's Basic credentials.
func form(t *testing.T, address string, c demo.Client, fields url.Values) (int, string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, address, strings.NewReader(fields.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(c.ID, c.Secret.Reveal())
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

func TestPlainOAuth2(t *testing.T) {
	p := newParty(t, demo.ServiceOptions{})
	g := p.signIn(t, demo.NotesOAuth2, "grace")
	token := g.exchange(t)
	if raw := token.Extra("id_token"); raw != nil {
		t.Error("an ID token came without the openid scope")
	}
	if info, err := g.config.Client(t.Context(), token).Get(p.issuer + "/oauth/userinfo"); err != nil || info.StatusCode != 401 {
		t.Errorf("userinfo without the openid scope: %v, %v; want 401", info.Status, err)
	}
	answer, err := g.config.Client(t.Context(), token).Get(p.issuer + "/api/me")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var got struct {
		Account struct {
			ID          string
			DisplayName string `json:"display_name"`
		}
	}
	if err := json.NewDecoder(answer.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if got.Account.ID != "acct_1906" || got.Account.DisplayName != "Grace Hopper" {
		t.Errorf("account = %+v, want Grace Hopper, acct_1906", got.Account)
	}
}

// A refresh token works at the token endpoint alone.
func TestRefreshTokenOpensNothing(t *testing.T) {
	p := newParty(t, demo.ServiceOptions{})
	token := p.signIn(t, demo.NotesOIDC, "ada").exchange(t)
	for _, path := range []string{"/oauth/userinfo", "/api/me"} {
		for _, bearer := range []string{token.RefreshToken, "", "nonsense"} {
			r, _ := http.NewRequest(http.MethodGet, p.issuer+path, nil)
			r.Header.Set("Authorization", "Bearer "+bearer)
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if answer.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s with another token = %d, want 401", path, answer.StatusCode)
			}
		}
	}
}

func TestExchangeIsStrict(t *testing.T) {
	p := newParty(t, demo.ServiceOptions{})
	tests := map[string]func(g *grant){
		"wrong verifier": func(g *grant) { g.verifier = oauth2.GenerateVerifier() },
		"no verifier":    func(g *grant) { g.verifier = "" },
		"wrong secret":   func(g *grant) { g.config.ClientSecret = "guess" },
		"wrong client":   func(g *grant) { *g.config = *p.config(demo.NotesOAuth2) },
		"wrong redirect": func(g *grant) { g.config.RedirectURL = p.URL + "/elsewhere" },
		"wrong code":     func(g *grant) { g.code += "x" },
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			g := p.signIn(t, demo.NotesOIDC, "ada")
			spoil(&g)
			_, err := g.config.Exchange(t.Context(), g.code, oauth2.VerifierOption(g.verifier))
			var refused *oauth2.RetrieveError
			if !errors.As(err, &refused) {
				t.Errorf("err = %v, want a refusal", err)
			}
			if got := p.service.CodeUses(g.code); got != 1 {
				t.Errorf("code uses = %d, want 1", got)
			}
		})
	}
	if got := p.service.ActiveTokens(adaSubject); got != 0 {
		t.Errorf("active tokens = %d, want 0", got)
	}
}

// Of many exchanges of one code one succeeds, and the others cost it its tokens (RFC 6749 §4.1.2).
func TestCodeIsUsedOnce(t *testing.T) {
	p := newParty(t, demo.ServiceOptions{})
	g := p.signIn(t, demo.NotesOIDC, "ada")
	var won atomic.Int32
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			if _, err := g.config.Exchange(t.Context(), g.code, oauth2.VerifierOption(g.verifier)); err == nil {
				won.Add(1)
			}
		})
	}
	all.Wait()
	if got := won.Load(); got != 1 {
		t.Errorf("%d exchanges succeeded, want 1", got)
	}
	if got := p.service.CodeUses(g.code); got != 100 {
		t.Errorf("code uses = %d, want 100", got)
	}
	if got := p.service.ActiveTokens(adaSubject); got != 0 {
		t.Errorf("active tokens = %d, want 0", got)
	}
}

func TestRefreshReuseEndsTheGrant(t *testing.T) {
	p := newParty(t, demo.ServiceOptions{})
	g := p.signIn(t, demo.NotesOIDC, "ada")
	first := g.exchange(t)
	other := p.signIn(t, demo.NotesOIDC, "ada").exchange(t)
	second := refresh(t, g.config, first.RefreshToken)
	_, err := g.config.TokenSource(t.Context(), &oauth2.Token{RefreshToken: first.RefreshToken}).Token()
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) || refused.ErrorCode != "invalid_grant" {
		t.Errorf("reuse: err = %v, want invalid_grant", err)
	}
	if p.service.Active(second.RefreshToken) || p.service.Active(second.AccessToken) {
		t.Error("the grant outlived the reuse of its refresh token")
	}
	if !p.service.Active(other.RefreshToken) {
		t.Error("another grant of the same user was ended too")
	}
}
