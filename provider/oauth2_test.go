package provider

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"linkgate/secret"
)

func TestAuthorizationRequest(t *testing.T) {
	s := newService(t)
	c := s.oauth2()
	c.Scopes = []string{"read:user", "repo"}
	c.ScopeSeparator = ","
	c.AuthorizeParams = map[string]string{"access_type": "offline"}
	c.AuthorizeURL = s.URL + "/authorize?tenant=a%20b"
	attempt := s.begin(s.open(c))
	want := url.Values{
		"tenant":                {"a b"},
		"access_type":           {"offline"},
		"response_type":         {"code"},
		"client_id":             {"client id"},
		"redirect_uri":          {theRedirectURI},
		"scope":                 {"read:user,repo"},
		"state":                 {"state-1"},
		"code_challenge":        {s256(attempt.Verifier.Reveal())},
		"code_challenge_method": {"S256"},
	}
	if diff := cmp.Diff(want, s.asked); diff != "" {
		t.Errorf("authorization request (-want +got):\n%s", diff)
	}
	verifier, err := base64.RawURLEncoding.DecodeString(attempt.Verifier.Reveal())
	if err != nil || len(verifier) != 32 {
		t.Errorf("verifier: want 32 bytes in base64url, got %d bytes, %v", len(verifier), err)
	}
}

func TestAttemptsAreFresh(t *testing.T) {
	s := newService(t)
	for _, c := range []Connection{s.oauth2(), s.oidc()} {
		p := s.open(c)
		first, second := s.begin(p), s.begin(p)
		if first.Verifier.Reveal() == second.Verifier.Reveal() {
			t.Errorf("%s: two attempts with one verifier", c.Provider)
		}
		if c.Provider == "oidc" && (first.Nonce.IsZero() || first.Nonce.Reveal() == second.Nonce.Reveal()) {
			t.Error("oidc: nonce is missing or repeated")
		}
	}
}

func TestAuthorizeNeedsStateAndRedirectURI(t *testing.T) {
	s := newService(t)
	for _, c := range []Connection{s.oauth2(), s.oidc()} {
		p := s.open(c)
		if _, _, err := p.Redirector.Authorize(t.Context(), secret.Text{}, theRedirectURI); err == nil {
			t.Errorf("%s: authorized without state", c.Provider)
		}
		if _, _, err := p.Redirector.Authorize(t.Context(), secret.New("state"), ""); err == nil {
			t.Errorf("%s: authorized without redirect URI", c.Provider)
		}
	}
}

func TestOAuth2Exchange(t *testing.T) {
	s := newService(t)
	c := s.oauth2()
	c.Scopes = []string{"repo", "gist"}
	c.TokenParams = map[string]string{"audience": "api"}
	s.answer("/token", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, 200, overlay(s.tokens(), map[string]any{"scope": "repo"}))
	})
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	p, err := New(c, Deps{AllowPrivateNetworks: true, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.connect(p)
	if err != nil {
		t.Fatal(err)
	}
	want := Grant{
		Credential: Credential{
			AccessToken:  secret.New(theAccessToken),
			RefreshToken: secret.New(theRefreshToken),
			TokenType:    "bearer",
			IssuedAt:     now,
			ExpiresAt:    now.Add(time.Hour),
		},
		Scopes:   []string{"repo"},
		Missing:  []string{"gist"},
		Identity: Identity{Issuer: s.URL, Subject: "583231", Name: "octocat"},
	}
	if diff := cmp.Diff(want, got, byReveal); diff != "" {
		t.Errorf("grant (-want +got):\n%s", diff)
	}
}

// TestClientAuthentication looks at what arrives at the token endpoint in each style.
func TestClientAuthentication(t *testing.T) {
	common := url.Values{
		"grant_type":   {"authorization_code"},
		"code":         {theCode},
		"redirect_uri": {theRedirectURI},
	}
	tests := []struct {
		style  string
		secret string
		form   url.Values // beside the common ones
		basic  string
	}{
		{"", theClientSecret, nil, "client+id client%2Bsecret%3A%25%2F%C3%BC"},
		{AuthBasic, theClientSecret, nil, "client+id client%2Bsecret%3A%25%2F%C3%BC"},
		{AuthPost, theClientSecret, url.Values{"client_id": {"client id"}, "client_secret": {theClientSecret}}, " "},
		{AuthNone, "", url.Values{"client_id": {"client id"}}, " "},
	}
	for _, test := range tests {
		t.Run("style "+test.style, func(t *testing.T) {
			s := newService(t)
			c := s.oauth2()
			c.AuthStyle, c.ClientSecret = test.style, secret.New(test.secret)
			attempt := s.begin(s.open(c))
			if _, err := s.open(c).Redirector.Exchange(t.Context(), attempt, Callback{Code: secret.New(theCode)}); err != nil {
				t.Fatal(err)
			}
			want := url.Values{"code_verifier": {attempt.Verifier.Reveal()}}
			for _, more := range []url.Values{common, test.form} {
				for key, value := range more {
					want[key] = value
				}
			}
			if diff := cmp.Diff([]url.Values{want}, s.forms); diff != "" {
				t.Errorf("token requests (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{test.basic}, s.basic); diff != "" {
				t.Errorf("Authorization (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOAuth2Identity(t *testing.T) {
	tests := map[string]struct {
		answer http.HandlerFunc
		want   error // nil: subject is the id in the answer
	}{
		"token not accepted":  {replying(401, `{"message":"Bad credentials"}`), ErrRefused},
		"scope missing":       {replying(403, `{}`), ErrRefused},
		"server down":         {replying(503, ``), ErrUnavailable},
		"too many":            {replying(429, ``), ErrUnavailable},
		"moved":               {http.RedirectHandler("/elsewhere", 302).ServeHTTP, ErrUnavailable},
		"moved, with an id":   {moved(302, `{"id":1}`), ErrUnavailable},
		"HTML":                {replying(200, `<html>hello`), ErrUnavailable},
		"nothing":             {replying(200, ``), ErrUnavailable},
		"no id":               {replying(200, `{"login":"octocat"}`), ErrNotVerified},
		"id of another type":  {replying(200, `{"id":{"id":1}}`), ErrNotVerified},
		"id empty":            {replying(200, `{"id":""}`), ErrNotVerified},
		"null":                {replying(200, `null`), ErrNotVerified},
		"error in disguise":   {replying(200, `{"ok":false,"error":"invalid_auth"}`), ErrNotVerified},
		"id in a list's item": {replying(200, `[{"id":1}]`), ErrNotVerified},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			s.answer("/me", test.answer)
			got, err := s.connect(s.open(s.oauth2()))
			if !errors.Is(err, test.want) {
				t.Errorf("want %v, got %v", test.want, err)
			}
			if diff := cmp.Diff(Grant{}, got, byReveal); diff != "" {
				t.Errorf("a failed exchange grants something (-want +got):\n%s", diff)
			}
			checkQuiet(t, err)
		})
	}
}

// moved redirects, with a body for whoever takes that for an answer.
func moved(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/me")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

func TestOAuth2IdentityIssuer(t *testing.T) {
	s := newService(t)
	c := s.oauth2()
	c.Issuer = "https://issuer.example"
	grant, err := s.connect(s.open(c))
	if err != nil {
		t.Fatal(err)
	}
	if grant.Identity.Issuer != c.Issuer {
		t.Errorf("issuer: want %q, got %q", c.Issuer, grant.Identity.Issuer)
	}
}
