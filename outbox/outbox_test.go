package outbox_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"linkgate/database"
	"linkgate/database/databasetest"
	"linkgate/outbox"
)

func TestTryDoesAndRemoves(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		var got outbox.Message
		b := newBench(db, func(_ context.Context, m outbox.Message) error { got = m; return nil })
		id := add(t, db, outbox.Message{Kind: "k", AccountID: "acc_1", Payload: []byte{0, 0xff}})
		wantTry(t, b, id, nil)
		want := outbox.Message{ID: id, Kind: "k", AccountID: "acc_1", Payload: []byte{0, 0xff}, Attempts: 1}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(outbox.Message{}, "DueAt", "CreatedAt")); diff != "" {
			t.Errorf("handled (-want +got):\n%s", diff)
		}
		if got.CreatedAt.IsZero() {
			t.Error("CreatedAt is zero")
		}
		wantTry(t, b, id, outbox.ErrGone)
		wantCount(t, db, 0)
	})
}

func TestAddBelongsToItsTransaction(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		var id string
		err := db.InTx(t.Context(), func(ctx context.Context, tx *sql.Tx) (err error) {
			id, err = outbox.Add(ctx, tx, outbox.Message{Kind: "k"})
			return errors.Join(err, errWrong)
		})
		if !errors.Is(err, errWrong) {
			t.Fatal(err)
		}
		wantTry(t, newBench(db, done), id, outbox.ErrGone)
	})
}

func TestFailureIsTriedAgain(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		b := newBench(db, func(context.Context, outbox.Message) error {
			return errors.New("the host says: \x00" + strings.Repeat("ü", 1000))
		})
		id := add(t, db, outbox.Message{Kind: "k"})
		if err := b.Try(t.Context(), id); err == nil || !strings.Contains(err.Error(), "the host says") {
			t.Errorf("Try: got %v, want the handler's error", err)
		}
		var attempts []int
		var lastError string
		b.handle(func(_ context.Context, m outbox.Message) error {
			attempts, lastError = append(attempts, m.Attempts), m.LastError
			if m.Attempts < 4 {
				return errWrong
			}
			return nil
		})
		wantTry(t, b, id, errWrong) // whatever its due time
		if !strings.HasPrefix(lastError, "the host says: ü") || len(lastError) > 500 {
			t.Errorf("LastError has %d bytes: %q", len(lastError), lastError)
		}
		b.forward(time.Hour)
		runUntil(t, b, func() bool { b.forward(time.Second); return b.count(t) == 0 })
		if diff := cmp.Diff([]int{2, 3, 4}, attempts); diff != "" {
			t.Errorf("attempts (-want +got):\n%s", diff)
		}
	})
}

func TestRunLeavesWhatIsNotDue(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		var handled atomic.Int64
		b := newBench(db, func(context.Context, outbox.Message) error { handled.Add(1); return nil })
		fresh := add(t, db, outbox.Message{Kind: "k"})
		late := add(t, db, outbox.Message{Kind: "k", DueAt: time.Now().Add(time.Hour)})
		due := add(t, db, outbox.Message{Kind: "k", DueAt: time.Now().Add(-time.Second)})
		runUntil(t, b, func() bool { return handled.Load() == 1 })
		wantTry(t, b, due, outbox.ErrGone)
		b.forward(outbox.Grace)
		runUntil(t, b, func() bool { return handled.Load() == 2 })
		wantTry(t, b, fresh, outbox.ErrGone)
		wantTry(t, b, late, nil)
	})
}

func TestLater(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		b := newBench(db, func(context.Context, outbox.Message) error { return outbox.Later(errWrong, 10*time.Minute) })
		id := add(t, db, outbox.Message{Kind: "k"})
		wantTry(t, b, id, errWrong)
		if got := b.dueIn(t, id); got < 9*time.Minute || got > 11*time.Minute {
			t.Errorf("due in %v, want ten minutes", got)
		}
	})
}

func TestTryRevivesADeadLetter(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		b := newBench(db, func(context.Context, outbox.Message) error { return outbox.Dead(errWrong) })
		id := add(t, db, outbox.Message{Kind: "k"})
		wantTry(t, b, id, errWrong)
		b.handle(fail)
		wantTry(t, b, id, errWrong) // a failure that may pass: alive again
		if letters, err := b.DeadLetters(t.Context()); len(letters) != 0 || err != nil {
			t.Errorf("dead letters %v, %v", letters, err)
		}
		b.handle(done)
		wantTry(t, b, id, nil)
	})
}

func TestPanicsAndUnknownKindsAreFailures(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		b := newBench(db, func(_ context.Context, m outbox.Message) error {
			if m.Attempts == 1 {
				panic("token=hunter2")
			}
			none := []error{}
			return none[m.Attempts]
		})
		id := add(t, db, outbox.Message{Kind: "k"})
		for _, want := range []string{"panicked with a string", "out of range"} {
			if err := b.Try(t.Context(), id); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q", err, want)
			}
		}
		if log := b.log.String(); strings.Contains(log, "hunter2") || !strings.Contains(log, "outbox_test.go") {
			t.Errorf("the log shows the panic's value, or no stack:\n%s", log)
		}
		unknown := add(t, db, outbox.Message{Kind: "unheard of"})
		if err := b.Try(t.Context(), unknown); err == nil {
			t.Error("a message without a handler is done")
		}
		wantCount(t, db, 2)
	})
}

func TestTryOutlivesItsCaller(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		started, goOn := make(chan struct{}), make(chan struct{})
		var seen error
		b := newBench(db, func(ctx context.Context, _ outbox.Message) error {
			close(started)
			<-goOn
			seen = ctx.Err()
			return seen
		})
		id := add(t, db, outbox.Message{Kind: "k"})
		ctx, leave := context.WithCancel(t.Context())
		go func() { <-started; leave() }()
		if err := b.Try(ctx, id); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
		close(goOn)
		b.Wait()
		if seen != nil {
			t.Errorf("the handler's context ended with the caller's: %v", seen)
		}
		wantTry(t, b, id, outbox.ErrGone)
	})
}

func TestHandlersHaveADeadline(t *testing.T) {
	db := databasetest.Open(t, database.Options{DataDir: t.TempDir()})
	var deadline time.Time
	b := newBench(db, func(ctx context.Context, _ outbox.Message) error { deadline, _ = ctx.Deadline(); return nil })
	wantTry(t, b, add(t, db, outbox.Message{Kind: "k"}), nil)
	if deadline.IsZero() || deadline.After(time.Now().Add(outbox.HandlerTimeout)) {
		t.Errorf("deadline %v, want within HandlerTimeout", deadline)
	}
}

func TestRunEndsWithItsWork(t *testing.T) {
	db := databasetest.Open(t, database.Options{DataDir: t.TempDir()})
	ctx, stop := context.WithCancel(t.Context())
	finished := false
	b := newBench(db, func(ctx context.Context, _ outbox.Message) error {
		stop()
		time.Sleep(20 * time.Millisecond) // Run would have returned
		finished = ctx.Err() == nil
		return nil
	})
	add(t, db, outbox.Message{Kind: "k", DueAt: time.Now().Add(-time.Second)})
	if err := b.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if !finished {
		t.Error("Run returned before its handler, or took away its context")
	}
	wantCount(t, db, 0)
}
