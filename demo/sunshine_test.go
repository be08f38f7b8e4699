package demo_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"linkgate/demo"
)

// sunshine is a Sunshine with an integration whose removeUrl counts its calls.
type sunshine struct {
	*demo.Sunshine
	t        *testing.T
	address  string
	linkgate string
	calls    []*http.Request
	client   url.Values // id and secret
}

func newSunshine(t *testing.T, options demo.SunshineOptions) *sunshine {
	t.Helper()
	s := &sunshine{t: t}
	linkgate := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		s.calls = append(s.calls, r)
		w.WriteHeader(http.StatusTeapot)
	}))
	t.Cleanup(linkgate.Close)
	s.linkgate, options.LinkgateURL = linkgate.URL, linkgate.URL
	s.Sunshine = demo.NewSunshine(options)
	server := httptest.NewServer(s.Sunshine)
	t.Cleanup(server.Close)
	s.address = server.URL
	s.client = url.Values{"client_id": {"linkgate-sunshine"}, "client_secret": {valueOf(s.Connection(""), "client_secret")}}
	return s
}

// valueOf is what a line of YAML has for a key.
func valueOf(yaml, key string) string {
	_, rest, _ := strings.Cut(yaml, " "+key+": ")
	value, _, _ := strings.Cut(rest, "\n")
	return value
}

// at signs linus in, who has one app, allows, and returns where the browser is sent.
func (s *sunshine) at(query url.Values, decision string) *url.URL {
	s.t.Helper()
	b := demo.NewBrowser()
	b.Stop = func(u *url.URL) bool { return strings.HasPrefix(u.String(), s.linkgate) }
	page, err := b.Get(s.t.Context(), s.address+"/oauth/authorize?"+query.Encode())
	for _, step := range []struct {
		button string
		fields url.Values
	}{{"sign-in", url.Values{"username": {"linus"}, "password": {demo.Password}}}, {decision, nil}} {
		if err != nil {
			s.t.Fatal(err)
		}
		page, err = b.Submit(s.t.Context(), page, step.button, step.fields)
	}
	if err != nil {
		s.t.Fatalf("%v\n%s", err, page.Body)
	}
	return page.URL
}

func (s *sunshine) request() url.Values {
	return url.Values{"client_id": s.client["client_id"], "response_type": {"code"}, "state": {"the-state"}}
}

// token is that of a whole authorisation.
func (s *sunshine) token() string {
	s.t.Helper()
	form := url.Values{"grant_type": {"authorization_code"}, "code": {s.at(s.request(), "allow").Query().Get("code")}}
	status, body := s.do("POST", "/oauth/token", s.with(form), nil)
	token, _ := body["access_token"].(string)
	if status != 200 || token == "" || body["token_type"] != "Bearer" || len(body) != 2 {
		s.t.Fatalf("the token endpoint answers %d %v, want access_token and token_type alone", status, body)
	}
	return token
}

// with adds the client's id and secret to a form.
func (s *sunshine) with(form url.Values) url.Values {
	form["client_id"], form["client_secret"] = s.client["client_id"], s.client["client_secret"]
	return form
}

