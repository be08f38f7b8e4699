package provider

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"linkgate/secret"
)

const theNextToken = "next-token-5Hd"

// connections are a service's, by protocol.
func (s *service) connections() map[string]Connection {
	return map[string]Connection{"oauth2": s.oauth2(), "oidc": s.oidc()}
}

func refresh(t *testing.T, p *Provider) (Refreshed, error) {
	t.Helper()
	return p.Refresher.Refresh(t.Context(), theCredential(), time.Time{})
}

// answering has the token endpoint answer with JSON.
func (s *service) answering(body map[string]any) {
	s.answer("/token", func(w http.ResponseWriter, _ *http.Request) { reply(w, 200, body) })
}

func TestRefreshRequest(t *testing.T) {
	styles := map[string]struct {
		form  url.Values // beside the common parameters
		basic string
	}{
		AuthBasic: {nil, "client+id client%2Bsecret%3A%25%2F%C3%BC"},
		AuthPost:  {url.Values{"client_id": {"client id"}, "client_secret": {theClientSecret}}, " "},
		AuthNone:  {url.Values{"client_id": {"client id"}}, " "},
	}
	for style, test := range styles {
		for _, protocol := range signInProtocols {
			t.Run(protocol+" "+style, func(t *testing.T) {
				s := newService(t)
				c := s.connections()[protocol]
				c.AuthStyle = style
				c.TokenParams = map[string]string{"audience": "api"}
				if style == AuthNone {
					c.ClientSecret = secret.Text{}
				}
				if _, err := refresh(t, s.open(c)); err != nil {
					t.Fatal(err)
				}
				want := url.Values{"audience": {"api"}, "grant_type": {"refresh_token"}, "refresh_token": {theRefreshToken}}
				for key, value := range test.form {
					want[key] = value
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
}

func TestRefreshed(t *testing.T) {
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	credential := func(refreshToken, tokenType string, life time.Duration) Credential {
		return Credential{
			AccessToken: secret.New(theNextToken), RefreshToken: secret.New(refreshToken), TokenType: tokenType,
			IssuedAt: now, ExpiresAt: now.Add(life),
		}
	}
	same := credential(theRefreshToken, "bearer", time.Hour) // the lifetime is the connection's
	tests := map[string]struct {
		more map[string]any // in the answer, beside the access token
		want Refreshed
	}{
		"rotated": {
			map[string]any{"refresh_token": "next", "token_type": "MAC", "expires_in": 60},
			Refreshed{Credential: credential("next", "MAC", time.Minute)},
		},
		"nothing more":       {nil, Refreshed{Credential: same}},
		"refresh token null": {map[string]any{"refresh_token": nil}, Refreshed{Credential: same}},
		"refresh token \"\"": {map[string]any{"refresh_token": ""}, Refreshed{Credential: same}},
		"scopes as before":   {map[string]any{"scope": "repo gist"}, Refreshed{Credential: same, Scopes: []string{"repo", "gist"}}},
		"fewer scopes":       {map[string]any{"scope": "gist"}, Refreshed{Credential: same, Scopes: []string{"gist"}, Missing: []string{"repo"}}},
		"no scope left":      {map[string]any{"scope": ""}, Refreshed{Credential: same, Scopes: []string{}, Missing: []string{"repo", "gist"}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			s.answering(overlay(map[string]any{"access_token": theNextToken}, test.more))
			c := s.oauth2()
			c.Scopes, c.Lifetime = []string{"repo", "gist"}, time.Hour
			p, err := New(c, Deps{AllowPrivateNetworks: true, Now: func() time.Time { return now }})
			if err != nil {
				t.Fatal(err)
			}
			old := theCredential()
			old.TokenType = "bearer"
			got, err := p.Refresher.Refresh(t.Context(), old, time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, byReveal); diff != "" {
				t.Errorf("refreshed (-want +got):\n%s", diff)
			}
		})
	}
}

// TestRefreshKeepsTheScopesOfOpenIDConnect: openid is asked for, and few services list it.
func TestRefreshKeepsTheScopesOfOpenIDConnect(t *testing.T) {
	s := newService(t)
	s.answering(map[string]any{"access_token": theNextToken, "scope": "calendar"})
	c := s.oidc()
	c.Scopes = []string{"calendar", "mail"}
	got, err := refresh(t, s.open(c))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"mail"}, got.Missing); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
}

// TestRefreshFailures: whose turn it is after each answer. Only what says that the grant is gone may
// send a user to sign in again; the refresh token is sent once, and never told.
func TestRefreshFailures(t *testing.T) {
	tests := map[string]struct {
		answer http.HandlerFunc
		want   error
	}{
		"invalid_grant":               {replying(400, `{"error":"invalid_grant","error_description":"`+theRefreshToken+`"}`), ErrInvalidGrant},
		"invalid_grant with 401":      {replying(401, `{"error":"invalid_grant"}`), ErrInvalidGrant},
		"invalid_grant with 403":      {replying(403, `{"error":"invalid_grant"}`), ErrInvalidGrant},
		"GitHub's":                    {replying(200, `{"error":"bad_refresh_token"}`), ErrInvalidGrant},
		"Slack's":                     {replying(200, `{"ok":false,"error":"invalid_refresh_token"}`), ErrInvalidGrant},
		"Microsoft's":                 {replying(400, `{"error":"interaction_required"}`), ErrInvalidGrant},
		"invalid_client":              {replying(401, `{"error":"invalid_client"}`), ErrRefused},
		"unauthorized_client":         {replying(400, `{"error":"unauthorized_client"}`), ErrRefused},
		"invalid_scope":               {replying(400, `{"error":"invalid_scope"}`), ErrRefused},
		"unsupported_grant_type":      {replying(400, `{"error":"unsupported_grant_type"}`), ErrRefused},
		"access_denied":               {replying(400, `{"error":"access_denied"}`), ErrRefused},
		"unknown code":                {replying(400, `{"error":"token_is_stale"}`), ErrRefused},
		"the token as code":           {replying(400, `{"error":"`+theRefreshToken+`"}`), ErrRefused},
		"401 without code":            {replying(401, ``), ErrRefused},
		"temporarily_unavailable":     {replying(400, `{"error":"temporarily_unavailable"}`), ErrUnavailable},
		"500 that says invalid_grant": {replying(500, `{"error":"invalid_grant"}`), ErrUnavailable},
		"429 that says invalid_grant": {replying(429, `{"error":"invalid_grant"}`), ErrUnavailable},
		"502":                         {replying(502, `<html>`), ErrUnavailable},
		"408":                         {replying(408, ``), ErrUnavailable},
		"a firewall's 403":            {replying(403, `<html>Blocked invalid_grant`), ErrUnavailable},
		"404":                         {replying(404, `not found`), ErrUnavailable},
		"400 with an object":          {replying(400, `{"error":{"code":"invalid_grant"}}`), ErrUnavailable},
		"redirect":                    {moved(307, `{"error":"invalid_grant"}`), ErrUnavailable},
		"HTML":                        {replying(200, `<html>Sign in to the hotel's network`), ErrUnavailable},
		"nothing":                     {replying(200, ``), ErrUnavailable},
		"no token":                    {replying(200, `{"refresh_token":"next"}`), ErrUnavailable},
		"token unfit for a header":    {replying(200, `{"access_token":"a\r\nX: 1"}`), ErrUnavailable},
		"dropped":                     {drop, ErrUnavailable},
		"dropped within":              {dropHalfway, ErrUnavailable},
		"endless":                     {endless, ErrUnavailable},
		"hanging":                     {hang, ErrUnavailable},
	}
	for name, test := range tests {
		for _, protocol := range signInProtocols {
			t.Run(name+", "+protocol, func(t *testing.T) {
				t.Parallel()
				s := newService(t)
				s.answer("/token", test.answer)
				p := s.open(s.connections()[protocol])
				p.Refresher.(*refresher).client.timeout = time.Second
				_, err := refresh(t, p)
				var failure *Error
				if !errors.Is(err, test.want) || !errors.As(err, &failure) {
					t.Fatalf("want %v, got %v", test.want, err)
				}
				if failure.Op != opRefresh {
					t.Errorf("told as %q, want %q", failure.Op, opRefresh)
				}
				if name == "hanging" && failure.Code != "timed out" {
					t.Errorf("want it to have timed out, got %v", err)
				}
				if got := s.count("/token"); got != 1 {
					t.Errorf("requests: want 1, got %d", got)
				}
				checkQuiet(t, err)
			})
		}
	}
}

func TestRefreshRetryAfter(t *testing.T) {
	for _, status := range []int{429, 503} {
		s := newService(t)
		s.answer("/token", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "17")
			w.WriteHeader(status)
		})
		_, err := refresh(t, s.open(s.oauth2()))
		var failure *Error
		if !errors.As(err, &failure) || !errors.Is(err, ErrUnavailable) || failure.RetryAfter != 17*time.Second {
			t.Errorf("%d: want ErrUnavailable for 17 s, got %v", status, err)
		}
	}
}

func TestRefreshWithoutRefreshToken(t *testing.T) {
	s := newService(t)
	for protocol, c := range s.connections() {
		credential := Credential{AccessToken: secret.New(theAccessToken)}
		if _, err := s.open(c).Refresher.Refresh(t.Context(), credential, time.Time{}); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: want ErrUnsupported, got %v", protocol, err)
		}
	}
	if len(s.requests) != 0 {
		t.Errorf("requests arrived: %v", s.requests)
	}
}

