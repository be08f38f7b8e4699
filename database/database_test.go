package database_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"linkgate/database"
	"linkgate/database/databasetest"
	"linkgate/secret"
	"linkgate/testservers"
)

func exec(t *testing.T, db *database.DB, query string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

func number(t *testing.T, db *database.DB, query string, args ...any) (n int64) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

func TestOpenKeepsWhatIsThere(t *testing.T) {
	t.Parallel()
	databasetest.EachOptions(t, func(t *testing.T, o database.Options) {
		first := databasetest.Open(t, o)
		exec(t, first, "INSERT INTO audit VALUES ($1, $2, 'n', '', '', '', $3)", "a", 1_700_000_000_000, "üñ\n")
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		again := databasetest.Open(t, o)
		var detail string
		if err := again.QueryRow("SELECT detail FROM audit WHERE id = $1", "a").Scan(&detail); err != nil || detail != "üñ\n" {
			t.Errorf("got %q, %v", detail, err)
		}
		if err := again.Ping(t.Context()); err != nil {
			t.Errorf("Ping: %v", err)
		}
	})
}

// Replicas that start at once leave the database migrated once, whether it is empty or behind.
func TestOpenAtOnce(t *testing.T) {
	t.Parallel() // goose waits a second when it meets another
	for name, prepare := range map[string]func(*testing.T, database.Options){
		"empty": func(*testing.T, database.Options) {},
		"behind": func(t *testing.T, o database.Options) {
			db := databasetest.Open(t, o)
			for _, undo := range []string{
				"DROP TABLE linked_accounts", "DROP TABLE outbox", "DROP TABLE audit", "DROP TABLE client_registrations",
				"DROP TABLE components", "DROP TABLE events", "DROP TABLE event_sequence", "DROP TABLE api_keys",
				"DELETE FROM goose_db_version WHERE version_id > 0",
			} {
				exec(t, db, undo)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			databasetest.EachOptions(t, func(t *testing.T, o database.Options) {
				prepare(t, o)
				openAtOnce(t, o)
				db := databasetest.Open(t, o)
				if got := number(t, db, "SELECT count(*) FROM goose_db_version WHERE version_id = 1"); got != 1 {
					t.Errorf("the first migration is recorded %d times, want 1", got)
				}
			})
		})
	}
}

func openAtOnce(t *testing.T, o database.Options) {
	t.Helper()
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			db, err := database.Open(t.Context(), o)
			if err != nil {
				t.Error(err)
				return
			}
			if err := db.Ping(t.Context()); err != nil {
				t.Error(err)
			}
			_ = db.Close()
		})
	}
	wg.Wait()
}

func TestOpenExisting(t *testing.T) {
	t.Parallel()
	databasetest.EachOptions(t, func(t *testing.T, o database.Options) {
		if o.URL.IsZero() {
			o.DataDir = filepath.Join(o.DataDir, "data")
		}
		want := func(want error) {
			t.Helper()
			db, err := database.OpenExisting(t.Context(), o)
			if !errors.Is(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
			if err == nil {
				_ = db.Close()
			}
		}
		want(database.ErrNone)
		if _, err := os.Stat(o.DataDir); o.URL.IsZero() && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("looking has made the directory: %v", err)
		}
		db := databasetest.Open(t, o)
		want(nil)
		exec(t, db, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, $1)", true)
		want(nil) // a later version's
		exec(t, db, "DELETE FROM goose_db_version WHERE version_id > 1")
		want(database.ErrOlder)
		if got := number(t, db, "SELECT max(version_id) FROM goose_db_version"); got != 1 {
			t.Errorf("looking has migrated it to %d", got)
		}
		exec(t, db, "DROP TABLE goose_db_version")
		want(database.ErrNone)
	})
}

