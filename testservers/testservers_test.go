package testservers

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// patience is for what must happen; impatience for what must not, so it only bounds a wait.
const (
	patience   = 10 * time.Second
	impatience = 150 * time.Millisecond
)

func redisClient(t *testing.T, url string) *redis.Client {
	t.Helper()
	options, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	options.MaxRetries = -1
	options.ContextTimeoutEnabled = true
	client := redis.NewClient(options)
	t.Cleanup(func() { client.Close() })
	return client
}

func ping(client *redis.Client, within time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	return client.Ping(ctx).Err()
}

func TestRedisServersArePrivate(t *testing.T) {
	one, other := redisClient(t, Redis(t)), redisClient(t, Redis(t))
	if err := one.Set(t.Context(), "key", "value", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if err := other.Get(t.Context(), "key").Err(); !errors.Is(err, redis.Nil) {
		t.Errorf("the other server answers %v, want redis.Nil", err)
	}
}

func TestRedisPauseResumeStop(t *testing.T) {
	server := StartRedis(t)
	client := redisClient(t, server.URL)
	server.Pause()
	if err := ping(client, impatience); err == nil {
		t.Error("a paused server answers")
	}
	server.Resume()
	if err := ping(client, patience); err != nil {
		t.Errorf("a resumed server: %v", err)
	}
	server.Stop()
	if err := ping(client, patience); err == nil {
		t.Error("a stopped server answers")
	}
	server.Stop() // again, as the cleanup will
}

func TestPostgresDatabasesAreFresh(t *testing.T) {
	var inner string
	t.Run("made", func(t *testing.T) {
		inner = Postgres(t)
		db, other := openPostgres(t, inner), openPostgres(t, Postgres(t))
		if _, err := db.ExecContext(t.Context(), "CREATE TABLE things (id int)"); err != nil {
			t.Fatal(err)
		}
		if _, err := other.ExecContext(t.Context(), "SELECT * FROM things"); err == nil {
			t.Error("a second database has the first one's table")
		}
	})
	if err := openPostgres(t, inner).PingContext(t.Context()); err == nil {
		t.Error("the database outlives its test")
	}
}

func openPostgres(t *testing.T, url string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// recorder is a testing.TB whose Fatalf ends the function under test and not the test.
type recorder struct{ testing.TB }

// fatal is what Fatalf panics with.
type fatal string

func (r recorder) Helper() {}

func (r recorder) Fatalf(format string, args ...any) {
	panic(fatal(fmt.Sprintf(format, args...)))
}

func TestPostgresMissingFails(t *testing.T) {
	t.Setenv(PostgresEnv, "")
	defer func() {
		const want = fatal("LINKGATE_TEST_POSTGRES is not set: run `make test`, or `scripts/with-servers go test …`, which start a Postgres")
		if got := recover(); got != want {
			t.Errorf("the test ended with %v, want %q", got, want)
		}
	}()
	Postgres(recorder{t})
}

func TestProxyModes(t *testing.T) {
	p := Proxy(t, Redis(t))
	client := redisClient(t, p.URL())
	for _, step := range []struct {
		name    string
		change  func()
		within  time.Duration
		answers bool
	}{
		{"new", func() {}, patience, true},
		{"cut", p.Cut, patience, false},
		{"restored", p.Restore, patience, true},
		{"hanging", p.Hang, impatience, false},
		{"restored again", p.Restore, patience, true},
		{"muted", p.Mute, impatience, false},
	} {
		step.change()
		if err := ping(client, step.within); (err == nil) != step.answers {
			t.Errorf("%s: %v, want an answer: %v", step.name, err, step.answers)
		}
	}
}

func TestProxyMuteLetsTheRequestThrough(t *testing.T) {
	server := Redis(t)
	direct, p := redisClient(t, server), Proxy(t, server)
	behind := redisClient(t, p.URL())
	if err := ping(behind, patience); err != nil {
		t.Fatal(err)
	}
	p.Mute()
	ctx, cancel := context.WithTimeout(t.Context(), impatience)
	defer cancel()
	if err := behind.Incr(ctx, "n").Err(); err == nil {
		t.Error("the reply came through")
	}
	if got, err := direct.Get(t.Context(), "n").Int(); err != nil || got != 1 {
		t.Errorf("the server has %d, %v, want 1", got, err)
	}
}

func TestProxyRestoreDeliversWhatItHeld(t *testing.T) {
	p := Proxy(t, echo(t))
	conn, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	p.Hang()
	fmt.Fprintln(conn, "held")
	if err := conn.SetReadDeadline(time.Now().Add(impatience)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("while hanging: %v, want a time-out", err)
	}
	p.Restore()
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if got, err := bufio.NewReader(conn).ReadString('\n'); got != "held\n" {
		t.Errorf("after the restore: %q, %v", got, err)
	}
}

// echo serves one connection and sends back what it reads.
func echo(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		line, _ := bufio.NewReader(conn).ReadString('\n')
		fmt.Fprint(conn, line)
	}()
	return listener.Addr().String()
}
