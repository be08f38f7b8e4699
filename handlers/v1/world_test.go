package v1_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"linkgate/apikey"
	"linkgate/call"
	"linkgate/connect"
	"linkgate/database"
	"linkgate/demo"
	"linkgate/event"
	"linkgate/handlers"
	v1 "linkgate/handlers/v1"
	"linkgate/host"
	"linkgate/idempotency"
	"linkgate/linkedaccount"
	"linkgate/oauthstate"
	"linkgate/outbox"
	"linkgate/provider"
	"linkgate/secret"
	"linkgate/templates"
)

// vault is a connection with a key.
const vault = "vault"

// world is the accounts API on real stores, between a simulated host and a simulated service.
type world struct {
	t       *testing.T
	url     string
	api     *v1.API
	connect *watched
	host    *demo.Host
	keys    *apikey.Store
	limit   *limit
	db      *database.DB
	redis   *oauthstate.Embedded
	server  *handlers.Server
	log     *logBuffer

	key string // with every scope
}

// watched counts who waits, and panics when told to.
type watched struct {
	*connect.Service
	waiting atomic.Int64
	panic   atomic.Pointer[string]
}

func (w *watched) AwaitSession(ctx context.Context, id string, wait time.Duration) (connect.SessionStatus, error) {
	w.waiting.Add(1)
	defer w.waiting.Add(-1)
	return w.Service.AwaitSession(ctx, id, wait)
}

func (w *watched) AwaitSessionChange(ctx context.Context, id string, last connect.State, wait time.Duration) (connect.SessionStatus, error) {
	w.waiting.Add(1)
	defer w.waiting.Add(-1)
	return w.Service.AwaitSessionChange(ctx, id, last, wait)
}

func (w *watched) Test(ctx context.Context, id string) (connect.TestReport, error) {
	if text := w.panic.Load(); text != nil {
		panic(*text)
	}
	return w.Service.Test(ctx, id)
}

// limit bounds one key.
type limit struct{ id atomic.Pointer[string] }

