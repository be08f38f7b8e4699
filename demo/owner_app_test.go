package demo_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"linkgate/appproxy"
	"linkgate/demo"
	"linkgate/linkedaccount"
	"linkgate/provider"
	"linkgate/secret"
)

// adasToken is all that there is: Ada's account at one of two connections.
type adasToken struct{}

func (adasToken) For(_ context.Context, hostUserID, authID, _ string) (*linkedaccount.Opened, error) {
	if hostUserID != "u_ada" || authID != demo.NotesOIDC {
		return nil, linkedaccount.ErrNotFound
	}
	return &linkedaccount.Opened{Credential: provider.Credential{AccessToken: secret.New("the-token-itself")}}, nil
}

// newApp starts an app behind the real proxy, which takes every request for Ada's.
func newApp(t *testing.T) (behind, direct *httptest.Server) {
	t.Helper()
	app := demo.NewOwnerApp()
	direct = httptest.NewServer(app)
	t.Cleanup(direct.Close)
	proxy, err := appproxy.New(appproxy.Options{
		URL: direct.URL, Secret: app.Secret(), Tokens: adasToken{}, Inject: []string{demo.NotesOIDC, demo.NotesOAuth2},
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	behind = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := proxy.Serve(w, r, "u_ada"); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(behind.Close)
	return behind, direct
}

// ask sends a request with these headers and returns status and body.
func ask(t *testing.T, method, address string, headers http.Header) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = headers
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

// The app and the real proxy agree on every header and on the signature.
func TestOwnerApp(t *testing.T) {
	behind, _ := newApp(t)
	status, body := ask(t, "PUT", behind.URL+"/any//path%2Fx?y=1", http.Header{"User-Agent": {"test"}, "Accept-Encoding": {"identity"}})
	var got demo.Arrived
	if err := json.Unmarshal([]byte(body), &got); err != nil || status != 200 {
		t.Fatalf("got %d %s", status, body)
	}
	got.Headers = nil
	want := demo.Arrived{
		Method: "PUT", Target: "/any//path%2Fx?y=1", User: "u_ada",
		Tokens: []demo.ArrivedToken{
			{AuthID: "notes-oauth2", Token: "absent", Error: "not_connected"},
			{AuthID: "notes", Token: "present d35e8959"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("arrived (-want +got):\n%s", diff)
	}
	status, body = ask(t, "GET", behind.URL+"/hello", nil)
	if status != 200 || strings.Contains(body, "the-token-itself") {
		t.Errorf("the page = %d, %s; want 200 without the token itself", status, body)
	}
	for _, want := range []string{"Hello, <span dir=\"auto\">u_ada</span>", "present d35e8959", "none: not_connected", "Webhook-Signature"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if status, _ := ask(t, "GET", behind.URL+"/hello.css", nil); status != 200 {
		t.Errorf("the style = %d, want 200", status)
	}
}

// Who comes past Linkgate is refused, whatever they say.
func TestOwnerAppRefusesStrangers(t *testing.T) {
	behind, direct := newApp(t)
	_, body := ask(t, "GET", behind.URL+"/hello", nil)
	if !strings.Contains(body, "u_ada") {
		t.Fatal("the app refuses Linkgate")
	}
	for name, headers := range map[string]http.Header{
		"nothing":         nil,
		"a user":          {"Linkgate-User-Id": {"u_ada"}},
		"two users":       {"Linkgate-User-Id": {"u_ada", "u_grace"}},
		"a made-up proof": {"Linkgate-User-Id": {"u_ada"}, "Webhook-Id": {"msg_1"}, "Webhook-Timestamp": {"1"}, "Webhook-Signature": {"v1,AAAA"}},
	} {
		for _, path := range []string{"/hello", "/any"} {
			if status, body := ask(t, "GET", direct.URL+path, headers); status != http.StatusUnauthorized || strings.Contains(body, "u_ada") {
				t.Errorf("%s with %s = %d, want 401", path, name, status)
			}
		}
	}
}

// A signature is for one request: another method, address, user or token does not go with it.
func TestOwnerAppRefusesAlteredRequests(t *testing.T) {
	var signed http.Header
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { signed = r.Header.Clone() }))
	defer thief.Close()
	app := demo.NewOwnerApp()
	direct := httptest.NewServer(app)
	defer direct.Close()
	proxy, err := appproxy.New(appproxy.Options{
		URL: thief.URL, Secret: app.Secret(), Tokens: adasToken{}, Inject: []string{demo.NotesOIDC}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := proxy.Serve(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/a?b=1", nil), "u_ada"); err != nil {
		t.Fatal(err)
	}
	if status, body := ask(t, "GET", direct.URL+"/a?b=1", signed); status != 200 {
		t.Fatalf("the request as it was signed = %d %s", status, body)
	}
	with := func(name string, values ...string) http.Header {
		h := signed.Clone()
		h[name] = values
		return h
	}
	for name, tt := range map[string]struct {
		method, target string
		headers        http.Header
	}{
		"another method":     {"POST", "/a?b=1", signed},
		"another path":       {"GET", "/b?b=1", signed},
		"another query":      {"GET", "/a?b=2", signed},
		"another user":       {"GET", "/a?b=1", with("Linkgate-User-Id", "u_grace")},
		"one user more":      {"GET", "/a?b=1", with("Linkgate-User-Id", "u_ada", "u_grace")},
		"another token":      {"GET", "/a?b=1", with("Linkgate-Token-Notes", "guess")},
		"one token more":     {"GET", "/a?b=1", with("Linkgate-Token-Other", "guess")},
		"a token's error":    {"GET", "/a?b=1", with("Linkgate-Token-Error-Other", "not_connected")},
		"another moment":     {"GET", "/a?b=1", with("Webhook-Timestamp", "1700000000")},
		"another message id": {"GET", "/a?b=1", with("Webhook-Id", "msg_2")},
	} {
		if status, _ := ask(t, tt.method, direct.URL+tt.target, tt.headers); status != http.StatusUnauthorized {
			t.Errorf("%s = %d, want 401", name, status)
		}
	}
}
