package demo_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"linkgate/demo"
)

func TestAuthorizationResponses(t *testing.T) {
	p := newParty(t, demo.ServiceOptions{})
	s256 := oauth2.S256ChallengeOption(oauth2.GenerateVerifier())
	tests := []struct {
		name    string
		options []oauth2.AuthCodeOption
		want    string // error, or "" for a code
	}{
		{"in order", []oauth2.AuthCodeOption{s256}, ""},
		{"no PKCE", nil, "invalid_request"},
		{"plain PKCE", []oauth2.AuthCodeOption{
			oauth2.SetAuthURLParam("code_challenge", strings.Repeat("c", 43)), oauth2.SetAuthURLParam("code_challenge_method", "plain"),
		}, "invalid_request"},
		{"unknown scope", []oauth2.AuthCodeOption{s256, oauth2.SetAuthURLParam("scope", "openid everything")}, "invalid_scope"},
		{"implicit", []oauth2.AuthCodeOption{s256, oauth2.SetAuthURLParam("response_type", "token")}, "unsupported_response_type"},
		{"silent", []oauth2.AuthCodeOption{s256, oauth2.SetAuthURLParam("prompt", "none")}, "interaction_required"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p.authorizeAt(p.config(demo.NotesOIDC).AuthCodeURL(testState, tt.options...))
			if _, err := demo.NewBrowser().SignIn(t.Context(), p.URL+"/connect/ticket", "ada"); err != nil {
				t.Fatal(err)
			}
			q := p.took()
			if q.Get("error") != tt.want || q.Has("code") != (tt.want == "") {
				t.Errorf("callback got %v, want error %q", q, tt.want)
			}
			if q.Get("iss") != p.issuer || q.Get("state") != testState {
				t.Errorf("iss, state = %q, %q; want %q, %q", q.Get("iss"), q.Get("state"), p.issuer, testState)
			}
		})
	}
}

func TestDeny(t *testing.T) {
	p := newParty(t, demo.ServiceOptions{})
	p.authorizeAt(p.config(demo.NotesOIDC).AuthCodeURL(testState, oauth2.S256ChallengeOption(oauth2.GenerateVerifier())))
	if _, err := demo.NewBrowser().Deny(t.Context(), p.URL+"/connect/ticket", "ada"); err != nil {
		t.Fatal(err)
	}
	if q := p.took(); q.Get("error") != "access_denied" || q.Get("iss") != p.issuer || q.Has("code") {
		t.Errorf("callback got %v, want access_denied with iss", q)
	}
}

// A request whose client or redirect URI can't be trusted is answered to the user alone.
func TestUntrustedRequestsStayHere(t *testing.T) {
	p := newParty(t, demo.ServiceOptions{})
	for _, change := range []url.Values{
		{"client_id": {"nobody"}}, {"redirect_uri": {p.URL + "/elsewhere"}}, {"redirect_uri": {"https://evil.example/"}},
	} {
		address, _ := url.Parse(p.config(demo.NotesOIDC).AuthCodeURL(testState, oauth2.S256ChallengeOption("x")))
		q := address.Query()
		for name, values := range change {
			q[name] = values
		}
		address.RawQuery = q.Encode()
		page, err := demo.NewBrowser().Get(t.Context(), address.String())
		if err != nil {
			t.Fatal(err)
		}
		if page.Status != http.StatusBadRequest || page.URL.Host != address.Host || !strings.Contains(page.Body, "Acme Notes") {
			t.Errorf("%v: got %d at %s, want a 400 page of the service", change, page.Status, page.URL)
		}
	}
}

