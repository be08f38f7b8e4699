package linkedaccount

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"linkgate/database"
	"linkgate/database/databasetest"
	"linkgate/secret"
	"linkgate/testservers"
)

// manyAccounts is what the store holds whose lists are measured: of a hundred users, at five
// connections, most of them linked; one component uses one of them.
const manyAccounts = 10_000

func fill(t testing.TB, s *Store) {
	t.Helper()
	statuses := []Status{Linked, Linked, Linked, Linked, Linked, Linked, Linked, Unlinked, ReauthRequired, Linking}
	for batch := range slices.Chunk(numbers(), 500) { // a transaction ends in time on a busy machine
		err := s.inTx(t.Context(), func(ctx context.Context, tx *tx) error {
			for _, i := range batch {
				if err := fillOne(ctx, s, tx, i, statuses[i/7%len(statuses)]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func numbers() []int {
	n := make([]int, manyAccounts)
	for i := range n {
		n[i] = i
	}
	return n
}

func fillOne(ctx context.Context, s *Store, tx *tx, i int, status Status) error {
	r, err := s.newRecord(fmt.Sprint("user-", i%100), fmt.Sprint("auth-", i%5))
	if err != nil {
		return err
	}
	r.Status = status
	r.Identity.Subject, r.Identity.Name = fmt.Sprint("subject-", i), fmt.Sprint("Somebody ", i)
	r.Scopes = []string{"read:user", "repo", "offline_access"}
	r.Metadata = []byte(`{"team":"blue","plan":{"seats":12}}`)
	r.sealed = make([]byte, 600)
	r.Version, r.TokenVersion = 1, 1
	if err := insert(ctx, tx, r); err != nil || i != manyAccounts/2 {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO components (id, host_user_id, account_id, auth_id, bound_at)
		VALUES ('flow', $1, $2, $3, 1)`, r.HostUserID, r.ID, r.AuthID)
	return err
}

// listed are the filters by themselves and the combinations that a back end asks for, with the index
// that is to serve each.
func listed() map[string]struct {
	filter Filter
	index  string
} {
	type one = struct {
		filter Filter
		index  string
	}
	return map[string]one{
		"all":                 {Filter{}, "linked_accounts_by_status"},
		"status":              {Filter{Statuses: []Status{ReauthRequired}}, "linked_accounts_by_status"},
		"user_id":             {Filter{HostUserID: "user-7"}, "linked_accounts_by_user"},
		"auth_id":             {Filter{AuthID: "auth-3"}, "linked_accounts_by_auth"},
		"auth_id and status":  {Filter{AuthID: "auth-3", Statuses: []Status{Unlinked}}, "linked_accounts_by_auth"},
		"external_account_id": {Filter{Subject: "subject-4711"}, "linked_accounts_by_subject"},
		"user_id and auth_id": {Filter{HostUserID: "user-7", AuthID: "auth-2"}, "linked_accounts_by_user"},
		"component_id":        {Filter{ComponentID: "flow"}, "pkey"},
		"component_id and more": {
			Filter{ComponentID: "flow", HostUserID: "user-0", AuthID: "auth-0", Subject: "subject-5000", Statuses: []Status{Linked}}, "pkey",
		},
	}
}

// analyze has Postgres count, as it does by itself in a while. SQLite never does.
func analyze(t testing.TB, s *Store) {
	t.Helper()
	if _, err := s.DB.ExecContext(t.Context(), "ANALYZE"); err != nil {
		t.Fatal(err)
	}
}

// Each filter finds its accounts by an index, on first pages and later ones.
func TestListUsesIndexes(t *testing.T) {
	t.Parallel()
	databasetest.EachOptions(t, func(t *testing.T, o database.Options) {
		isPostgres := !o.URL.IsZero()
		s := &Store{DB: databasetest.Open(t, o), Keyring: newKeyring(t)}
		fill(t, s)
		if isPostgres {
			analyze(t, s)
		}
		wantIndexes(t, s, isPostgres)
	})
}

func wantIndexes(t *testing.T, s *Store, isPostgres bool) {
	t.Helper()
	explain := "EXPLAIN QUERY PLAN "
	if isPostgres {
		explain = "EXPLAIN "
	}
	for name, test := range listed() {
		index := test.index
		if index == "pkey" && !isPostgres {
			index = "sqlite_autoindex_linked_accounts_1"
		}
		for _, after := range []string{"", "acc_zzz"} {
			f := test.filter
			f.After = after
			statement, args := f.statement()
			plan := planOf(t, s, explain+statement, args...)
			parts := strings.Count(plan, index)
			// SQLite scans what a part gave, too.
			scans := strings.Count(plan, "Seq Scan on linked_accounts") + strings.Count(plan, "SCAN linked_accounts")
			want := len(f.statuses())
			if isPostgres {
				want = 0 // it has counted, and may go through the ids for a status that many have
			}
			if isPostgres && (f.HostUserID != "" || f.AuthID != "" || f.Subject != "" || f.ComponentID != "") {
				want = 1
			}
			if parts < want || scans > 0 {
				t.Errorf("%s, after %q: %s serves %d parts of %d, and the table is scanned %d times:\n%s", name, after, test.index, parts, want, scans, plan)
			}
		}
	}
}

// planOf is what the database says of how it goes about a statement.
func planOf(t *testing.T, s *Store, explain string, args ...any) string {
	t.Helper()
	rows, err := s.DB.QueryContext(t.Context(), explain, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var plan strings.Builder
	for rows.Next() {
		var line string
		var none any
		into := append(slices.Repeat([]any{&none}, len(columns)-1), &line)
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		plan.WriteString(line + "\n")
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return plan.String()
}

// BenchmarkList reads all pages of 50 of 10,000 accounts, with each filter and each database, and
// tells how long a page takes: the figures of docs/benchmarks.md.
func BenchmarkList(b *testing.B) {
	for database, o := range map[string]database.Options{
		"SQLite": {DataDir: b.TempDir()}, "Postgres": {URL: secret.New(testservers.Postgres(b))},
	} {
		s := &Store{DB: databasetest.Open(b, o), Keyring: newKeyring(b)}
		fill(b, s)
		if database == "Postgres" {
			analyze(b, s)
		}
		for name, test := range listed() {
			b.Run(database+"/"+strings.ReplaceAll(name, " ", "_"), func(b *testing.B) { pages(b, s, test.filter) })
		}
	}
}

func pages(b *testing.B, s *Store, f Filter) {
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		page, err := s.List(b.Context(), f)
		took = append(took, time.Since(began))
		if err != nil || len(page) == 0 && f.After == "" {
			b.Fatal(len(page), err)
		}
		if f.After = ""; len(page) == DefaultLimit {
			f.After = page[len(page)-1].ID
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*95/100].Microseconds()), "p95-µs")
}