func (s *sunshine) do(method, path string, form url.Values, prepare func(*http.Request)) (status int, body map[string]any) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.address+path, strings.NewReader(form.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if prepare != nil {
		prepare(r)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(&body); err != nil {
		s.t.Fatalf("%s %s answers %d and no JSON: %v", method, path, answer.StatusCode, err)
	}
	return answer.StatusCode, body
}

func bearer(token string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}

func TestSunshineAuthorize(t *testing.T) {
	s := newSunshine(t, demo.SunshineOptions{})
	first, second := s.linkgate+"/callback/sunshine", s.linkgate+"/another"
	for name, test := range map[string]struct {
		change func(url.Values)
		to     string
	}{
		"the first of the list when left out": {func(url.Values) {}, first},
		"one of the list":                     {func(q url.Values) { q.Set("redirect_uri", second) }, second},
		"with what it does not know":          {func(q url.Values) { q.Set("code_challenge", "x") }, first},
	} {
		q := s.request()
		test.change(q)
		to := s.at(q, "allow")
		if got := to.Scheme + "://" + to.Host + to.Path; got != test.to || to.Query().Get("state") != "the-state" || to.Query().Get("code") == "" {
			t.Errorf("%s: sent to %s, want %s with code and state", name, to, test.to)
		}
	}
	if q := s.at(s.request(), "deny").Query(); q.Get("error") != "access_denied" || q.Get("state") != "the-state" || q.Has("code") {
		t.Errorf("denied: sent with %v, want access_denied and the state", q)
	}
	q := s.request()
	q.Del("state")
	if q := s.at(q, "allow").Query(); q.Has("state") {
		t.Errorf("no state was sent, and one came back: %v", q)
	}
	for name, change := range map[string]func(url.Values){
		"another redirect URI": func(q url.Values) { q.Set("redirect_uri", first+"/x") },
		"empty redirect URI":   func(q url.Values) { q.Set("redirect_uri", "") },
		"another client":       func(q url.Values) { q.Set("client_id", "x") },
		"another type":         func(q url.Values) { q.Set("response_type", "token") },
	} {
		q := s.request()
		change(q)
		page, err := demo.NewBrowser().Get(t.Context(), s.address+"/oauth/authorize?"+q.Encode())
		if err != nil || page.Status != http.StatusBadRequest || len(page.Forms) != 0 {
			t.Errorf("%s: %d, %v, %d forms; want 400 and none", name, page.Status, err, len(page.Forms))
		}
	}
}

func TestSunshineToken(t *testing.T) {
	s := newSunshine(t, demo.SunshineOptions{})
	code := s.at(s.request(), "allow").Query().Get("code")
	good := func() url.Values {
		return s.with(url.Values{"grant_type": {"authorization_code"}, "code": {code}})
	}
	inHeader := func(r *http.Request) {
		r.SetBasicAuth(s.client.Get("client_id"), s.client.Get("client_secret"))
	}
	for _, test := range []struct {
		name    string
		change  func(url.Values)
		prepare func(*http.Request)
		status  int
		code    any
	}{
		{"wrong secret", func(f url.Values) { f.Set("client_secret", "x") }, nil, 401, "invalid_client"},
		{"secret in a header", func(f url.Values) { f.Del("client_secret") }, inHeader, 401, "invalid_client"},
		{"another grant", func(f url.Values) { f.Set("grant_type", "refresh_token") }, nil, 400, "unsupported_grant_type"},
		{"another code", func(f url.Values) { f.Set("code", "x") }, nil, 400, "invalid_grant"},
		{"right", func(f url.Values) { f.Set("code_verifier", "ignored") }, nil, 200, nil},
		{"the code again", func(url.Values) {}, nil, 400, "invalid_grant"},
	} {
		form := good()
		test.change(form)
		status, body := s.do("POST", "/oauth/token", form, test.prepare)
		if status != test.status || body["error"] != test.code {
			t.Errorf("%s: %d %v, want %d %v", test.name, status, body, test.status, test.code)
		}
	}
}

func TestSunshineRevoke(t *testing.T) {
	for name, options := range map[string]demo.SunshineOptions{"POST": {}, "GET": {RemoveByGet: true}} {
		t.Run(name, func(t *testing.T) {
			s := newSunshine(t, options)
			penguins := s.Apps()[2]
			token, other := s.token(), s.token()
			status, body := s.do("GET", "/v2/tokenInfo", nil, bearer(token))
			if app, _ := body["app"].(map[string]any); status != 200 || app["id"] != penguins.ID || app["subdomain"] != "penguins" {
				t.Fatalf("tokenInfo: %d %v, want the app", status, body)
			}
			if status, _ := s.do("DELETE", "/oauth/authorization", nil, bearer("x")); status != 401 || len(s.calls) != 0 {
				t.Errorf("another token: %d and %d calls, want 401 and none", status, len(s.calls))
			}
			if status, _ := s.do("DELETE", "/oauth/authorization", nil, bearer(token)); status != 200 {
				t.Errorf("revoking: %d, want 200", status)
			}
			for _, dead := range []string{token, other} {
				status, body := s.do("GET", "/v2/tokenInfo", nil, bearer(dead))
				if errs, _ := body["errors"].([]any); status != 401 || len(errs) != 1 {
					t.Errorf("tokenInfo afterwards: %d %v, want 401 and an error", status, body)
				}
			}
			if len(s.calls) != 1 || s.calls[0].Method != name || s.Removals()[0].Status != http.StatusTeapot {
				t.Fatalf("the removeUrl was called %d times, %v; want one %s", len(s.calls), s.Removals(), name)
			}
			said, _ := io.ReadAll(s.calls[0].Body)
			if q := s.calls[0].URL.Query(); q.Get("secret") != s.RemovalSecret().Reveal() || !strings.Contains(string(said)+q.Get("appId"), penguins.ID) {
				t.Errorf("the removeUrl was called with %v and %s, want secret and app", q, said)
			}
		})
	}
}

func TestSunshineRevokeByKey(t *testing.T) {
	s := newSunshine(t, demo.SunshineOptions{})
	s.token()
	penguins := s.Apps()[2].ID
	key := s.Key(penguins)
	for _, test := range []struct {
		name, id, secret string
		status, active   int
	}{
		{"wrong secret", key.ID, "x", 401, 1},
		{"another app's key", s.Key(s.Apps()[0].ID).ID, key.Secret.Reveal(), 401, 1},
		{"right", key.ID, key.Secret.Reveal(), 200, 0},
	} {
		status, _ := s.do("DELETE", "/oauth/authorization", nil, func(r *http.Request) { r.SetBasicAuth(test.id, test.secret) })
		if active := s.ActiveTokens(penguins); status != test.status || active != test.active {
			t.Errorf("%s: %d and %d tokens, want %d and %d", test.name, status, active, test.status, test.active)
		}
	}
}

// TestSunshineWebApp: only an owner removes the integration there.
func TestSunshineWebApp(t *testing.T) {
	s := newSunshine(t, demo.SunshineOptions{})
	s.token()
	penguins := s.Apps()[2].ID
	enter := func(name string) (*demo.Browser, demo.Page) {
		b := demo.NewBrowser()
		page, err := b.Get(t.Context(), s.address)
		if err == nil {
			page, err = b.Submit(t.Context(), page, "sign-in", url.Values{"username": {name}, "password": {demo.Password}})
		}
		if err != nil {
			t.Fatal(err)
		}
		return b, page
	}
	if _, page := enter("grace"); strings.Contains(page.Body, "penguins") {
		t.Error("grace sees linus's app")
	}
	b, page := enter("linus")
	page, err := b.Submit(t.Context(), page, penguins, nil)
	if err != nil || page.Status != 200 || s.ActiveTokens(penguins) != 0 || len(s.calls) != 1 {
		t.Errorf("removing: %d, %v, %d tokens, %d calls; want 200, none and one", page.Status, err, s.ActiveTokens(penguins), len(s.calls))
	}
}
