package provider

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"linkgate/secret"
)

// keyService is a service that knows one credential, wherever it is shown.
type keyService struct {
	*httptest.Server
	mu    sync.Mutex
	seen  []string // credentials shown, with the path
	login url.Values
	say   func(w http.ResponseWriter, r *http.Request) bool // true: has answered
}

const goodKey = "key-0123456789-good"

func newKeyService(t *testing.T) *keyService {
	s := &keyService{}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

func (s *keyService) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	shown := r.Header.Get("Authorization") + r.Header.Get("X-Api-Key") + r.URL.Query().Get("key")
	s.seen = append(s.seen, r.URL.Path+" "+shown)
	if s.say != nil && s.say(w, r) {
		return
	}
	if r.Method == http.MethodPost {
		s.answerLogin(w, r)
		return
	}
	basic := base64.StdEncoding.EncodeToString([]byte("ada@example.com/token:" + goodKey))
	if !strings.Contains(shown, goodKey) && shown != "Basic "+basic && shown != "Bearer access-2" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	fmt.Fprint(w, `{"user":{"id":4711,"name":"Ada Lovelace","region":"eu"}}`)
}

func (s *keyService) answerLogin(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	s.login = r.PostForm
	switch {
	case r.PostForm.Get("grant_type") == "refresh_token" && r.PostForm.Get("refresh_token") == "refresh-1":
		fmt.Fprint(w, `{"data":[{"attributes":{"user_id":1234,"access_token":"access-2","refresh_token":"refresh-2","expires_at_timestamp":1900000060}}]}`)
	case r.PostForm.Get("user") == "ada" && r.PostForm.Get("secret") == "correct horse ":
		fmt.Fprint(w, `{"data":[{"attributes":{"user_id":1234,"access_token":"access-1","refresh_token":"refresh-1","expires_at_timestamp":1900000000}}]}`)
	default:
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"errors":[{"detail":"no `+r.PostForm.Get("secret")+`"}]}`)
	}
}

func keyConnection(s *keyService) Connection {
	return Connection{
		AuthID: "keys", Provider: "api_key", Name: "Keys",
		Fields:   []Field{{Key: "api_key", Label: "API key", Secret: true, Pattern: `key-[a-z0-9-]+`}},
		Identity: IdentityPaths{URL: s.URL + "/me", ID: "user.id", Name: "user.name"},
	}
}

func basicConnection(s *keyService) Connection {
	c := keyConnection(s)
	c.Provider = "basic"
	c.Fields = []Field{{Key: "email", Label: "E-mail"}, {Key: "api_token", Label: "API token", Secret: true}}
	c.Credential = CredentialPlace{Username: "{email}/token", Password: "{api_token}"}
	return c
}

func passwordConnection(s *keyService) Connection {
	return Connection{
		AuthID: "amino", Provider: "password", Name: "Amino",
		Fields:  []Field{{Key: "username", Label: "User name"}, {Key: "password", Label: "Password", Secret: true}},
		Login:   Exchange{URL: s.URL + "/login", Params: map[string]string{"user": "{username}", "secret": "{password}", "fixed": "yes"}},
		Refresh: Exchange{URL: s.URL + "/login", Params: map[string]string{"grant_type": "refresh_token", "refresh_token": "{refresh_token}"}},
		Paths: AnswerPaths{
			AccessToken: "data.0.attributes.access_token", RefreshToken: "data.0.attributes.refresh_token",
			ExpiresAt: "data.0.attributes.expires_at_timestamp", ExternalID: "data.0.attributes.user_id",
		},
	}
}

func typed(pairs ...string) map[string]secret.Text {
	values := map[string]secret.Text{}
	for i := 0; i < len(pairs); i += 2 {
		values[pairs[i]] = secret.New(pairs[i+1])
	}
	return values
}

func mustOpen(t *testing.T, c Connection) *Provider {
	t.Helper()
	p, err := New(c, Deps{AllowPrivateNetworks: true, Now: func() time.Time { return time.Unix(1899999000, 0) }})
	if err != nil {
		t.Fatal(err)
	}
	if p.Form == nil || p.Redirector != nil || p.Revoker != nil || p.Applier == nil {
		t.Fatalf("abilities of %s: %+v", c.Provider, p)
	}
	return p
}

// TestKeys: a key goes where the connection says, at sign-in and in calls, and tells whose it is.
func TestKeys(t *testing.T) {
	for name, place := range map[string]CredentialPlace{
		"bearer": {}, "header": {Header: "X-Api-Key"}, "prefix": {Header: "X-Api-Key", Prefix: "Token"}, "query": {Query: "key"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newKeyService(t)
			c := keyConnection(s)
			c.Credential = place
			p := mustOpen(t, c)
			g, err := p.Form.Submit(t.Context(), typed("api_key", goodKey))
			if err != nil {
				t.Fatal(err)
			}
			want := Identity{Issuer: s.URL, Subject: "4711", Name: "Ada Lovelace"}
			if diff := cmp.Diff(want, g.Identity); diff != "" || g.Credential.AccessToken.Reveal() != goodKey {
				t.Errorf("-want +got:\n%s", diff)
			}
			if again, err := p.Identifier.Identify(t.Context(), g.Credential); err != nil || again.Subject != "4711" {
				t.Errorf("identified as %v, %v", again, err)
			}
		})
	}
}

// TestNoKey: what can't stand in a header is not sent.
func TestNoKey(t *testing.T) {
	s := newKeyService(t)
	c := keyConnection(s)
	c.Fields[0].Pattern = ""
	p := mustOpen(t, c)
	for _, key := range []string{"", "two words", "ключ"} {
		if _, err := p.Form.Submit(t.Context(), typed("api_key", key)); !errors.Is(err, ErrInvalidGrant) || len(s.seen) != 0 {
			t.Errorf("%q: got %v, and %d requests", key, err, len(s.seen))
		}
	}
}

func TestBasic(t *testing.T) {
	s := newKeyService(t)
	p := mustOpen(t, basicConnection(s))
	g, err := p.Form.Submit(t.Context(), typed("email", "ada@example.com", "api_token", goodKey))
	if err != nil || g.Identity.Subject != "4711" {
		t.Fatalf("got %v, %v", g.Identity, err)
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	p.Applier.Apply(r, g.Credential)
	if user, password, _ := r.BasicAuth(); user != "ada@example.com/token" || password != goodKey {
		t.Errorf("calls have %q and %q", user, password)
	}
	before := len(s.seen)
	if _, err := p.Form.Submit(t.Context(), typed("email", "ada:x", "api_token", goodKey)); !errors.Is(err, ErrInvalidGrant) || len(s.seen) != before {
		t.Errorf("a colon in the user name: %v", err)
	}
	// What is typed is not read as a template.
	if _, err := p.Form.Submit(t.Context(), typed("email", "{api_token}", "api_token", goodKey)); !errors.Is(err, ErrInvalidGrant) {
		t.Errorf("a placeholder typed: %v", err)
	}
	if last := s.seen[len(s.seen)-1]; !strings.HasSuffix(last, base64.StdEncoding.EncodeToString([]byte("{api_token}/token:"+goodKey))) {
		t.Errorf("the service has seen %q", last)
	}
}

// TestVerifyAlone: where the service says nothing about the account, the key's fingerprint is its id.
func TestVerifyAlone(t *testing.T) {
	s := newKeyService(t)
	c := keyConnection(s)
	c.Identity, c.Verify = IdentityPaths{}, VerifyURL{URL: s.URL + "/ping"}
	p := mustOpen(t, c)
	if p.Identifier != nil {
		t.Error("an Identifier without an address")
	}
	one, err := p.Form.Submit(t.Context(), typed("api_key", goodKey))
	if err != nil {
		t.Fatal(err)
	}
	again, _ := p.Form.Submit(t.Context(), typed("api_key", goodKey))
	other, _ := p.Form.Submit(t.Context(), typed("api_key", goodKey+"-two"))
	if one.Identity.Subject != again.Identity.Subject || one.Identity.Subject == other.Identity.Subject || !strings.HasPrefix(one.Identity.Subject, "key-") {
		t.Errorf("ids %q, %q, %q", one.Identity.Subject, again.Identity.Subject, other.Identity.Subject)
	}
	if strings.Contains(one.Identity.Subject, goodKey) {
		t.Error("the id has the key in it")
	}
}

// TestFormRefusals: what the service does not take is the user's mistake, and weather is nobody's.
func TestFormRefusals(t *testing.T) {
	answer := func(status int) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(status); return true }
	}
	for _, open := range []func(*keyService) Connection{keyConnection, basicConnection, passwordConnection} {
		s := newKeyService(t)
		c := open(s)
		p := mustOpen(t, c)
		values := typed("api_key", "key-wrong", "email", "x@example.com", "api_token", "hunter2hunter2", "username", "ada", "password", "hunter2hunter2")
		for status, want := range map[int]error{401: ErrInvalidGrant, 403: ErrInvalidGrant, 404: nil, 429: ErrUnavailable, 500: ErrUnavailable, 302: ErrUnavailable} {
			s.say = answer(status)
			_, err := p.Form.Submit(t.Context(), values)
			if err == nil || want != nil && !errors.Is(err, want) || want == nil && errors.Is(err, ErrInvalidGrant) {
				t.Errorf("%s, %d: got %v, want %v", c.Provider, status, err, want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s, %d: the error repeats what was typed: %v", c.Provider, status, err)
			}
			p = mustOpen(t, c) // with another breaker
		}
	}
}

// TestPassword: the password is in one request and in nothing that is kept.
func TestPassword(t *testing.T) {
	s := newKeyService(t)
	p := mustOpen(t, passwordConnection(s))
	g, err := p.Form.Submit(t.Context(), typed("username", "ada", "password", "correct horse "))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(url.Values{"user": {"ada"}, "secret": {"correct horse "}, "fixed": {"yes"}}, s.login); diff != "" {
		t.Errorf("login (-want +got):\n%s", diff)
	}
	kept, _ := g.Marshal()
	if strings.Contains(string(kept), "correct horse") || g.Identity.Subject != "1234" {
		t.Errorf("kept: %s", kept)
	}
	if !g.Credential.ExpiresAt.Equal(time.Unix(1900000000, 0)) || g.Credential.RefreshToken.Reveal() != "refresh-1" {
		t.Errorf("got %+v", g.Credential)
	}
	r, err := p.Refresher.Refresh(t.Context(), g.Credential, time.Time{})
	if err != nil || r.Credential.AccessToken.Reveal() != "access-2" || r.Credential.RefreshToken.Reveal() != "refresh-2" || !r.Credential.ExpiresAt.Equal(time.Unix(1900000060, 0)) {
		t.Errorf("refreshed to %+v, %v", r, err)
	}
	if _, err := p.Refresher.Refresh(t.Context(), r.Credential, time.Time{}); !errors.Is(err, ErrInvalidGrant) { // 401
		t.Errorf("an ended refresh token: %v", err)
	}
	s.say = func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(403); return true }
	if _, err := p.Refresher.Refresh(t.Context(), r.Credential, time.Time{}); errors.Is(err, ErrInvalidGrant) || err == nil {
		t.Errorf("a firewall: %v", err)
	}
}

// TestCheckFields: what can be seen without asking the service.
func TestCheckFields(t *testing.T) {
	c := Connection{
		Fields: []Field{{Key: "region", Pattern: "eu|us"}, {Key: "shop"}, {Key: "server"}, {Key: "key", Secret: true}},
		Login:  Exchange{URL: "https://{shop}.example.com/{region}"}, Verify: VerifyURL{URL: "https://{server}/me"},
	}
	good := []string{"region", " eu ", "shop", "acme", "server", "git.acme.example:8443", "key", " blanks "}
	values, mistakes := c.CheckFields(typed(good...))
	if len(mistakes) > 0 || values["region"].Reveal() != "eu" || values["key"].Reveal() != " blanks " {
		t.Errorf("got %v, %v", values["region"].Reveal(), mistakes)
	}
	if diff := cmp.Diff(map[string]string{"region": "eu", "shop": "acme", "server": "git.acme.example:8443"}, c.Settings(values)); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	for _, bad := range [][2]string{
		{"region", "euro"}, {"region", "eu\nus"}, {"shop", "a.b"}, {"shop", "a/b"}, {"shop", "a@b"}, {"shop", "-a"}, {"shop", "ä"},
		{"server", "a/b"}, {"server", "a@b"}, {"server", "a?b"}, {"server", "127.1"}, {"server", "a:b"}, {"key", "a\x00b"}, {"key", strings.Repeat("k", maxFieldValue+1)},
	} {
		all := typed(good...)
		all[bad[0]] = secret.New(bad[1])
		if _, mistakes := c.CheckFields(all); !errors.Is(mistakes[bad[0]], ErrFieldMalformed) || len(mistakes) != 1 {
			t.Errorf("%s %q: got %v", bad[0], bad[1], mistakes)
		}
	}
	if _, mistakes := c.CheckFields(nil); len(mistakes) != 4 || !errors.Is(mistakes["key"], ErrFieldMissing) {
		t.Errorf("nothing typed: %v", mistakes)
	}
}

// TestCustomers: each customer's URLs are its own, from the form on, and go with the account.
func TestCustomers(t *testing.T) {
	s := newKeyService(t)
	c := passwordConnection(s)
	c.Fields = append(c.Fields, Field{Key: "tenant", Label: "Tenant"})
	c.Login.URL, c.Refresh.URL = s.URL+"/{tenant}/login", s.URL+"/{tenant}/refresh"
	p := mustOpen(t, c)
	for _, tenant := range []string{"acme", "globex"} {
		g, err := p.Form.Submit(t.Context(), typed("username", "ada", "password", "correct horse ", "tenant", tenant))
		if err != nil {
			t.Fatal(err)
		}
		data, _ := g.Credential.Marshal()
		kept, err := UnmarshalCredential(data)
		if err != nil || kept.Settings["tenant"] != tenant || g.Identity.Settings["tenant"] != tenant || len(kept.Settings) != 1 {
			t.Errorf("kept %v, %v", kept.Settings, g.Identity.Settings)
		}
		r, err := p.Refresher.Refresh(t.Context(), kept, time.Time{})
		if err != nil || r.Credential.Settings["tenant"] != tenant {
			t.Errorf("refreshed to %v, %v", r.Credential.Settings, err)
		}
		if last := s.seen[len(s.seen)-1]; !strings.HasPrefix(last, "/"+tenant+"/refresh") {
			t.Errorf("asked at %s", last)
		}
	}
	before := len(s.seen)
	if _, err := p.Form.Submit(t.Context(), typed("username", "ada", "password", "x", "tenant", "../other")); err == nil || len(s.seen) != before {
		t.Errorf("a tenant that leads elsewhere: %v", err)
	}
	if _, err := p.Refresher.Refresh(t.Context(), Credential{RefreshToken: secret.New("r")}, time.Time{}); err == nil || len(s.seen) != before {
		t.Errorf("an account without its tenant: %v", err)
	}
}

// TestFormProblems: a mistake in what is asked, or in where it goes, is named at its key.
func TestFormProblems(t *testing.T) {
	s := &keyService{Server: &httptest.Server{URL: "https://service.example"}}
	for name, test := range map[string]struct {
		from   func(*keyService) Connection
		change func(*Connection)
		want   string
	}{
		"no fields":            {keyConnection, func(c *Connection) { c.Fields = nil }, "fields"},
		"no secret":            {keyConnection, func(c *Connection) { c.Fields[0].Secret = false }, "fields"},
		"no label":             {keyConnection, func(c *Connection) { c.Fields[0].Label = "" }, "fields.0.label"},
		"bad key":              {keyConnection, func(c *Connection) { c.Fields[0].Key = "API-Key" }, "fields.0.key"},
		"bad pattern":          {keyConnection, func(c *Connection) { c.Fields[0].Pattern = "(" }, "fields.0.pattern"},
		"bad link":             {keyConnection, func(c *Connection) { c.Fields[0].Link = "http://x.example" }, "fields.0.link"},
		"example misfits":      {basicConnection, func(c *Connection) { c.Fields[0].Pattern, c.Fields[0].Example = "a+", "b" }, "fields.0.example"},
		"twice":                {basicConnection, func(c *Connection) { c.Fields = append(c.Fields, c.Fields[0]) }, "fields.2.key"},
		"nowhere to verify":    {keyConnection, func(c *Connection) { c.Identity = IdentityPaths{} }, "verify.url"},
		"no id":                {keyConnection, func(c *Connection) { c.Identity.ID = "" }, "identity.id"},
		"a client":             {keyConnection, func(c *Connection) { c.ClientID = "x" }, "client_id"},
		"basic of unknown":     {basicConnection, func(c *Connection) { c.Credential.Username = "{mail}" }, "credential.username"},
		"basic of nothing":     {basicConnection, func(c *Connection) { c.Credential = CredentialPlace{} }, "credential.username"},
		"secret in the URL":    {keyConnection, func(c *Connection) { c.Identity.URL = "https://x.example/{api_key}" }, "identity.url"},
		"unknown placeholder":  {keyConnection, func(c *Connection) { c.Identity.URL = "https://x.example/{other}" }, "identity.url"},
		"domain of the user's": {basicConnection, func(c *Connection) { c.Identity.URL = "https://{email}.com/" }, "identity.url"},
		"no login":             {passwordConnection, func(c *Connection) { c.Login = Exchange{} }, "login.url"},
		"login of unknown":     {passwordConnection, func(c *Connection) { c.Login.Params["user"] = "{x}" }, "login.params.user"},
		"no token":             {passwordConnection, func(c *Connection) { c.Paths.AccessToken = "" }, "paths.access_token"},
		"no external id":       {passwordConnection, func(c *Connection) { c.Paths.ExternalID = "" }, "paths.external_id"},
		"two expiries":         {passwordConnection, func(c *Connection) { c.Paths.ExpiresIn = "x" }, "paths.expires_in"},
		"refresh without":      {passwordConnection, func(c *Connection) { c.Refresh.Params["refresh_token"] = "x" }, "refresh.params"},
		"id that is secret": {keyConnection, func(c *Connection) {
			c.Verify.URL, c.Identity = "https://x.example/", IdentityPaths{ID: "{api_key}"}
		}, "identity.id"},
	} {
		t.Run(name, func(t *testing.T) {
			c := test.from(s)
			if problems := c.Problems(); len(problems) > 0 {
				t.Fatal(problems)
			}
			test.change(&c)
			problems := c.Problems()
			if len(problems) == 0 || problems[0].Key != test.want && problems[len(problems)-1].Key != test.want || problems[0].Remedy == "" {
				t.Errorf("got %v, want one at %s", problems, test.want)
			}
		})
	}
	c := Connection{
		AuthID: "x", Provider: "oauth2", Name: "X", ClientID: "id", ClientSecret: secret.New("s"), Fields: []Field{{Key: "server", Label: "Server"}},
		AuthorizeURL: "https://{server}/a", TokenURL: "https://{server}/t", Identity: IdentityPaths{URL: "https://{server}/me", ID: "id"},
	}
	if problems := c.Problems(); len(problems) == 0 || !strings.Contains(problems[0].Text, "client secret would be sent there") {
		t.Errorf("a host of the user's that gets the client secret: %v", problems)
	}
	c.AuthStyle, c.ClientSecret = AuthNone, secret.Text{}
	if problems := c.Problems(); len(problems) > 0 {
		t.Errorf("a public client: %v", problems)
	}
}