func TestSQLiteSettings(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a dir?with%41odd#name&x=1")
	db := databasetest.Open(t, database.Options{DataDir: dir})
	for _, tt := range []struct{ pragma, want string }{
		{"journal_mode", "wal"},
		{"synchronous", "2"}, // FULL
		{"foreign_keys", "1"},
		{"busy_timeout", "1000"},
	} {
		var got string
		if err := db.QueryRow("PRAGMA " + tt.pragma).Scan(&got); err != nil || got != tt.want {
			t.Errorf("%s = %q, want %q, %v", tt.pragma, got, tt.want, err)
		}
	}
	exec(t, db, "DELETE FROM audit") // so that there is a -wal
	wantMode(t, dir, fs.ModeDir|0o700)
	for _, suffix := range []string{"", "-wal", "-shm"} {
		wantMode(t, filepath.Join(dir, database.FileName+suffix), 0o600)
	}
}

func wantMode(t *testing.T, path string, want fs.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Error(err)
		return
	}
	if got := info.Mode(); got != want {
		t.Errorf("%s has mode %v, want %v", path, got, want)
	}
}

func TestSQLiteFileIsTightened(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, database.FileName)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	databasetest.Open(t, database.Options{DataDir: dir})
	wantMode(t, path, 0o600)
}

func TestOpenExplainsAndKeepsThePassword(t *testing.T) {
	const password = "s3cr3t-pass"
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	silent := testservers.Proxy(t, "127.0.0.1:1")
	silent.Cut()
	_, port, _ := strings.Cut(silent.Addr(), ":")
	for _, tt := range []struct {
		name string
		o    database.Options
		want string // in the error
	}{
		{"another scheme", postgresURL("mysql://u:" + password + "@db/x"), "postgres://user:password@host"},
		{"no scheme", postgresURL("host=db password=" + password), "postgres://user:password@host"},
		{"bad port", postgresURL("postgres://u:" + password + "@db:x1/x"), "postgres://user:password@host"},
		{"bad escape", postgresURL("postgres://u:" + password + "%zz@db/x"), "percent-encoded"},
		{"slash in password", postgresURL("postgres://u:" + password + "/#@db/x"), "percent-encoded"},
		{"bad option", postgresURL("postgres://u:" + password + "@db/x?sslmode=" + password), "postgres://user:password@host"},
		{"nobody there", postgresURL("postgres://u:" + password + "@127.0.0.1:" + port + "/x"), port},
		{"no directory", database.Options{}, "DATA_DIR"},
		{"a file for a directory", database.Options{DataDir: file}, "DATA_DIR"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := database.Open(t.Context(), tt.o)
			if err == nil {
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%q does not say %q", err, tt.want)
			}
			if strings.Contains(err.Error(), password) {
				t.Errorf("the password is in the error: %v", err)
			}
		})
	}
}

func postgresURL(s string) database.Options { return database.Options{URL: secret.New(s)} }

func TestPingHasADeadline(t *testing.T) {
	t.Parallel() // it waits for it
	proxy := testservers.Proxy(t, testservers.Postgres(t))
	db := databasetest.Open(t, postgresURL(proxy.URL()))
	proxy.Hang()
	err := db.Ping(t.Context()) // would not return
	if !database.IsUnavailable(err) {
		t.Errorf("got %v, want an error of unavailability", err)
	}
	proxy.Restore()
	if err := db.Ping(t.Context()); err != nil {
		t.Errorf("after the outage: %v", err)
	}
}

func TestNowHasADeadline(t *testing.T) {
	t.Parallel() // it waits for it
	proxy := testservers.Proxy(t, testservers.Postgres(t))
	db := databasetest.Open(t, postgresURL(proxy.URL()))
	proxy.Hang()
	if _, err := db.Now(t.Context()); !database.IsUnavailable(err) {
		t.Errorf("got %v, want an error of unavailability", err)
	}
}

func TestNow(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		before := time.Now().Add(-time.Minute)
		now, err := db.Now(t.Context())
		if err != nil || now.Before(before) || now.After(time.Now().Add(time.Minute)) {
			t.Errorf("got %v, %v", now, err)
		}
	})
}

func TestMillis(t *testing.T) {
	for _, want := range []time.Time{{}, time.UnixMilli(1).UTC(), time.Date(2026, 3, 1, 2, 3, 4, 5e6, time.UTC)} {
		if diff := cmp.Diff(want, database.Time(database.Millis(want))); diff != "" {
			t.Error(diff)
		}
	}
}
