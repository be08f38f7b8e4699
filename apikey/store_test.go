package apikey_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"linkgate/apikey"
	"linkgate/database"
	"linkgate/database/databasetest"
	"linkgate/secret"
	"linkgate/testservers"
)

// clock is the time, and what a test adds to it.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time       { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) pass(d time.Duration) { c.ahead.Add(int64(d)) }
func (c *clock) minute() time.Time    { return c.now().Truncate(time.Minute).UTC() }
func (c *clock) startOfMinute()       { c.pass(c.now().Truncate(time.Minute).Add(time.Minute).Sub(c.now())) }

func newStore(t *testing.T) *apikey.Store {
	t.Helper()
	return &apikey.Store{DB: databasetest.Open(t, database.Options{DataDir: t.TempDir()})}
}

func create(t *testing.T, s *apikey.Store, scopes ...apikey.Scope) (apikey.Key, secret.Text) {
	t.Helper()
	k, whole, err := s.New(t.Context(), "the back end", scopes)
	if err != nil {
		t.Fatal(err)
	}
	return k, whole
}

// want is how a key of Authenticate's is compared: all but what time changes.
func same(a, b apikey.Key) string {
	return cmp.Diff(a, b, cmpopts.IgnoreUnexported(apikey.Key{}), cmpopts.IgnoreFields(apikey.Key{}, "LastUsedAt"))
}

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		s := &apikey.Store{DB: db}
		reading, first := create(t, s, apikey.AccountsRead, apikey.TokensRead)
		_, second := create(t, s, apikey.UsersDelete)
		got, err := s.Authenticate(t.Context(), first)
		if err != nil {
			t.Fatal(err)
		}
		if diff := same(reading, got); diff != "" {
			t.Error(diff)
		}
		for _, scope := range apikey.AllScopes() {
			if want := scope == apikey.AccountsRead || scope == apikey.TokensRead; got.Allows(scope) != want {
				t.Errorf("Allows(%s) = %v, want %v", scope, !want, want)
			}
		}
		other := second.Reveal()
		mixed := whole(reading.ID + other[len(reading.ID):len(other)-6]) // one's id with the other's secret
		for _, tt := range []struct {
			name, presented string
			want            error
		}{
			{"nothing", "", apikey.ErrUnknown},
			{"something", "hunter2", apikey.ErrUnknown},
			{"never made", whole(example), apikey.ErrUnknown},
			{"one's id with the other's secret", mixed, apikey.ErrUnknown},
			{"cut off", other[:len(other)-1], apikey.ErrMalformed},
			{"its hash", strings.Repeat("0", 64), apikey.ErrUnknown},
		} {
			if k, err := s.Authenticate(t.Context(), secret.New(tt.presented)); !errors.Is(err, tt.want) || k.ID != "" {
				t.Errorf("%s: %v, %v; want %v", tt.name, k.ID, err, tt.want)
			}
		}
		s.Wait()
	})
}

func TestStaticKeys(t *testing.T) {
	t.Parallel()
	down := databasetest.Open(t, database.Options{DataDir: t.TempDir()})
	down.Close() // they work without it
	narrow, wide := strings.Repeat("n", 32), whole(example)
	s := &apikey.Store{DB: down}
	for _, text := range []string{narrow + "=sessions:write", wide} {
		k, err := apikey.ParseStatic(secret.New(text))
		if err != nil {
			t.Fatal(err)
		}
		s.Static = append(s.Static, k)
	}
	for text, want := range map[string]int{narrow: 1, wide: len(apikey.AllScopes())} {
		k, err := s.Authenticate(t.Context(), secret.New(text))
		if err != nil || len(k.Scopes) != want {
			t.Errorf("%v with %d scopes, want %d", err, len(k.Scopes), want)
		}
	}
	for _, wrong := range []string{narrow + "=sessions:write", narrow + "n", narrow[1:], s.Static[0].ID} {
		if _, err := s.Authenticate(t.Context(), secret.New(wrong)); !errors.Is(err, apikey.ErrUnknown) {
			t.Errorf("%q: %v, want ErrUnknown", wrong, err)
		}
	}
}