// TestRefreshWithoutEndpoint: what keeps us from knowing where to send it says nothing of the grant.
func TestRefreshWithoutEndpoint(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"a firewall":       replying(403, `<html>`),
		"gone":             replying(404, ``),
		"down":             replying(503, ``),
		"another's issuer": replying(200, `{"issuer":"https://evil.example"}`),
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			s.answer("/.well-known/openid-configuration", answer)
			if _, err := refresh(t, s.open(s.oidc())); !errors.Is(err, ErrUnavailable) {
				t.Errorf("want ErrUnavailable, got %v", err)
			}
		})
	}
}

// TestRefreshesStandApart: neither do they keep users from signing in, nor the other way round.
func TestRefreshesStandApart(t *testing.T) {
	for _, protocol := range signInProtocols {
		t.Run(protocol, func(t *testing.T) {
			s := newService(t)
			s.answer("/token", func(w http.ResponseWriter, r *http.Request) {
				if r.PostForm.Get("grant_type") == "refresh_token" {
					w.WriteHeader(503)
					return
				}
				reply(w, 200, s.tokens())
			})
			p := s.open(s.connections()[protocol])
			for range breakerFailures + 1 {
				if _, err := refresh(t, p); !errors.Is(err, ErrUnavailable) {
					t.Errorf("want ErrUnavailable, got %v", err)
				}
			}
			if got := s.count("/token"); got != breakerFailures {
				t.Errorf("refreshes sent: want %d, got %d", breakerFailures, got)
			}
			if _, err := s.connect(p); err != nil {
				t.Errorf("signing in: %v", err)
			}
			p = s.open(s.connections()[protocol])
			s.answer("/token", func(w http.ResponseWriter, r *http.Request) {
				if r.PostForm.Get("grant_type") != "refresh_token" {
					w.WriteHeader(503)
					return
				}
				reply(w, 200, s.tokens())
			})
			for range breakerFailures + 1 {
				_, _ = s.connect(p)
			}
			if _, err := refresh(t, p); err != nil {
				t.Errorf("refreshing: %v", err)
			}
		})
	}
}

// TestRefreshGoesNowhereElse: the guard holds for it as well.
func TestRefreshGoesNowhereElse(t *testing.T) {
	s := newService(t)
	p, err := New(s.oauth2(), Deps{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Refresher.Refresh(context.Background(), theCredential(), time.Time{})
	var failure *Error
	if !errors.As(err, &failure) || failure.Code != "address not allowed" || len(s.requests) != 0 {
		t.Errorf("want the address refused, got %v and %d requests", err, len(s.requests))
	}
}
