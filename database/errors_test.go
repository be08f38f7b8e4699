package database_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"linkgate/database"
	"linkgate/database/databasetest"
	"linkgate/testservers"
)

func insertX(ctx context.Context, db *database.DB) error {
	return db.InTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO audit VALUES ('x', 0, '', '', '', '', '')")
		return err
	})
}

func TestIsUniqueViolation(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		if err := insertX(t.Context(), db); err != nil {
			t.Fatal(err)
		}
		const link = insertAccount + " VALUES ($1, 'u', 'a', '', 'i', 's', '', 'linked', '', '', 0, 0, 0, 0, 0, 0)"
		exec(t, db, link, "acc_1")
		_, atIndex := db.ExecContext(t.Context(), link, "acc_2")
		_, notNull := db.ExecContext(t.Context(), "INSERT INTO audit (id) VALUES ('y')")
		_, syntax := db.ExecContext(t.Context(), "INSERT INTO")
		for _, tt := range []struct {
			name string
			err  error
			want bool
		}{
			{"primary key", fmt.Errorf("writing: %w", insertX(t.Context(), db)), true},
			{"partial unique index", atIndex, true},
			{"not null", notNull, false},
			{"syntax", syntax, false},
			{"none", nil, false},
		} {
			if got := database.IsUniqueViolation(tt.err); got != tt.want {
				t.Errorf("%s: IsUniqueViolation(%v) = %v, want %v", tt.name, tt.err, got, tt.want)
			}
			if database.IsUnavailable(tt.err) {
				t.Errorf("%s: IsUnavailable(%v)", tt.name, tt.err)
			}
		}
	})
}

func wantUnavailable(t *testing.T, what string, err error) {
	t.Helper()
	if !database.IsUnavailable(err) {
		t.Errorf("%s: IsUnavailable(%v) = false", what, err)
	}
}

func TestIsUnavailable(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if err := insertX(gone, db); err == nil || database.IsUnavailable(err) {
			t.Errorf("a caller that left: IsUnavailable(%v) = true", err)
		}
		late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
		defer cancel()
		wantUnavailable(t, "no time left", insertX(late, db))

		if err := db.QueryRow("SELECT id FROM audit").Scan(new(string)); database.IsUnavailable(err) {
			t.Errorf("no rows: IsUnavailable(%v) = true", err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		wantUnavailable(t, "closed, Ping", db.Ping(t.Context()))
		wantUnavailable(t, "closed, InTx", insertX(t.Context(), db))
	})
}

func TestIsUnavailableWhenSQLiteIsBusy(t *testing.T) {
	t.Parallel()
	o := database.Options{DataDir: t.TempDir()}
	db, other := databasetest.Open(t, o), databasetest.Open(t, o)
	err := other.InTx(t.Context(), func(context.Context, *sql.Tx) error { // takes the lock
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		wantUnavailable(t, "within a deadline", insertX(ctx, db))
		db.SetMaxOpenConns(1) // the one with this timeout
		if _, err := db.Exec("PRAGMA busy_timeout = 1"); err != nil {
			return err
		}
		_, err := db.Exec("INSERT INTO audit VALUES ('x', 0, '', '', '', '', '')")
		wantUnavailable(t, "busy", err)
		wantUnavailable(t, "busy again and again", insertX(t.Context(), db))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := insertX(t.Context(), db); err != nil {
		t.Errorf("after the other transaction: %v", err)
	}
}

func TestIsUnavailableWhenPostgresIsDown(t *testing.T) {
	t.Parallel()
	proxy := testservers.Proxy(t, testservers.Postgres(t))
	db := databasetest.Open(t, postgresURL(proxy.URL()))
	err := db.InTx(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		proxy.Cut()
		_, err := tx.ExecContext(ctx, "INSERT INTO audit VALUES ('y', 0, '', '', '', '', '')")
		return err
	})
	wantUnavailable(t, "cut in a transaction", err)
	wantUnavailable(t, "cut, InTx", insertX(t.Context(), db))
	wantUnavailable(t, "cut, Ping", db.Ping(t.Context()))

	proxy.Hang()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	wantUnavailable(t, "hangs", insertX(ctx, db))

	leaving, leave := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, leave) // in the middle of the statement
	if err := insertX(leaving, db); err == nil || database.IsUnavailable(err) {
		t.Errorf("a caller that leaves: IsUnavailable(%v) = true", err)
	}

	proxy.Restore()
	if err := insertX(t.Context(), db); err != nil {
		t.Errorf("after the outage: %v", err)
	}
	_, err = db.Exec("SELECT pg_terminate_backend(pg_backend_pid())")
	wantUnavailable(t, "ended by the operator", err)
}

func TestIsUnavailableBySQLState(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		state string
		want  bool
	}{
		{"08006", true}, {"57P03", true}, {"57014", true}, {"53300", true}, {"53100", true}, {"25006", true},
		{"40001", true}, {"55P03", true}, {"28P01", true}, {"3D000", true},
		{"42601", false}, {"23505", false}, {"22001", false}, {"42P01", false}, {"25001", false},
	} {
		err := fmt.Errorf("reading: %w", &pgconn.PgError{Code: tt.state})
		if got := database.IsUnavailable(err); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.state, got, tt.want)
		}
	}
	if database.IsUnavailable(errors.New("connection refused")) {
		t.Error("an error is told by its text")
	}
}
