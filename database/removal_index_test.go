package database_test

import (
	"strings"
	"testing"

	"linkgate/database"
	"linkgate/database/databasetest"
)

// What a removal hook asks for is found by an index: it names no host user.
func TestRemovalIndex(t *testing.T) {
	t.Parallel()
	const question = `SELECT id FROM linked_accounts WHERE auth_id = 'a' AND subject = 's'
		AND status IN ('linking', 'linked', 'reauth_required', 'refused') AND status <> 'refused' ORDER BY id`
	databasetest.EachOptions(t, func(t *testing.T, o database.Options) {
		db := databasetest.Open(t, o)
		explain := "EXPLAIN QUERY PLAN "
		if !o.URL.IsZero() {
			explain = "EXPLAIN (FORMAT JSON) "
			db.SetMaxOpenConns(1)
			exec(t, db, "SET enable_seqscan = off") // the table is empty
		}
		if plan := text(t, db, explain+question); !strings.Contains(plan, "linked_accounts_subject") {
			t.Errorf("the plan does without the index: %s", plan)
		}
	})
}
