package main

import (
	"context"
	"database/sql"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"linkgate/database"
	"linkgate/event"
)

// happen ACCOUNT [dead]: puts an event into the database in $DATA_DIR; dead: with a delivery that was given up.
func happen(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: happen ACCOUNT [dead]")
	}
	ctx := context.Background()
	db, err := database.Open(ctx, database.Options{DataDir: ts.MkAbs(ts.Getenv("DATA_DIR"))})
	ts.Check(err)
	defer db.Close()
	log := &event.Log{DB: db, Deliver: len(args) > 1}
	ts.Check(db.InTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		e := event.Event{Type: event.AccountLinked, AccountID: args[0], HostUserID: "ada", AuthID: "7f3c"}
		if err := log.Append(ctx, tx, []event.Event{e}); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "UPDATE outbox SET dead_at = $1, last_error = 'the webhook answered 500' WHERE account_id = $2",
			database.Millis(time.Now()), args[0])
		return err
	}))
}