// A revoked key is refused here at once, and by another replica once its memory is over.
func TestRevoke(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		var time clock
		here, there := &apikey.Store{DB: db, Now: time.now}, &apikey.Store{DB: db, Now: time.now}
		k, whole := create(t, here, apikey.AccountsRead)
		for _, s := range []*apikey.Store{here, there} {
			if _, err := s.Authenticate(t.Context(), whole); err != nil {
				t.Fatal(err)
			}
		}
		if err := here.Revoke(t.Context(), k.ID); err != nil {
			t.Fatal(err)
		}
		first := listed(t, here)[0]
		time.pass(apikey.MemoryTime)
		for name, s := range map[string]*apikey.Store{"here": here, "there": there} {
			if _, err := s.Authenticate(t.Context(), whole); !errors.Is(err, apikey.ErrUnknown) {
				t.Errorf("%s a revoked key: %v", name, err)
			}
		}
		if err := there.Revoke(t.Context(), k.ID); err != nil {
			t.Errorf("once more: %v", err)
		}
		if got := listed(t, there)[0]; first.RevokedAt.IsZero() || !got.RevokedAt.Equal(first.RevokedAt) {
			t.Errorf("revoked at %v, and then at %v", first.RevokedAt, got.RevokedAt)
		}
		if err := here.Revoke(t.Context(), "lg_0000000000000000"); !errors.Is(err, apikey.ErrNotFound) {
			t.Errorf("a key that never was: %v", err)
		}
		here.Wait()
		there.Wait()
	})
}

