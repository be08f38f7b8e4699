package registration_test

import (
	"context"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"linkgate/database"
	"linkgate/database/databasetest"
	"linkgate/demo"
	"linkgate/provider"
	"linkgate/registration"
	"linkgate/secret"
	"linkgate/testservers"
)

const authID = "7f3c"

// world is a database, a Redis and a service where clients are registered.
type world struct {
	t       *testing.T
	db      *database.DB
	keyring *secret.Keyring
	redis   redis.UniversalClient
	conn    provider.Connection
	public  string // PUBLIC_URL

	mu     sync.Mutex
	events []string // of the audit trail
	now    time.Time
}

func newWorld(t *testing.T, db *database.DB, c provider.Connection) *world {
	t.Helper()
	keyset, err := secret.NewKeyset()
	check(t, err)
	keyring, err := secret.OpenKeyring(keyset)
	check(t, err)
	options, err := redis.ParseURL(testservers.Redis(t))
	check(t, err)
	client := redis.NewClient(options)
	t.Cleanup(func() { client.Close() })
	c.AuthID, c.Name, c.Provider = authID, "Service", "oauth2"
	c.AuthorizeURL, c.TokenURL = "https://as.example.com/authorize", "https://as.example.com/token"
	c.Identity = provider.IdentityPaths{URL: "https://as.example.com/me", ID: "id"}
	c.Scopes = []string{"read", "write"}
	return &world{t: t, db: db, keyring: keyring, redis: client, conn: c, public: "https://one.example.com", now: time.Now().Truncate(time.Second)}
}

// manager is one replica. It does nothing by itself until it runs.
func (w *world) manager() *registration.Manager {
	if p := w.conn.Problems(); len(p) > 0 {
		w.t.Fatal(p[0])
	}
	public := w.public
	return registration.New(registration.Options{
		DB: w.db, Keyring: w.keyring, Redis: w.redis, Connections: []provider.Connection{w.conn},
		Deps:        provider.Deps{AllowPrivateNetworks: true},
		RedirectURI: func(id string) string { return public + "/callback/" + id },
		Audit: func(_ context.Context, name, id, detail string) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.events = append(w.events, name)
		},
		Now: w.time,
	})
}

func (w *world) time() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) audited() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.events)
}

// run has a manager work in the background until the test ends.
func (w *world) run(m *registration.Manager) *registration.Manager {
	ctx, cancel := context.WithCancel(w.t.Context())
	var done sync.WaitGroup
	done.Go(func() { m.Run(ctx) })
	w.t.Cleanup(func() { cancel(); done.Wait() })
	return m
}

func (w *world) client(m *registration.Manager) provider.Client {
	w.t.Helper()
	c, err := m.Client(authID)(w.t.Context())
	check(w.t, err)
	return c
}

// standard is a world with an RFC 7591 server.
func standard(t *testing.T, db *database.DB, change func(*demo.RegistrarOptions)) (*world, *demo.Registrar) {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	o := demo.RegistrarOptions{URL: "http://" + server.Listener.Addr().String(), InitialToken: secret.New("initial-token-5Yk")}
	w := newWorld(t, db, provider.Connection{Registration: provider.Registration{
		URL: o.URL + "/register", InitialAccessToken: o.InitialToken, Metadata: map[string]string{"client_name": "Our app", "contacts": "a@example.com, b@example.com"},
	}})
	o.Now = w.time
	if change != nil {
		change(&o)
	}
	g := demo.NewRegistrar(o)
	server.Config.Handler = g
	server.Start()
	t.Cleanup(server.Close)
	return w, g
}

// mixapp is a world with MixApp.
func mixapp(t *testing.T, db *database.DB) (*world, *demo.MixApp) {
	t.Helper()
	m := demo.NewMixApp(nil)
	server := httptest.NewServer(m)
	t.Cleanup(server.Close)
	w := newWorld(t, db, provider.Connection{Registration: provider.Registration{
		URL: server.URL + "/v1/oidc/acme/registration", InitialAccessToken: m.Token(), Dialect: provider.DialectMixApp,
		Metadata: map[string]string{"client_name": "Our app", "contacts": "a@example.com"},
	}})
	return w, m
}

func each(t *testing.T, test func(*testing.T, *database.DB)) {
	t.Helper()
	databasetest.Each(t, test)
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// until waits for something that happens elsewhere.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
