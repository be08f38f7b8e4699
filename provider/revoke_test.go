package provider

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"linkgate/secret"
)

// revocations has /revoke answer each token as told, else with 200, and returns what has arrived.
func (s *service) revocations(answers map[string]http.HandlerFunc) (arrived func() []url.Values) {
	var got []url.Values
	s.answer("/revoke", func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		got = append(got, r.PostForm)
		s.mu.Unlock()
		if answer := answers[r.PostForm.Get("token")]; answer != nil {
			answer(w, r)
		}
	})
	return func() []url.Values {
		s.mu.Lock()
		defer s.mu.Unlock()
		return slices.Clone(got)
	}
}

func theCredential() Credential {
	return Credential{AccessToken: secret.New(theAccessToken), RefreshToken: secret.New(theRefreshToken)}
}

// TestRevokeRequests: the refresh token first, then the access token, the client authenticated.
func TestRevokeRequests(t *testing.T) {
	s := newService(t)
	for name, c := range map[string]Connection{"oauth2": s.oauth2(), "oidc": s.oidc()} {
		t.Run(name, func(t *testing.T) {
			got := s.revocations(nil)
			c.AuthStyle = AuthPost
			if err := s.open(c).Revoker.Revoke(t.Context(), theCredential()); err != nil {
				t.Fatal(err)
			}
			client := url.Values{"client_id": {"client id"}, "client_secret": {theClientSecret}}
			want := []url.Values{
				{"token": {theRefreshToken}, "token_type_hint": {"refresh_token"}},
				{"token": {theAccessToken}, "token_type_hint": {"access_token"}},
			}
			for _, form := range want {
				form["client_id"], form["client_secret"] = client["client_id"], client["client_secret"]
			}
			if diff := cmp.Diff(want, got()); diff != "" {
				t.Errorf("revocation requests (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRevokeAnswers(t *testing.T) {
	unsupported := replying(400, `{"error":"unsupported_token_type"}`)
	waiting := func(after string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", after)
			w.WriteHeader(503)
		}
	}
	tests := map[string]struct {
		refresh, access http.HandlerFunc
		want            error
		requests        int
		after           time.Duration
	}{
		"both revoked":              {nil, nil, nil, 2, 0},
		"no content":                {replying(204, ``), replying(204, ``), nil, 2, 0},
		"useless already":           {replying(400, `{"error":"invalid_token"}`), replying(400, `{"error":"invalid_grant"}`), nil, 2, 0},
		"refresh tokens not":        {unsupported, nil, nil, 2, 0},
		"access tokens not":         {nil, unsupported, nil, 2, 0},
		"ended with the other":      {nil, replying(400, `{"error":"invalid_request"}`), nil, 2, 0},
		"not ended with the other":  {unsupported, replying(400, `{"error":"invalid_request"}`), ErrRefused, 2, 0},
		"neither":                   {unsupported, unsupported, ErrUnsupported, 2, 0},
		"later":                     {waiting("120"), nil, ErrUnavailable, 1, 2 * time.Minute},
		"much later":                {waiting("99999999999999999999"), nil, ErrUnavailable, 1, time.Hour},
		"access token later":        {nil, waiting("5"), ErrUnavailable, 2, 5 * time.Second},
		"too many requests":         {replying(429, ``), nil, ErrUnavailable, 1, 0},
		"our client is not known":   {replying(401, `{"error":"invalid_client"}`), nil, ErrRefused, 1, 0},
		"invalid_client with 400":   {replying(400, `{"error":"invalid_client"}`), nil, ErrRefused, 1, 0},
		"a firewall":                {replying(403, `<html>`), nil, ErrUnavailable, 1, 0},
		"moved":                     {moved(307, ``), nil, ErrUnavailable, 1, 0},
		"dropped":                   {drop, nil, ErrUnavailable, 1, 0},
		"error under the code 200":  {replying(200, `{"error":"server_error"}`), nil, ErrUnavailable, 1, 0},
		"the token as error":        {replying(400, `{"error":"`+theRefreshToken+`"}`), nil, ErrRefused, 1, 0},
		"refused, says an odd type": {replying(400, `{"error":7}`), nil, ErrUnavailable, 1, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			got := s.revocations(map[string]http.HandlerFunc{theRefreshToken: test.refresh, theAccessToken: test.access})
			err := s.open(s.oauth2()).Revoker.Revoke(t.Context(), theCredential())
			if !errors.Is(err, test.want) {
				t.Errorf("want %v, got %v", test.want, err)
			}
			if requests := len(got()); requests != test.requests {
				t.Errorf("requests: want %d, got %d", test.requests, requests)
			}
			var failure *Error
			if errors.As(err, &failure) && failure.RetryAfter != test.after {
				t.Errorf("RetryAfter: want %v, got %v", test.after, failure.RetryAfter)
			}
			checkQuiet(t, err)
		})
	}
}

func TestRevokeWithoutRefreshToken(t *testing.T) {
	s := newService(t)
	got := s.revocations(nil)
	c := Credential{AccessToken: secret.New(theAccessToken)}
	if err := s.open(s.oauth2()).Revoker.Revoke(t.Context(), c); err != nil || len(got()) != 1 {
		t.Errorf("want one request and no error, got %d, %v", len(got()), err)
	}
}

func TestRevocationEndpoint(t *testing.T) {
	s := newService(t)
	none := s.oauth2()
	none.RevokeURL = ""
	if p := s.open(none); p.Revoker != nil {
		t.Error("oauth2 without revoke_url has a Revoker")
	}
	elsewhere := s.oidc()
	elsewhere.RevokeURL = s.URL + "/revoke2"
	s.answer("/revoke2", replying(200, ``))
	if err := s.open(elsewhere).Revoker.Revoke(t.Context(), theCredential()); err != nil || s.count("/revoke2") != 2 {
		t.Errorf("revoke_url over the published one: want 2 requests, got %d, %v", s.count("/revoke2"), err)
	}
	s.metadata = map[string]any{"revocation_endpoint": nil}
	if err := s.open(s.oidc()).Revoker.Revoke(t.Context(), theCredential()); !errors.Is(err, ErrUnsupported) {
		t.Errorf("oidc without endpoint: want ErrUnsupported, got %v", err)
	}
	s.answer("/.well-known/openid-configuration", replying(503, ``))
	if err := s.open(s.oidc()).Revoker.Revoke(t.Context(), theCredential()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("oidc without discovery: want ErrUnavailable, got %v", err)
	}
}

// TestRetryAfter: nobody is put off for longer than an hour. TestAfter of package retry has how it is read.
func TestRetryAfter(t *testing.T) {
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	tests := map[string]time.Duration{
		"":                              0,
		"soon":                          0,
		"7":                             7 * time.Second,
		"3600":                          time.Hour,
		"3601":                          time.Hour,
		"99999999999999999999999":       time.Hour,
		"Wed, 02 Jan 2030 03:05:05 GMT": time.Minute,
		"Wed, 02 Jan 2020 03:04:05 GMT": 0,
		"Fri, 02 Jan 2032 03:04:05 GMT": time.Hour,
	}
	for header, want := range tests {
		if got := RetryAfter(header, now); got != want {
			t.Errorf("RetryAfter(%q): want %v, got %v", header, want, got)
		}
	}
}

// deletions has /revoke answer as told, and returns what has arrived there.
func (s *service) deletions(answer http.HandlerFunc) (arrived func() []*http.Request) {
	var got []*http.Request
	s.answer("/revoke", func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		got = append(got, r)
		s.mu.Unlock()
		answer(w, r)
	})
	return func() []*http.Request {
		s.mu.Lock()
		defer s.mu.Unlock()
		return slices.Clone(got)
	}
}

// TestDeleteRequest: one DELETE with the access token where the service's API wants it, and nothing else.
func TestDeleteRequest(t *testing.T) {
	for name, test := range map[string]struct {
		place  CredentialPlace
		header string
		want   string
	}{
		"bearer":        {CredentialPlace{}, "Authorization", "Bearer " + theAccessToken},
		"its own place": {CredentialPlace{Header: "X-Api-Key"}, "X-Api-Key", theAccessToken},
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			got := s.deletions(replying(200, `{}`))
			c := s.oauth2()
			c.RevokeMethod, c.AuthStyle, c.Credential = RevokeDelete, AuthPost, test.place
			if err := s.open(c).Revoker.Revoke(t.Context(), theCredential()); err != nil {
				t.Fatal(err)
			}
			if len(got()) != 1 {
				t.Fatalf("%d requests, want 1: for the access token", len(got()))
			}
			r := got()[0]
			if r.Method != "DELETE" || r.Header.Get(test.header) != test.want {
				t.Errorf("got %s with %s %q, want DELETE with %q", r.Method, test.header, r.Header.Get(test.header), test.want)
			}
			if r.URL.RawQuery != "" || r.ContentLength != 0 || len(r.PostForm) != 0 {
				t.Errorf("query %q, %d bytes of body; want neither", r.URL.RawQuery, r.ContentLength)
			}
		})
	}
}

func TestDeleteAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		want   error
	}{
		"done":                     {replying(200, `{}`), nil},
		"no content":               {replying(204, ``), nil},
		"the token is worthless":   {replying(401, `{"errors":[{"code":"unauthorized"}]}`), nil},
		"it may not any more":      {replying(403, `{"errors":[{"code":"forbidden"}]}`), nil},
		"nothing there":            {replying(404, ``), nil},
		"gone":                     {replying(410, ``), nil},
		"useless already":          {replying(400, `{"error":"invalid_token"}`), nil},
		"a firewall":               {replying(403, `<html>`), ErrUnavailable},
		"not understood":           {replying(400, `{"errors":[]}`), ErrUnavailable},
		"refused":                  {replying(400, `{"error":"unsupported_method"}`), ErrRefused},
		"too many requests":        {replying(429, ``), ErrUnavailable},
		"down":                     {replying(503, ``), ErrUnavailable},
		"moved":                    {moved(307, ``), ErrUnavailable},
		"dropped":                  {drop, ErrUnavailable},
		"error under the code 200": {replying(200, `{"error":"server_error"}`), ErrUnavailable},
		"the token as error":       {replying(400, `{"error":"`+theAccessToken+`"}`), ErrRefused},
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			got := s.deletions(test.answer)
			c := s.oauth2()
			c.RevokeMethod = RevokeDelete
			err := s.open(c).Revoker.Revoke(t.Context(), theCredential())
			if !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if len(got()) != 1 {
				t.Errorf("%d requests, want 1", len(got()))
			}
			checkQuiet(t, err)
		})
	}
}

