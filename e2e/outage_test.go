package e2e

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"linkgate/demo"
	"linkgate/testservers"
)

// onPostgres is a world whose Postgres can be taken away.
func onPostgres(t *testing.T, options ...option) (*world, *testservers.TCPProxy) {
	t.Helper()
	direct := testservers.Postgres(t)
	proxy := testservers.Proxy(t, direct)
	w := newWorld(t, append(options, with("DATABASE_URL", proxy.URL()), with("ENCRYPTION_KEYSET", newKeyset(t)))...)
	w.database = direct
	return w, proxy
}

// TestDatabaseDown: a disconnect gets 503 with Retry-After and nothing is lost; a connect does not
// need the database to begin.
func TestDatabaseDown(t *testing.T) {
	for name, fail := range map[string]func(*testservers.TCPProxy){
		"gone": (*testservers.TCPProxy).Cut, "hanging": (*testservers.TCPProxy).Hang,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, proxy := onPostgres(t)
			account := w.linked(t, "ada", demo.NotesOIDC, "ada")
			fail(proxy)
			answer, e := request(t, t.Context(), "DELETE", w.Linkgate.URL("/linked-accounts/"+account.ID), w.proxied("ada"), nil)
			if answer.StatusCode != 503 || e.Code != "UNAVAILABLE" || answer.Header.Get("Retry-After") == "" {
				t.Errorf("got %d %s, Retry-After %q; want 503 UNAVAILABLE with Retry-After",
					answer.StatusCode, e.Code, answer.Header.Get("Retry-After"))
			}
			if answer, _ := request(t, t.Context(), "POST", w.Linkgate.URL("/auth/notes"), w.proxied("ada"), nil); answer.StatusCode != 200 {
				t.Errorf("beginning a connect: %d, want 200", answer.StatusCode)
			}
			proxy.Restore()
			eventually(t, "the disconnect works again", func() bool {
				return w.Host.Disconnect(t.Context(), "ada", account.ID) == nil
			})
		})
	}
}

// TestDatabaseGoneWhenSaving: a credential that can't be saved is revoked; one that can, after a
// while, is saved.
func TestDatabaseGoneWhenSaving(t *testing.T) {
	for _, c := range []struct {
		name  string
		away  time.Duration
		state string
	}{
		{"for good", time.Hour, "failed"},
		{"for a moment", 2 * time.Second, "linked"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w, proxy := onPostgres(t)
			var once sync.Once
			w.Service.Play(demo.Script{After: func(op string, _ *http.Request) {
				if op == demo.OpToken {
					once.Do(func() {
						proxy.Cut()
						time.AfterFunc(c.away, proxy.Restore)
					})
				}
			}})
			page := w.connect(t, "ada", demo.NotesOIDC, "ada")
			for i := 0; i < 10 && page.Status == 200 && contains(page, "working"); i++ {
				page = w.again(t, page)
			}
			wantState(t, page, c.state)
			if alive := w.activeTokens("ada") > 0; alive != (c.state == "linked") {
				t.Errorf("tokens are alive: %v, at a page that says %s", alive, c.state)
			}
		})
	}
}

// TestRedisAwayAtTheEnd: the page tells what has happened although Redis was away when it did.
func TestRedisAwayAtTheEnd(t *testing.T) {
	t.Parallel()
	redis := testservers.StartRedis(t)
	w := newWorld(t, with("REDIS_URL", redis.URL))
	var once sync.Once
	w.Host.Play(demo.Script{Before: func(op string, _ *http.Request) {
		if op == demo.OpAdd {
			once.Do(func() {
				redis.Pause()
				time.AfterFunc(3*time.Second, redis.Resume)
			})
		}
	}})
	wantState(t, w.connect(t, "ada", demo.NotesOIDC, "ada"), "linked")
}

// TestStopWhileLinking: asked to stop, Linkgate ends what it has begun, and its exit code says so.
func TestStopWhileLinking(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b, callback := w.atCallback(t, demo.NotesOIDC)
	var exit int
	var stopped sync.WaitGroup
	w.Service.Play(demo.Script{Before: func(op string, _ *http.Request) {
		if op == demo.OpToken {
			stopped.Go(func() { exit = w.Linkgate.Stop() })
			time.Sleep(500 * time.Millisecond) // the signal is there before the answer
		}
	}})
	_, _ = b.Get(t.Context(), callback.String()) // the page after it is not served any more
	stopped.Wait()
	if exit != 0 {
		t.Errorf("exit code %d, want 0", exit)
	}
	if n := len(w.Host.Accounts("ada")); n != 1 {
		t.Errorf("the host has %d accounts, want 1", n)
	}
	w.Linkgate.Start()
	if err := w.Host.Disconnect(t.Context(), "ada", w.Host.Accounts("ada")[0].ID); err != nil {
		t.Errorf("disconnecting after a restart: %v", err)
	}
}