func (l *limit) Allow(id string) (bool, error) {
	over := l.id.Load()
	return over == nil || *over != id, nil
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, host: demo.NewHost(demo.HostOptions{}), limit: &limit{}, log: &logBuffer{}}
	log := slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var err error
	if w.redis, err = oauthstate.StartEmbedded(); err != nil {
		t.Fatal(err)
	}
	if w.db, err = database.Open(t.Context(), database.Options{DataDir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	w.keys = &apikey.Store{DB: w.db, Limit: w.limit, Log: log}
	w.wire(log)
	t.Cleanup(func() {
		w.connect.Outbox.Wait()
		w.keys.Wait()
		w.db.Close()
		w.redis.Close()
	})
	w.key = w.newKey(apikey.AllScopes()...)
	return w
}

// wire does what package main does.
func (w *world) wire(log *slog.Logger) {
	t, keyring := w.t, newKeyring(w.t)
	connections := map[string]*provider.Provider{vault: vaultAt(t, serve(t, &demo.Vault{}))}
	events := &event.Log{DB: w.db}
	accounts := &linkedaccount.Store{DB: w.db, Keyring: keyring, EventLog: events, Schedule: linkedaccount.ScheduleOf(connections)}
	box := &outbox.Box{DB: w.db, Log: log}
	tokens := linkedaccount.NewTokens(linkedaccount.TokensOptions{Store: accounts, Connections: connections, Redis: w.redis.Client, Log: log})
	w.connect = &watched{Service: &connect.Service{
		PublicURL: "https://linkgate.test", Connections: connections, Sessions: &oauthstate.Store{Redis: w.redis.Client},
		Accounts: accounts, Outbox: box, Keyring: keyring, Log: log, Tokens: tokens,
		Host:  host.New(host.Options{BaseURL: serve(t, w.host), APIKey: w.host.APIKey(), Log: log}),
		Limit: w.limit, RemovalLimit: w.limit,
	}}
	box.Handlers = w.connect.Promises()
	calls, err := call.New(call.Options{Tokens: tokens, Connections: connections, AllowPrivateNetworks: true, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	pages, err := templates.New()
	if err != nil {
		t.Fatal(err)
	}
	w.api = &v1.API{
		Keys: w.keys, Once: &idempotency.Store{Redis: w.redis.Client, Keyring: keyring}, Accounts: accounts, Connect: w.connect,
		Calls: calls, Events: events, Order: []string{vault}, Connections: connections, PublicURL: "https://linkgate.test", Log: log,
	}
	w.server = &handlers.Server{
		Connect: w.connect.Service, Calls: calls, API: w.api, Pages: pages, PublicURL: "https://linkgate.test",
		ProxySecrets: []secret.Text{w.host.ProxySecret()}, Log: log, Metrics: prometheus.NewRegistry(),
	}
	public, err := w.server.Public()
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := handlers.HTTPServer("", public, log)
	go func() { _ = server.Serve(listener) }() // until it is closed
	t.Cleanup(func() { server.Close() })
	w.url = "http://" + listener.Addr().String()
}

func vaultAt(t *testing.T, address string) *provider.Provider {
	t.Helper()
	p, err := provider.New(provider.Connection{
		AuthID: vault, Provider: "api_key", Name: "Acme Vault", Credential: provider.CredentialPlace{Header: "X-Api-Key"},
		Fields:   []provider.Field{{Key: "api_key", Label: "API key", Secret: true}},
		Identity: provider.IdentityPaths{URL: address + "/api/me", ID: "account.id", Name: "account.display_name"},
		Calls:    provider.CallRules{BaseURL: address, Allow: []string{"GET /api/me"}},
	}, provider.Deps{AllowPrivateNetworks: true})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func newKeyring(t *testing.T) *secret.Keyring {
	t.Helper()
	keyset, err := secret.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	keyring, err := secret.OpenKeyring(keyset)
	if err != nil {
		t.Fatal(err)
	}
	return keyring
}

func serve(t *testing.T, h http.Handler) string {
	server := httptest.NewServer(h)
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return server.URL
}

// newKey makes an API key.
func (w *world) newKey(scopes ...apikey.Scope) string {
	w.t.Helper()
	_, key, err := w.keys.New(w.t.Context(), "a back end", scopes)
	if err != nil {
		w.t.Fatal(err)
	}
	return key.Reveal()
}

// got is an answer.
type got struct {
	status int
	header http.Header
	body   string
}

// text is a member of the answer's object, or of an object in it.
func (g got) text(t *testing.T, path ...string) string {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(g.body), &value); err != nil {
		t.Fatalf("%d and no JSON: %v: %s", g.status, err, g.body)
	}
	for _, name := range path {
		object, _ := value.(map[string]any)
		value = object[name]
	}
	text, _ := value.(string)
	return text
}

// ask sends a request with the key that has every scope, unless headers (names and values) say else.
func (w *world) ask(method, path, body string, headers ...string) got {
	w.t.Helper()
	answer, err := w.send(w.t.Context(), method, path, strings.NewReader(body), headers...)
	if err != nil {
		w.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return got{answer.StatusCode, answer.Header, string(text)}
}

func (w *world) send(ctx context.Context, method, path string, body io.Reader, headers ...string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, w.url+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+w.key)
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return http.DefaultClient.Do(req)
}

// wants asks, and checks the status and, of a problem, its type.
func (w *world) wants(status int, problem, method, path, body string, headers ...string) got {
	w.t.Helper()
	g := w.ask(method, path, body, headers...)
	slug := ""
	if g.header.Get("Content-Type") == "application/problem+json" {
		slug = strings.TrimPrefix(g.text(w.t, "type"), "/docs#")
	}
	if g.status != status || slug != problem {
		w.t.Errorf("%s %.80s: got %d %s, want %d %s: %.300s", method, path, g.status, slug, status, problem, g.body)
	}
	return g
}

// importing is the body that imports an account of u_ada's that nobody has to be asked about.
func importing(subject string) string {
	return `{"user_id":"u_ada","auth_id":"vault","credential":{"fields":{"api_key":"vault-` + subject + `"}},"profile":{"external_account_id":"` + subject + `"}}`
}

const unasked = "/v1/accounts?request_profile=false"

// imported is a new account's id.
func (w *world) imported(subject string) string {
	w.t.Helper()
	return w.wants(http.StatusCreated, "", "POST", unasked, importing(subject)).text(w.t, "id")
}

// eventually waits for something that happens soon, by itself: sooner than the longest wait ends.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still not so after half a minute: %s", what)
		}
	}
}
