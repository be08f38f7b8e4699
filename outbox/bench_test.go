package outbox_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"linkgate/database"
	"linkgate/outbox"
)

var errWrong = errors.New("the host is down")

// bench is a box with a clock that the test sets, and what its handler of kind "k" does.
type bench struct {
	*outbox.Box
	db      *database.DB
	ahead   atomic.Int64 // nanoseconds that the box's clock is ahead
	handler atomic.Pointer[outbox.Handler]
	log     *bytes.Buffer // read it when nothing runs
}

func newBench(db *database.DB, handler outbox.Handler) *bench {
	b := &bench{db: db, log: new(bytes.Buffer)}
	b.handler.Store(&handler)
	b.Box = &outbox.Box{
		DB:       db,
		Handlers: map[string]outbox.Handler{"k": func(ctx context.Context, m outbox.Message) error { return (*b.handler.Load())(ctx, m) }},
		Log:      slog.New(slog.NewTextHandler(b.log, nil)),
		Now:      func() time.Time { return time.Now().Add(time.Duration(b.ahead.Load())) },
		Interval: 5 * time.Millisecond,
	}
	return b
}

func (b *bench) forward(d time.Duration) { b.ahead.Add(int64(d)) }

func (b *bench) handle(h outbox.Handler) { b.handler.Store(&h) }

func done(context.Context, outbox.Message) error { return nil }

func fail(context.Context, outbox.Message) error { return errWrong }

func add(t *testing.T, db *database.DB, m outbox.Message) (id string) {
	t.Helper()
	inTx(t, db, func(ctx context.Context, tx *sql.Tx) (err error) {
		id, err = outbox.Add(ctx, tx, m)
		return err
	})
	return id
}

func drop(t *testing.T, db *database.DB, account, kind string) {
	t.Helper()
	inTx(t, db, func(ctx context.Context, tx *sql.Tx) error { return outbox.Drop(ctx, tx, account, kind) })
}

func inTx(t *testing.T, db *database.DB, fn func(context.Context, *sql.Tx) error) {
	t.Helper()
	if err := db.InTx(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func wantTry(t *testing.T, b *bench, id string, want error) {
	t.Helper()
	if err := b.Try(t.Context(), id); !errors.Is(err, want) {
		t.Errorf("Try: got %v, want %v", err, want)
	}
}

func wantCount(t *testing.T, db *database.DB, want int) {
	t.Helper()
	var got int
	if err := db.QueryRow("SELECT count(*) FROM outbox").Scan(&got); err != nil || got != want {
		t.Errorf("%d messages, want %d, %v", got, want, err)
	}
}

// runUntil runs the box until cond holds.
func runUntil(t *testing.T, b *bench, cond func() bool) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	var ended sync.WaitGroup
	ended.Go(func() {
		if err := b.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	for !cond() && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	if !cond() {
		t.Error("it never happened")
	}
	stop()
	ended.Wait()
}

func (b *bench) count(t *testing.T) (n int) {
	t.Helper()
	if err := b.db.QueryRow("SELECT count(*) FROM outbox").Scan(&n); err != nil {
		t.Error(err)
	}
	return n
}

func (b *bench) dueIn(t *testing.T, id string) time.Duration {
	t.Helper()
	var due int64
	if err := b.db.QueryRow("SELECT due_at FROM outbox WHERE id = $1", id).Scan(&due); err != nil {
		t.Error(err)
	}
	return database.Time(due).Sub(b.Now())
}