// TestDeleteEcho: a token that is spelt like an error code is not repeated when it comes back as one.
func TestDeleteEcho(t *testing.T) {
	const token = "the_token_of_this_test"
	s := newService(t)
	s.deletions(replying(400, `{"error":"`+token+`"}`))
	c := s.oauth2()
	c.RevokeMethod = RevokeDelete
	err := s.open(c).Revoker.Revoke(t.Context(), Credential{AccessToken: secret.New(token)})
	if !errors.Is(err, ErrRefused) {
		t.Errorf("got %v, want ErrRefused", err)
	}
	checkQuiet(t, err, token)
}

func TestRemovalProblems(t *testing.T) {
	const good = "0123456789abcdef0123456789abcdef"
	for name, test := range map[string]struct {
		change func(*Connection)
		want   string // the key; empty: none
	}{
		"delete":                 {func(c *Connection) { c.RevokeMethod, c.RevokeURL = "delete", "https://a.example/revoke" }, ""},
		"post":                   {func(c *Connection) { c.RevokeMethod = "post" }, ""},
		"delete without address": {func(c *Connection) { c.RevokeMethod = "delete" }, "revoke_method"},
		"unknown method":         {func(c *Connection) { c.RevokeMethod = "patch" }, "revoke_method"},
		"removal":                {func(c *Connection) { c.RemovalSecret, c.RemovalID = secret.New(good), "app.id" }, ""},
		"short secret":           {func(c *Connection) { c.RemovalSecret = secret.New(good[:23]) }, "removal_secret"},
		"secret with a slash":    {func(c *Connection) { c.RemovalSecret = secret.New(good + "/") }, "removal_secret"},
		"secret with a blank":    {func(c *Connection) { c.RemovalSecret = secret.New(good + "\n") }, "removal_secret"},
		"id without secret":      {func(c *Connection) { c.RemovalID = "app.id" }, "removal_id"},
		"id with a hole":         {func(c *Connection) { c.RemovalSecret, c.RemovalID = secret.New(good), "app..id" }, "removal_id"},
	} {
		t.Run(name, func(t *testing.T) {
			c := goodOAuth2()
			test.change(&c)
			problems := c.Problems()
			if test.want == "" && len(problems) > 0 || test.want != "" && (len(problems) != 1 || problems[0].Key != test.want) {
				t.Errorf("got %v, want a problem at %q", problems, test.want)
			}
			for _, p := range problems {
				checkQuiet(t, p, good[:23])
			}
		})
	}
}
