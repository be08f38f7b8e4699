package database_test

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"testing"
	"time"

	"modernc.org/sqlite"

	"linkgate/database"
	"linkgate/database/databasetest"
	"linkgate/testservers"
)

// With ForUpdate, read-modify-write in parallel loses nothing.
func TestInTxAndForUpdateLoseNoUpdate(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		exec(t, db, "INSERT INTO audit VALUES ('counter', 0, '', '', '', '', '')")
		const workers, rounds = 8, 10
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				for range rounds {
					if err := db.InTx(t.Context(), func(ctx context.Context, tx *sql.Tx) error { return increment(ctx, db, tx) }); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if got := number(t, db, "SELECT at FROM audit WHERE id = 'counter'"); got != workers*rounds {
			t.Errorf("counted to %d, want %d", got, workers*rounds)
		}
	})
}

func increment(ctx context.Context, db *database.DB, tx *sql.Tx) error {
	var n int64
	if err := tx.QueryRowContext(ctx, "SELECT at FROM audit WHERE id = 'counter'"+db.ForUpdate()).Scan(&n); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "UPDATE audit SET at = $1 WHERE id = 'counter'", n+1)
	return err
}

// Two transactions that lock two rows in opposite order: Postgres ends one, and InTx runs it again.
func TestInTxRunsAgainAfterADeadlock(t *testing.T) {
	t.Parallel()
	db := databasetest.Open(t, postgresURL(testservers.Postgres(t)))
	for _, id := range []string{"a", "b"} {
		exec(t, db, "INSERT INTO audit VALUES ($1, 0, '', '', '', '', '')", id)
	}
	var bothHoldOne sync.WaitGroup
	bothHoldOne.Add(2)
	tries := make([]int, 2)
	var wg sync.WaitGroup
	for i, order := range [][]string{{"a", "b"}, {"b", "a"}} {
		wg.Go(func() {
			err := db.InTx(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
				tries[i]++
				for n, id := range order {
					if _, err := tx.ExecContext(ctx, "UPDATE audit SET at = at + 1 WHERE id = $1", id); err != nil {
						return err
					}
					if n == 0 && tries[i] == 1 {
						bothHoldOne.Done()
						bothHoldOne.Wait()
					}
				}
				return nil
			})
			if err != nil {
				t.Errorf("transaction %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if got := number(t, db, "SELECT min(at) FROM audit"); got != 2 {
		t.Errorf("each row was updated %d times, want 2", got)
	}
	if tries[0]+tries[1] < 3 {
		t.Errorf("%v tries: there was no deadlock to recover from", tries)
	}
}

func TestInTxRollsBack(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		wrong := errors.New("wrong")
		err := db.InTx(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, "INSERT INTO audit VALUES ('x', 0, '', '', '', '', '')"); err != nil {
				return err
			}
			return wrong
		})
		if !errors.Is(err, wrong) {
			t.Errorf("got %v, want %v", err, wrong)
		}
		panicsInTx(t, db)
		if got := number(t, db, "SELECT count(*) FROM audit"); got != 0 {
			t.Errorf("%d rows are left of what was rolled back", got)
		}
		exec(t, db, "INSERT INTO audit VALUES ('x', 0, '', '', '', '', '')") // nothing is locked
	})
}

func panicsInTx(t *testing.T, db *database.DB) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Error("the panic was swallowed")
		}
	}()
	_ = db.InTx(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "INSERT INTO audit VALUES ('y', 0, '', '', '', '', '')"); err != nil {
			return err
		}
		panic("at the disco")
	})
}

// Those who wait in this process for SQLite's one writer wait here, where a context ends it.
func TestInTxQueues(t *testing.T) {
	t.Parallel()
	db := databasetest.Open(t, database.Options{DataDir: t.TempDir()})
	err := db.InTx(t.Context(), func(context.Context, *sql.Tx) error {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		err := db.InTx(ctx, func(context.Context, *sql.Tx) error { return errors.New("ran beside another") })
		var fromSQLite *sqlite.Error
		if !errors.Is(err, context.DeadlineExceeded) || errors.As(err, &fromSQLite) {
			t.Errorf("got %v, want only the context's error", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A statement that hangs ends with the context that fn is given, and nothing else ends it.
func TestInTxGivesItsDeadline(t *testing.T) {
	t.Parallel()
	db := databasetest.Open(t, database.Options{DataDir: t.TempDir()})
	err := db.InTx(t.Context(), func(ctx context.Context, _ *sql.Tx) error {
		if deadline, ok := ctx.Deadline(); !ok || deadline.After(time.Now().Add(10*time.Second)) {
			t.Errorf("deadline %v, want one within ten seconds", deadline)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
