package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"linkgate/config"
	"linkgate/provider"
	"linkgate/secret"
)

const (
	tripSecret = "the-proxy-secret-of-this-test"
	tripCalls  = 200
)

// TestCallsCostNoRoundTrip: a call with a fresh credential asks neither Redis nor SQL, from the
// public listener's handler to the service.
func TestCallsCostNoRoundTrip(t *testing.T) {
	service := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer the-access-token" {
			w.WriteHeader(http.StatusUnauthorized)
		}
		_, _ = io.WriteString(w, "hello")
	})
	a := newTestApp(t, service)
	g := provider.Grant{
		Credential: provider.Credential{AccessToken: secret.New("the-access-token"), IssuedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour)},
		Identity:   provider.Identity{Issuer: service, Subject: "ada"},
	}
	if _, _, err := a.accounts.Link(t.Context(), "user-1", "notes", g); err != nil {
		t.Fatal(err)
	}
	var redisTrips, sqlTrips atomic.Int64
	a.redis.AddHook(tripCounter{&redisTrips})
	a.database.DB = countSQL(t, a, &sqlTrips)

	public := serve(t, a.public.Handler.ServeHTTP)
	call := func() {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, public+"/call/notes/thing", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("blink-auth-proxysecret", tripSecret)
		r.Header.Set("blink-auth-userid", "user-1")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if body, err := io.ReadAll(answer.Body); answer.StatusCode != http.StatusOK || err != nil {
			t.Fatalf("got %d %s, %v", answer.StatusCode, body, err)
		}
	}
	call()
	if sqlTrips.Load() == 0 {
		t.Fatal("the first call reads the account, and that was not counted")
	}
	if err := a.redis.Ping(t.Context()).Err(); err != nil || redisTrips.Load() == 0 {
		t.Fatalf("a ping is counted %d times (%v)", redisTrips.Load(), err)
	}
	before, redisBefore := sqlTrips.Load(), redisTrips.Load()
	for range tripCalls {
		call()
	}
	// The credential is read again when its time in the cache is over, whatever the number of calls:
	// once in 5 s, by two queries.
	const rereads = 2 * 2
	if got := sqlTrips.Load() - before; got > rereads {
		t.Errorf("%d calls made %d round trips to SQL", tripCalls, got)
	}
	if got := redisTrips.Load() - redisBefore; got != 0 {
		t.Errorf("%d calls made %d round trips to Redis", tripCalls, got)
	}
}

// newTestApp wires Linkgate as serve does, with one connection, and starts nothing in the background.
func newTestApp(t *testing.T, service string) *app {
	t.Helper()
	connections := fmt.Sprintf(`connections:
  - {auth_id: notes, provider: oauth2, name: Notes, client_id: c, client_secret: a-client-secret,
     authorize_url: %[1]s/authorize, token_url: %[1]s/token, identity: {url: %[1]s/me, id: id},
     calls: {base_url: %[1]s, allow: ["GET /thing"]}}
`, service)
	c, err := config.Load(config.Source{
		Environ: map[string]string{
			"ADDR": "127.0.0.1:0", "OPERATOR_ADDR": "127.0.0.1:0", "PUBLIC_URL": "https://connect.example.com", "DATA_DIR": t.TempDir(),
			"HOST_API_KEY": hostKey, "HOST_PROXY_SECRET": tripSecret, "ALLOW_PRIVATE_NETWORKS": "true", "CALL_RATE": "100000",
		},
		ReadFile: func(string) ([]byte, error) { return []byte(connections), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	a, err := newApp(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.close)
	return a
}

// tripCounter counts what is sent to Redis.
type tripCounter struct{ trips *atomic.Int64 }

// DialHook counts nothing.
func (tripCounter) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

// ProcessHook counts a command.
func (c tripCounter) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		c.trips.Add(1)
		return next(ctx, cmd)
	}
}

// ProcessPipelineHook counts a pipeline.
func (c tripCounter) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		c.trips.Add(1)
		return next(ctx, cmds)
	}
}

// countSQL opens the app's database once more, so that each use of a connection is counted.
func countSQL(t *testing.T, a *app, trips *atomic.Int64) *sql.DB {
	t.Helper()
	var path string
	if err := a.database.QueryRowContext(t.Context(), "SELECT file FROM pragma_database_list WHERE name = 'main'").Scan(&path); err != nil {
		t.Fatal(err)
	}
	old := a.database.DB
	counted := sql.OpenDB(connector{old.Driver(), path, trips})
	t.Cleanup(func() { old.Close() })
	return counted
}

// connector opens connections that are counted each time that database/sql takes one up.
type connector struct {
	driver driver.Driver
	path   string
	trips  *atomic.Int64
}

// Connect implements driver.Connector.
func (c connector) Connect(context.Context) (driver.Conn, error) {
	conn, err := c.driver.Open(c.path)
	return countedConn{conn, c.trips}, err
}

// Driver implements driver.Connector.
func (c connector) Driver() driver.Driver { return c.driver }

// countedConn shows database/sql no more than driver.Conn, so that every statement is prepared and
// every transaction begun here.
type countedConn struct {
	driver.Conn
	trips *atomic.Int64
}

// Prepare implements driver.Conn.
func (c countedConn) Prepare(query string) (driver.Stmt, error) {
	c.trips.Add(1)
	return c.Conn.Prepare(query)
}

// Begin implements driver.Conn.
func (c countedConn) Begin() (driver.Tx, error) {
	c.trips.Add(1)
	return c.Conn.Begin() //nolint:staticcheck // what database/sql calls on a conn that has no BeginTx
}
