package outbox

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"linkgate/database"
)

// Owed lists every message that is still to be done, dead letters included, oldest first.
func (b *Box) Owed(ctx context.Context) ([]Message, error) {
	return b.list(ctx, "dropped_at = 0 ORDER BY created_at, id")
}

// OwedOf lists the messages of a kind that are still to be done, dead letters included.
func (b *Box) OwedOf(ctx context.Context, kind string) ([]Message, error) {
	return b.list(ctx, "dropped_at = 0 AND kind = $1 ORDER BY ordinal, created_at, id", kind)
}

// DeadLetters lists the messages that were given up, the one that was first to be first.
func (b *Box) DeadLetters(ctx context.Context) ([]Message, error) {
	return b.list(ctx, "dropped_at = 0 AND dead_at <> 0 ORDER BY dead_at, id")
}

func (b *Box) list(ctx context.Context, where string, args ...any) (messages []Message, err error) {
	ctx, cancel := database.ForRead(ctx)
	defer cancel()
	messages, err = database.Collect(ctx, b.DB, scanMessage, "SELECT "+columns+" FROM outbox WHERE "+where, args...)
	if err != nil {
		return nil, fmt.Errorf("listing messages: %w", err)
	}
	return messages, nil
}

// revival makes a message due now ($1), alive, and with all of its kind's patience before it. The
// attempts stay: handlers go by them to know whether an earlier one may have arrived.
const revival = "UPDATE outbox SET dead_at = 0, failing_since = 0, due_at = $1 WHERE dropped_at = 0 AND lease_until <= $1 AND "

// Retry makes a message due now, a dead letter too. ErrGone, or ErrLeased when somebody is at it.
func (b *Box) Retry(ctx context.Context, id string) error {
	return b.DB.InTx(ctx, func(ctx context.Context, tx *sql.Tx) error { return b.RetryIn(ctx, tx, id) })
}

// RetryIn is Retry in a transaction.
func (b *Box) RetryIn(ctx context.Context, tx *sql.Tx, id string) error {
	n, err := affected(tx.ExecContext(ctx, revival+"id = $2", database.Millis(b.now()), id))
	if err == nil && n == 0 {
		err = notLeased(ctx, tx, id)
	}
	if err != nil {
		return fmt.Errorf("retrying %s: %w", id, err)
	}
	return nil
}

// RetryDead makes all dead letters due now, or those of one kind unless that is empty, and returns
// how many they are.
func (b *Box) RetryDead(ctx context.Context, kind string) (count int64, err error) {
	err = b.DB.InTx(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		count, err = affected(tx.ExecContext(ctx, revival+"dead_at <> 0 AND ($2 = '' OR kind = $2)", database.Millis(b.now()), kind))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("retrying dead letters: %w", err)
	}
	return count, nil
}

// Forget removes the dead letters of a kind that were given up before a time, and returns how many.
func (b *Box) Forget(ctx context.Context, kind string, before time.Time) (count int64, err error) {
	err = b.DB.InTx(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		count, err = affected(tx.ExecContext(ctx, "DELETE FROM outbox WHERE kind = $1 AND dead_at <> 0 AND dead_at < $2",
			kind, database.Millis(before)))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("removing dead letters: %w", err)
	}
	return count, nil
}

// Stats is how much is owed.
type Stats struct {
	Pending       map[string]int64 // by kind; without dead letters
	Dead          map[string]int64 // by kind
	OldestPending time.Duration    // age; zero: nothing is pending
}

// count is how much is owed of a kind, dead or not.
type count struct {
	kind      string
	dead      bool
	n, oldest int64
}

func scanCount(row database.Row) (c count, err error) {
	err = row.Scan(&c.kind, &c.dead, &c.n, &c.oldest)
	return c, err
}

// Stats counts what is owed.
func (b *Box) Stats(ctx context.Context) (s Stats, err error) {
	ctx, cancel := database.ForRead(ctx)
	defer cancel()
	counts, err := database.Collect(ctx, b.DB, scanCount, `SELECT kind, dead_at <> 0, count(*), min(created_at) FROM outbox
		WHERE dropped_at = 0 GROUP BY kind, dead_at <> 0`)
	if err != nil {
		return Stats{}, fmt.Errorf("counting messages: %w", err)
	}
	s = Stats{Pending: make(map[string]int64), Dead: make(map[string]int64)}
	for _, c := range counts {
		if c.dead {
			s.Dead[c.kind] = c.n
			continue
		}
		s.Pending[c.kind] = c.n
		s.OldestPending = max(s.OldestPending, b.now().Sub(database.Time(c.oldest)))
	}
	return s, nil
}
