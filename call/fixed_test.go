package call

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"linkgate/linkedaccount"
	"linkgate/provider"
)

// TestFixedHeaders: they are on every call, also on one that is repeated, whatever the caller sends
// under their names or in Connection.
func TestFixedHeaders(t *testing.T) {
	var got []string
	service := func(rw http.ResponseWriter, r *http.Request) {
		got = append(got, fmt.Sprintln(r.Header["Notion-Version"], r.Header["X-Shop"], r.Header["User-Agent"], r.Header["Authorization"]))
		if len(got) == 1 {
			rw.WriteHeader(http.StatusUnauthorized)
		}
	}
	w := newWorld(t, service, func(_ *Options, c *provider.Connection) {
		c.Identity.Settings = map[string]string{"shop": "shop.name"}
		c.Calls.Headers = map[string]string{"Notion-Version": "2025-09-03", "x-shop": "at {shop}/{external_account_id}", "User-Agent": "Staffroom (it@example.com)"}
	}).start()
	w.tokens.rejected = func(*linkedaccount.Opened) (*linkedaccount.Opened, error) { return opened(newToken, 2), nil }
	for _, headers := range [][]string{
		nil,
		{"Notion-Version", "2021-05-13", "Notion-Version", "2021-05-11", "X-Shop", "two", "User-Agent", "curl", "Connection", "Notion-Version, X-Shop"},
	} {
		w.want(200, nil, "GET", "/x", "", headers...)
	}
	if len(got) != 3 {
		t.Fatalf("%d requests, want 3: %q", len(got), got)
	}
	for i, token := range []string{theToken, newToken, theToken} {
		if want := fmt.Sprintln("[2025-09-03] [at one/subject-1] [Staffroom (it@example.com)] [Bearer " + token + "]"); got[i] != want {
			t.Errorf("request %d: got %swant %s", i, got[i], want)
		}
	}
}

// TestFixedHeadersInATrailer: some services read trailers as part of the header.
func TestFixedHeadersInATrailer(t *testing.T) {
	trailer := make(chan http.Header, 1)
	w := newWorld(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		trailer <- r.Trailer
	}, func(_ *Options, c *provider.Connection) { c.Calls.Headers = map[string]string{"X-Shop": "one"} }).start()
	req, err := http.NewRequestWithContext(t.Context(), "POST", w.front.URL+"/x", struct{ *strings.Reader }{strings.NewReader("body")})
	if err != nil {
		t.Fatal(err)
	}
	req.Trailer = http.Header{"X-Shop": {"two"}, "X-Sum": {"4"}}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if got := <-trailer; got.Get("X-Sum") != "4" || got.Get("X-Shop") != "" {
		t.Errorf("trailer: %v, want X-Sum alone", got)
	}
}

// TestFixedHeaderOfAnAccount that lacks the value, or has one that could end the header.
func TestFixedHeaderOfAnAccount(t *testing.T) {
	for _, value := range []string{"", "one\r\nX-Admin: yes", " one", "ünë"} {
		w := newWorld(t, func(http.ResponseWriter, *http.Request) { t.Errorf("%q was sent", value) }, func(_ *Options, c *provider.Connection) {
			c.Identity.Settings = map[string]string{"shop": "shop.name"}
			c.Calls.Headers = map[string]string{"X-Shop": "{shop}"}
		}).start()
		w.tokens.account.Identity.Settings["shop"] = value
		w.want(failed, ErrNoTarget, "GET", "/x", "")
	}
}

func TestHeaderProblems(t *testing.T) {
	for _, test := range []struct{ name, value, want string }{
		{"Notion-Version", "2025-09-03", ""},
		{"xero-tenant-id", "{tenant}", ""},
		{"X-Account", "{external_account_id}:{shop}", ""},
		{"Accept", "application/vnd.acme+json; version=3", ""},
		{"", "x", "name"}, {"X Y", "x", "name"}, {"X_Y", "x", "name"}, {"X:", "x", "name"}, {"Ünë", "x", "name"},
		{"Authorization", "x", "credential"}, {"authorization", "x", "credential"}, {"x-api-key", "x", "credential"},
		{"Cookie", "x", "sets itself"}, {"Host", "x", "sets itself"}, {"content-length", "1", "sets itself"}, {"Connection", "x", "sets itself"},
		{"Transfer-Encoding", "chunked", "sets itself"}, {"Upgrade", "x", "sets itself"}, {"TE", "trailers", "sets itself"}, {"Keep-Alive", "x", "sets itself"},
		{"Proxy-Authorization", "x", "sets itself"}, {"Linkgate-Account", "x", "sets itself"}, {"blink-auth-userid", "x", "sets itself"},
		{"X-HTTP-Method-Override", "DELETE", "sets itself"}, {"X-Forwarded-For", "127.0.0.1", "sets itself"},
		{"X-A", "", "value"}, {"X-A", "a\nb", "value"}, {"X-A", " a", "value"}, {"X-A", "ü", "value"},
		{"X-A", "{", "brace"}, {"X-A", "{a b}", "brace"}, {"X-A", "{nobody}", "no account has"}, {"X-A", "{key}", "no account has"},
	} {
		c := provider.Connection{
			Provider: "oauth2", Credential: provider.CredentialPlace{Header: "X-Api-Key"},
			Fields:   []provider.Field{{Key: "tenant"}, {Key: "key", Secret: true}},
			Identity: provider.IdentityPaths{Settings: map[string]string{"shop": "shop"}},
			Calls:    provider.CallRules{BaseURL: "https://a.example", Allow: []string{"GET /x"}, Headers: map[string]string{test.name: test.value}},
		}
		problems := Problems(c)
		switch {
		case test.want == "" && len(problems) > 0:
			t.Errorf("%s: %s: %v", test.name, test.value, problems)
		case test.want != "" && (len(problems) != 1 || !strings.Contains(problems[0].Text, test.want) || problems[0].Remedy == "" || problems[0].Key != "calls.headers."+test.name):
			t.Errorf("%s: %q: got %v, want %q", test.name, test.value, problems, test.want)
		}
	}
	checkKeys(t, provider.Connection{Calls: provider.CallRules{
		BaseURL: "https://a.example", Allow: []string{"GET /x"}, Headers: map[string]string{"X-A": "1", "x-a": "2"},
	}}, []string{"calls.headers.x-a"})
	checkKeys(t, provider.Connection{Calls: provider.CallRules{Headers: map[string]string{"X-A": "1"}}}, []string{"calls.base_url", "calls.allow"})
}
