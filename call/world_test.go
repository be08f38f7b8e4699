package call

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log" //nolint:depguard // the type of http.Server.ErrorLog
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"linkgate/linkedaccount"
	"linkgate/provider"
	"linkgate/secret"
)

const (
	theAuthID = "svc"
	theUser   = "user-1"
	theToken  = "token-of-version-1"
	newToken  = "token-of-version-2"
)

// fakeTokens gives one account's credential.
type fakeTokens struct {
	mu       sync.Mutex
	account  *linkedaccount.Opened
	err      error
	rejected func(*linkedaccount.Opened) (*linkedaccount.Opened, error) // nil: gives the same
	asked    []string                                                   // what For was asked
	rejects  int
}

func newTokens() *fakeTokens {
	return &fakeTokens{account: opened(theToken, 1)}
}

func opened(token string, version int64) *linkedaccount.Opened {
	return &linkedaccount.Opened{
		Account: linkedaccount.Account{
			ID: "acc_1", HostUserID: theUser, AuthID: theAuthID, TokenVersion: version,
			Identity: provider.Identity{Subject: "subject-1", Settings: map[string]string{"shop": "one"}},
		},
		Credential: provider.Credential{AccessToken: secret.New(token)},
	}
}

func (f *fakeTokens) For(_ context.Context, hostUserID, authID, chosen string) (*linkedaccount.Opened, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, hostUserID+" "+authID+" "+chosen)
	return f.account, f.err
}

func (f *fakeTokens) Account(_ context.Context, id string) (linkedaccount.Account, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if id != f.account.ID {
		return linkedaccount.Account{}, linkedaccount.ErrNotFound
	}
	return f.account.Account, nil
}

func (f *fakeTokens) ByID(_ context.Context, id string) (*linkedaccount.Opened, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, id)
	return f.account, f.err
}

func (f *fakeTokens) ForComponent(ctx context.Context, hostUserID, authID, componentID string) (*linkedaccount.Opened, error) {
	return f.For(ctx, hostUserID, authID, "of "+componentID)
}

func (f *fakeTokens) Rejected(_ context.Context, o *linkedaccount.Opened) (*linkedaccount.Opened, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rejects++
	if f.rejected == nil {
		return o, nil
	}
	return f.rejected(o)
}

// world is a service, a Proxy before it, and a server before that, as in production.
type world struct {
	t       testing.TB
	service *httptest.Server
	tokens  *fakeTokens
	options Options
	proxy   *Proxy
	front   *httptest.Server
	errs    chan error // of Serve, in order
}

// newWorld starts a service and what is before it. change, which may be nil, sees the options and
// the connection first.
func newWorld(t testing.TB, service http.HandlerFunc, change func(*Options, *provider.Connection)) *world {
	t.Helper()
	upstream := httptest.NewUnstartedServer(service)
	upstream.Config.ErrorLog = quiet()
	upstream.Start()
	t.Cleanup(upstream.Close)
	return worldBefore(t, upstream, change)
}

func worldBefore(t testing.TB, service *httptest.Server, change func(*Options, *provider.Connection)) *world {
	t.Helper()
	w := &world{t: t, service: service, tokens: newTokens(), errs: make(chan error, 10_000)}
	w.options = Options{Tokens: w.tokens, AllowPrivateNetworks: true}
	c := connectionTo(service.URL)
	if change != nil {
		change(&w.options, &c)
	}
	p, err := provider.New(c, provider.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	w.options.Connections = map[string]*provider.Provider{theAuthID: p}
	if w.proxy, err = New(w.options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.transport().CloseIdleConnections)
	w.front = httptest.NewUnstartedServer(http.HandlerFunc(w.serve))
	w.front.Config.ErrorLog = quiet()
	return w
}

// start starts the server before the proxy.
func (w *world) start() *world {
	w.front.Start()
	w.t.Cleanup(w.front.Close)
	return w
}

func connectionTo(base string) provider.Connection {
	return provider.Connection{
		AuthID: theAuthID, Provider: "oauth2", Name: "Service", ClientID: "id", ClientSecret: secret.New("client-secret"),
		AuthorizeURL: "https://service.example/authorize", TokenURL: "https://service.example/token",
		Identity: provider.IdentityPaths{URL: "https://service.example/me", ID: "id"},
		Calls:    provider.CallRules{BaseURL: base, Allow: []string{"* /**"}},
	}
}

func (w *world) connection() *connection { return w.proxy.connections[theAuthID] }

func (w *world) transport() *http.Transport { return w.connection().transport.(*http.Transport) }

const failed = 599 // what the server before the proxy answers to an error

func (w *world) serve(rw http.ResponseWriter, r *http.Request) {
	rw.Header().Set("X-Request-Id", "ours")
	err := w.proxy.Serve(rw, r, Target{HostUserID: theUser, AuthID: theAuthID, Path: r.URL.EscapedPath(), Account: r.Header.Get("Linkgate-Account")})
	w.errs <- err
	if err != nil {
		rw.WriteHeader(failed)
		fmt.Fprint(rw, err)
	}
}

// ask sends a request to the server before the proxy and reads the answer.
func (w *world) ask(method, path string, body io.Reader, headers ...string) (*http.Response, string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.front.URL+path, body)
	if err != nil {
		w.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	client := &http.Transport{DisableCompression: true}
	defer client.CloseIdleConnections()
	res, err := client.RoundTrip(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return res, string(text)
}

// err is what Serve has returned.
func (w *world) err() error {
	w.t.Helper()
	select {
	case err := <-w.errs:
		return err
	case <-time.After(10 * time.Second):
		w.t.Fatal("Serve does not return")
		return nil
	}
}

// want asks and compares status and error.
func (w *world) want(status int, kind error, method, path string, body string, headers ...string) (*http.Response, string) {
	w.t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	res, text := w.ask(method, path, reader, headers...)
	if err := w.err(); res.StatusCode != status || !errors.Is(err, kind) {
		w.t.Errorf("%s %s: got %d and %v, want %d and %v", method, path, res.StatusCode, err, status, kind)
	}
	return res, text
}

func quiet() *log.Logger { return slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) }
