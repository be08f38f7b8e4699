package main

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"linkgate/database"
	"linkgate/outbox"
)

// owe [ID KIND due|dead ERROR…]: makes the database in $DATA_DIR, if need be, and puts a promise
// into its outbox, from three days ago, tried nine times. ESC in the error is the control character.
func owe(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 && len(args) < 3 {
		ts.Fatalf("usage: owe [ID KIND due|dead ERROR…]")
	}
	ctx := context.Background()
	db, err := database.Open(ctx, database.Options{DataDir: ts.MkAbs(ts.Getenv("DATA_DIR"))})
	ts.Check(err)
	defer db.Close()
	if len(args) == 0 {
		return
	}
	now := time.Now()
	past := database.Millis(now.Add(-80 * time.Hour))
	var dead int64
	if args[2] == "dead" {
		dead = past
	}
	ts.Check(db.InTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		m := outbox.Message{ID: args[0], Kind: args[1], AccountID: "acc_1", DueAt: now.Add(90 * time.Minute)}
		if _, err := outbox.Add(ctx, tx, m); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "UPDATE outbox SET created_at = $1, attempts = 9, dead_at = $2, last_error = $3 WHERE id = $4",
			past, dead, strings.ReplaceAll(strings.Join(args[3:], " "), "ESC", "\x1b"), m.ID)
		return err
	}))
}
