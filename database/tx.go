package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

const (
	txTries   = 8
	txTimeout = 10 * time.Second
)

// InTx runs fn in one transaction and commits it; when the database asks for it (SQLite busy,
// Postgres serialization failure or deadlock) the whole of fn is run again, so fn must have no
// effect but on the transaction. All of it ends within ten seconds, or earlier with ctx: fn gets
// the context that says so, and must use it for its statements, as one that hangs keeps even a
// rollback waiting.
//
// fn's own error is returned as it is, after a rollback. When the connection breaks while
// committing, nobody can tell whether the transaction happened, and it is not run again.
func (db *DB) InTx(ctx context.Context, fn func(context.Context, *sql.Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, txTimeout)
	defer cancel()
	for try := 1; ; try++ {
		err := db.tryTx(ctx, fn)
		if err == nil || !isRetryable(err) || try == txTries {
			return err
		}
		if !pause(ctx, rand.N(time.Duration(try)*10*time.Millisecond)) {
			return errors.Join(err, ctx.Err())
		}
	}
}

func (db *DB) tryTx(ctx context.Context, fn func(context.Context, *sql.Tx) error) error {
	if db.writer != nil {
		select {
		case db.writer <- struct{}{}:
			defer func() { <-db.writer }()
		case <-ctx.Done():
			return fmt.Errorf("waiting to write to the database: %w", ctx.Err())
		}
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("beginning a transaction: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // nothing to do after a commit
	if err := fn(ctx, tx); err != nil {
		return withContext(ctx, err)
	}
	if err := tx.Commit(); err != nil {
		return withContext(ctx, fmt.Errorf("committing: %w", err))
	}
	return nil
}

// withContext adds why a transaction was over before its time: database/sql says only that it is.
func withContext(ctx context.Context, err error) error {
	if errors.Is(err, sql.ErrTxDone) && ctx.Err() != nil {
		return errors.Join(err, ctx.Err())
	}
	return err
}

// pause waits for d; false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