func TestRevokedHereAtOnce(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	k, whole := create(t, s, apikey.AccountsRead)
	if _, err := s.Authenticate(t.Context(), whole); err != nil {
		t.Fatal(err)
	}
	s.Wait()
	if err := s.Revoke(t.Context(), k.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Authenticate(t.Context(), whole); !errors.Is(err, apikey.ErrUnknown) {
		t.Errorf("got %v, want ErrUnknown", err)
	}
}

func listed(t *testing.T, s *apikey.Store) []apikey.Key {
	t.Helper()
	all, err := s.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// A known key costs no SQL. Unknown ones, tried in a flood, cost a few readings; and a key that was
// made elsewhere meanwhile is known at once.
func TestReadings(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	elsewhere := &apikey.Store{DB: s.DB}
	_, known := create(t, s, apikey.AccountsRead)
	for range 1000 {
		if _, err := s.Authenticate(t.Context(), known); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.Reads(); n != 1 {
		t.Errorf("1000 requests with a known key: %d readings, want 1", n)
	}
	began := time.Now()
	var flood sync.WaitGroup
	for i := range 500 {
		forged := secret.New(whole(fmt.Sprintf("lg_%016d%s", i, example[19:])))
		flood.Go(func() {
			if _, err := s.Authenticate(t.Context(), forged); !errors.Is(err, apikey.ErrUnknown) {
				t.Errorf("a forged key: %v", err)
			}
		})
	}
	_, young := create(t, elsewhere, apikey.AccountsRead)
	if _, err := s.Authenticate(t.Context(), young); err != nil {
		t.Errorf("a key that was just made elsewhere: %v", err)
	}
	flood.Wait()
	if n, most := s.Reads(), 2+int64(time.Since(began)/apikey.ReadPause); n > most {
		t.Errorf("a flood of forged keys: %d readings, want at most %d", n, most)
	}
	s.Wait()
}

func TestKnownKeysEnd(t *testing.T) {
	t.Parallel()
	var time clock
	s := newStore(t)
	s.Now = time.now
	_, whole := create(t, s, apikey.AccountsRead)
	if _, err := s.Authenticate(t.Context(), whole); err != nil {
		t.Fatal(err)
	}
	s.Wait()
	s.DB.Close()
	if _, err := s.Authenticate(t.Context(), whole); err != nil {
		t.Errorf("from memory: %v", err)
	}
	time.pass(apikey.MemoryTime)
	if _, err := s.Authenticate(t.Context(), whole); !database.IsUnavailable(err) {
		t.Errorf("after memoryTime, without a database: %v, want its error", err)
	}
}

// A caller that leaves does not wait for a database that hangs.
func TestCallerLeaves(t *testing.T) {
	t.Parallel()
	proxy := testservers.Proxy(t, testservers.Postgres(t))
	s := &apikey.Store{DB: databasetest.Open(t, database.Options{URL: secret.New(proxy.URL())})}
	_, whole := create(t, s, apikey.AccountsRead)
	proxy.Hang()
	ctx, leave := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer leave()
	if _, err := s.Authenticate(ctx, whole); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestLastUsed(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		var time clock
		s, other := &apikey.Store{DB: db, Now: time.now}, &apikey.Store{DB: db, Now: time.now}
		_, whole := create(t, s, apikey.AccountsRead)
		use := func(s *apikey.Store) {
			t.Helper()
			if _, err := s.Authenticate(t.Context(), whole); err != nil {
				t.Fatal(err)
			}
			s.Wait()
		}
		if got := listed(t, s)[0].LastUsedAt; !got.IsZero() {
			t.Errorf("last used at %v, before it ever was", got)
		}
		time.startOfMinute()
		first := time.minute()
		use(s)
		if got := listed(t, s)[0].LastUsedAt; !got.Equal(first) {
			t.Errorf("last used at %v, want %v", got, first)
		}
		if _, err := db.ExecContext(t.Context(), "UPDATE api_keys SET used_at = 1"); err != nil {
			t.Fatal(err)
		}
		use(s)
		if got := database.Millis(listed(t, s)[0].LastUsedAt); got != 1 {
			t.Errorf("it was written twice in a minute: %d", got)
		}
		time.startOfMinute()
		use(s)
		later := time.minute()
		time.pass(-2 * 60e9) // a replica whose clock is behind
		use(other)
		if got := listed(t, s)[0].LastUsedAt; !got.Equal(later) {
			t.Errorf("last used at %v, want %v", got, later)
		}
	})
}

// countdown allows each id so many requests.
type countdown struct {
	mu   sync.Mutex
	left map[string]int
}

func (c *countdown) Allow(id string) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left[id]--
	return c.left[id] >= 0, nil
}

func TestLimit(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	busy, first := create(t, s, apikey.AccountsRead)
	calm, second := create(t, s, apikey.AccountsRead)
	s.Limit = &countdown{left: map[string]int{busy.ID: 2, calm.ID: 3}}
	for i := range 3 {
		var want error
		if i == 2 {
			want = apikey.ErrTooMany
		}
		if _, err := s.Authenticate(t.Context(), first); !errors.Is(err, want) {
			t.Errorf("request %d: %v, want %v", i+1, err, want)
		}
		if _, err := s.Authenticate(t.Context(), second); err != nil {
			t.Errorf("another key's request %d: %v", i+1, err)
		}
	}
	s.Wait()
}

func TestNewRefuses(t *testing.T) {
	s := newStore(t)
	for _, tt := range []struct {
		name   string
		scopes []apikey.Scope
		want   error
	}{
		{"", apikey.AllScopes(), apikey.ErrName},
		{" ", apikey.AllScopes(), apikey.ErrName},
		{"a\x1b[31m", apikey.AllScopes(), apikey.ErrName},
		{strings.Repeat("a", 201), apikey.AllScopes(), apikey.ErrName},
		{"a", nil, apikey.ErrScope},
		{"a", []apikey.Scope{"accounts:read", "everything"}, apikey.ErrScope},
	} {
		if _, _, err := s.New(t.Context(), tt.name, tt.scopes); !errors.Is(err, tt.want) {
			t.Errorf("%q, %v: %v, want %v", tt.name, tt.scopes, err, tt.want)
		}
	}
	if all := listed(t, s); len(all) != 0 {
		t.Errorf("%d keys were made all the same", len(all))
	}
}

// The key is in no row, no log and no error; nor is enough of it to make another one out of.
func TestKeyIsNowhere(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		var said bytes.Buffer
		s := &apikey.Store{DB: db, Log: slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelDebug}))}
		k, made := create(t, s, apikey.AllScopes()...)
		fromIt := made.Reveal()[len(k.ID)+1:]
		cut := secret.New(made.Reveal()[:60])
		forged := secret.New(whole(k.ID + "_" + fromIt[1:44]))
		note := func(k apikey.Key, err error) { fmt.Fprintf(&said, "%+v %#v %v\n", k, k, err) }
		for _, presented := range []secret.Text{made, cut, forged} {
			note(s.Authenticate(t.Context(), presented))
		}
		s.Wait()
		said.WriteString(dump(t, db))
		note(k, s.Revoke(t.Context(), k.ID))
		note(k, s.Revoke(t.Context(), "lg_x"))
		db.Close()
		note(s.Authenticate(t.Context(), made))
		_, _, err := s.New(t.Context(), "x", apikey.AllScopes())
		note(k, err)
		if !strings.Contains(said.String(), k.ID) {
			t.Fatal("nothing was said")
		}
		for i := range len(fromIt) - 12 {
			if part := fromIt[i : i+12]; strings.Contains(said.String(), part) {
				t.Fatalf("%q, a part of the key, is in:\n%s", part, said.String())
			}
		}
	})
}

// dump is every column of every key, as text and as bytes.
func dump(t *testing.T, db *database.DB) string {
	t.Helper()
	keys, err := database.Collect(t.Context(), db, func(row database.Row) (string, error) {
		values := make([]any, 7)
		for i := range values {
			values[i] = new([]byte)
		}
		err := row.Scan(values...)
		var all strings.Builder
		for _, value := range values {
			fmt.Fprintf(&all, "%s %x\n", *value.(*[]byte), *value.(*[]byte))
		}
		return all.String(), err
	}, "SELECT * FROM api_keys")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(keys, "")
}
