package database_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pressly/goose/v3"

	"linkgate/database"
	"linkgate/database/databasetest"
)

// insertAccount is how the first version wrote an account; without a credential here.
const insertAccount = `INSERT INTO linked_accounts (id, host_user_id, auth_id, host_id, issuer, subject, name, status,
	scopes, missing, expires_at, host_deleted_at, revoked_at, version, created_at, updated_at)`

// openAt opens a database whose tables are those of an earlier version.
func openAt(t *testing.T, o database.Options, version int64) *database.DB {
	t.Helper()
	db := databasetest.Open(t, o)
	for _, table := range []string{"linked_accounts", "outbox", "audit", "client_registrations", "components", "events", "event_sequence", "api_keys", "goose_db_version"} {
		exec(t, db, "DROP TABLE "+table)
	}
	dialect := goose.DialectSQLite3
	if !o.URL.IsZero() {
		dialect = goose.DialectPostgres
	}
	provider, err := goose.NewProvider(dialect, db.DB, os.DirFS("migrations"), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.UpTo(t.Context(), version); err != nil {
		t.Fatal(err)
	}
	return db
}

// refreshing is what a row says of refreshes.
type refreshing struct {
	TokenVersion, ClaimedAt, RefreshAt, UsedAt, LinkedAt int64
	ClaimedBy, Settings                                  string
}

// Accounts from before credentials were refreshed, and those that a replica of that version adds
// while this one runs, are as if linked now and never refreshed.
func TestMigrateRefresh(t *testing.T) {
	t.Parallel()
	const values = " VALUES ($1, 'u', 'a', 'h1', 'i', $1, '', 'linked', '[]', '[]', 0, 0, 0, 7, 1700000000000, 1700000001000)"
	databasetest.EachOptions(t, func(t *testing.T, o database.Options) {
		old := openAt(t, o, 3)
		exec(t, old, insertAccount+values, "before")
		if err := old.Close(); err != nil {
			t.Fatal(err)
		}
		db := databasetest.Open(t, o)
		exec(t, db, insertAccount+values, "meanwhile")
		for id, want := range map[string]refreshing{
			"before":    {TokenVersion: 1, LinkedAt: 1_700_000_000_000, Settings: "{}"},
			"meanwhile": {TokenVersion: 1, Settings: "{}"},
		} {
			var got refreshing
			err := db.QueryRowContext(t.Context(), `SELECT token_version, claimed_at, claimed_by, refresh_at, used_at, linked_at, settings
				FROM linked_accounts WHERE id = $1 AND version = 7 AND status = 'linked' AND host_id = 'h1'`, id).Scan(
				&got.TokenVersion, &got.ClaimedAt, &got.ClaimedBy, &got.RefreshAt, &got.UsedAt, &got.LinkedAt, &got.Settings)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", id, diff)
			}
		}
	})
}

// One live account for each identity, in whatever live status; history as much as there is.
func TestLiveIndex(t *testing.T) {
	t.Parallel()
	const values = " VALUES ($1, 'u', 'a', '', 'i', 's', '', $2, '[]', '[]', 0, 0, 0, 1, 0, 0)"
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		live := []string{"linking", "linked", "reauth_required", "refused"}
		for _, first := range live {
			exec(t, db, "DELETE FROM linked_accounts")
			exec(t, db, insertAccount+values, "first", first)
			for _, second := range live {
				_, err := db.ExecContext(t.Context(), insertAccount+values, "second", second)
				if !database.IsUniqueViolation(err) {
					t.Errorf("%s beside %s: %v, want a unique violation", second, first, err)
				}
			}
			for _, history := range []string{"unlinking", "unlinked"} {
				exec(t, db, insertAccount+values, history, history)
				exec(t, db, insertAccount+values, history+" too", history)
			}
		}
	})
}

// The worker's question for what is due is answered from its index.
func TestRefreshIndex(t *testing.T) {
	t.Parallel()
	const question = "SELECT id FROM linked_accounts WHERE refresh_at <> 0 AND refresh_at <= 1 ORDER BY refresh_at LIMIT 1"
	databasetest.EachOptions(t, func(t *testing.T, o database.Options) {
		db := databasetest.Open(t, o)
		explain := "EXPLAIN QUERY PLAN "
		if !o.URL.IsZero() {
			explain = "EXPLAIN (FORMAT JSON) "
			db.SetMaxOpenConns(1)
			exec(t, db, "SET enable_seqscan = off") // the table is empty
		}
		if plan := text(t, db, explain+question); !strings.Contains(plan, "linked_accounts_refresh") {
			t.Errorf("the plan does without the index: %s", plan)
		}
	})
}

// text is the first row that a query gives, its last column.
func text(t *testing.T, db *database.DB, query string) (s string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil || !rows.Next() {
		t.Fatalf("no row: %v, %v", err, rows.Err())
	}
	row := make([]any, len(columns))
	for i := range row {
		row[i] = new(any)
	}
	row[len(row)-1] = &s
	if err := rows.Scan(row...); err != nil {
		t.Fatal(err)
	}
	return s
}