func TestPages(t *testing.T) {
	ctx := t.Context()
	p := newParty(t, demo.ServiceOptions{})
	b := demo.NewBrowser()
	signInPage, err := b.Get(ctx, p.config(demo.NotesOIDC).AuthCodeURL(testState, oauth2.S256ChallengeOption(oauth2.GenerateVerifier())))
	if err != nil {
		t.Fatal(err)
	}
	again, err := b.Submit(ctx, signInPage, "Sign in", url.Values{"username": {"ada"}, "password": {"guess"}})
	if err != nil || !strings.Contains(again.Body, "belong together") {
		t.Fatalf("a wrong password got %d, %v", again.Status, err)
	}
	consent, err := b.Submit(ctx, again, "Sign in", url.Values{"username": {"ada"}, "password": {demo.Password}})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Staffroom", "Ada Lovelace", "Read your notes", "notes.read", "Stay connected"} {
		if !strings.Contains(consent.Body, want) {
			t.Errorf("the consent page lacks %q", want)
		}
	}
	for _, page := range []demo.Page{signInPage, again, consent} {
		if page.Header.Get("Cross-Origin-Opener-Policy") != "" || page.Header.Get("Content-Security-Policy") == "" {
			t.Errorf("headers of %s = %v", page.URL, page.Header)
		}
	}
	switched, err := b.Submit(ctx, consent, "switch", nil)
	if err != nil || !strings.Contains(switched.Body, "Sign in to Acme Notes") {
		t.Errorf("use another account got %d, %v", switched.Status, err)
	}
}

// What is unticked is not granted.
func TestPartialConsent(t *testing.T) {
	ctx := t.Context()
	p := newParty(t, demo.ServiceOptions{})
	g := grant{config: p.config(demo.NotesOIDC), verifier: oauth2.GenerateVerifier()}
	b := demo.NewBrowser()
	page, err := b.Get(ctx, g.config.AuthCodeURL(testState, oauth2.S256ChallengeOption(g.verifier)))
	if err != nil {
		t.Fatal(err)
	}
	page, err = b.Submit(ctx, page, "sign-in", url.Values{"username": {"ada"}, "password": {demo.Password}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = b.Submit(ctx, page, "Allow", url.Values{"kept": {"profile"}}); err != nil {
		t.Fatal(err)
	}
	g.code = p.took().Get("code")
	token := g.exchange(t)
	if got, _ := token.Extra("scope").(string); got != "openid profile" || token.RefreshToken != "" {
		t.Errorf("scope = %q, refresh token %t; want openid profile and none", got, token.RefreshToken != "")
	}
}

// A form on another site must not press Allow.
func TestConsentIsGuardedAgainstForgery(t *testing.T) {
	p := newParty(t, demo.ServiceOptions{})
	r, _ := http.NewRequest(http.MethodPost, p.issuer+"/oauth/authorize", strings.NewReader("action=allow"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusForbidden {
		t.Errorf("status = %d, want 403", answer.StatusCode)
	}
}

func TestTamperIDToken(t *testing.T) {
	ctx := t.Context()
	p := newParty(t, demo.ServiceOptions{})
	provider, err := oidc.NewProvider(ctx, p.issuer)
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]func(*demo.IDToken){
		"WrongIssuer": demo.WrongIssuer, "WrongAudience": demo.WrongAudience, "Expired": demo.Expired,
		"AlgNone": demo.AlgNone, "ForeignKey": demo.ForeignKey, "WrongNonce": demo.WrongNonce, "NoNonce": demo.NoNonce,
		"nothing": func(*demo.IDToken) {}, "": nil,
	}
	for name, tamper := range tests {
		t.Run(name, func(t *testing.T) {
			p.service.TamperIDToken(tamper)
			g := p.signIn(t, demo.NotesOIDC, "ada")
			raw, _ := g.exchange(t).Extra("id_token").(string)
			idToken, err := provider.Verifier(&oidc.Config{ClientID: g.config.ClientID}).Verify(ctx, raw)
			good := err == nil && idToken.Nonce == testNonce
			if want := name == "nothing" || name == ""; good != want {
				t.Errorf("ID token is good: %t (%v), want %t", good, err, want)
			}
		})
	}
}

func TestTamperRedirect(t *testing.T) {
	p := newParty(t, demo.ServiceOptions{})
	p.service.TamperRedirect(func(q url.Values) { q.Del("iss"); q.Set("state", "other") })
	if q := p.signIn(t, demo.NotesOIDC, "ada").callback; q.Has("iss") || q.Get("state") != "other" {
		t.Errorf("callback got %v", q)
	}
	p.service.TamperRedirect(nil)
	if q := p.signIn(t, demo.NotesOIDC, "ada").callback; q.Get("iss") != p.issuer || q.Get("state") != testState {
		t.Errorf("callback got %v after tampering ended", q)
	}
}
