package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"linkgate/database"
	"linkgate/database/databasetest"
	"linkgate/outbox"
)

const leaseTime = 30 * time.Second

func TestOneOfManyTries(t *testing.T) {
	databasetest.EachOptions(t, func(t *testing.T, o database.Options) {
		replicas := []*database.DB{databasetest.Open(t, o), databasetest.Open(t, o)}
		var running, handled, leased atomic.Int64
		allTried := make(chan struct{})
		handler := func(context.Context, outbox.Message) error {
			handled.Add(1)
			if running.Add(1) != 1 {
				t.Error("two handlers have the message at once")
			}
			defer running.Add(-1)
			<-allTried
			return nil
		}
		id := add(t, replicas[0], outbox.Message{Kind: "k"})
		const tries = 20
		var wg sync.WaitGroup
		for i := range tries {
			wg.Go(func() {
				switch err := newBench(replicas[i%2], handler).Try(t.Context(), id); {
				case errors.Is(err, outbox.ErrLeased):
					if leased.Add(1) == tries-1 {
						close(allTried)
					}
				case err != nil:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if handled.Load() != 1 || leased.Load() != tries-1 {
			t.Errorf("handled %d times, refused %d times, want 1 and %d", handled.Load(), leased.Load(), tries-1)
		}
	})
}

// Three replicas on one table: each message is done once.
func TestRunShares(t *testing.T) {
	databasetest.EachOptions(t, func(t *testing.T, o database.Options) {
		var mu sync.Mutex
		times := make(map[string]int)
		const messages = 60
		db := databasetest.Open(t, o)
		for i := range messages {
			add(t, db, outbox.Message{Kind: "k", AccountID: fmt.Sprint(i % 7), DueAt: time.Now().Add(-time.Second)})
		}
		ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
		defer stop()
		var wg sync.WaitGroup
		for range 3 {
			replica := newBench(databasetest.Open(t, o), func(_ context.Context, m outbox.Message) error {
				mu.Lock()
				defer mu.Unlock()
				if times[m.ID]++; len(times) == messages {
					stop()
				}
				return nil
			})
			wg.Go(func() {
				if err := replica.Run(ctx); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		wantCount(t, db, 0)
		for id, n := range times {
			if n != 1 {
				t.Errorf("%s was done %d times", id, n)
			}
		}
	})
}

func TestRunIsBounded(t *testing.T) {
	db := databasetest.Open(t, database.Options{DataDir: t.TempDir()})
	var running, ofOneKind atomic.Int64
	goOn := make(chan struct{})
	b := newBench(db, func(context.Context, outbox.Message) error { ofOneKind.Add(1); running.Add(1); <-goOn; return nil })
	other := func(context.Context, outbox.Message) error { running.Add(1); <-goOn; return nil }
	b.Handlers["k2"], b.Handlers["k3"] = other, other
	// Those of the first kind wait longest, and are more than there are slots.
	for i, kind := range []string{"k", "k2", "k3"} {
		for range 12 {
			add(t, db, outbox.Message{Kind: kind, DueAt: time.Now().Add(time.Duration(i-10) * time.Second)})
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	var ended sync.WaitGroup
	ended.Go(func() { _ = b.Run(ctx) })
	eventually(t, "eight handlers run", func() bool { return running.Load() >= 8 })
	time.Sleep(50 * time.Millisecond) // ten looks
	if n := running.Load(); n != 8 {
		t.Errorf("%d handlers at a time, want 8", n)
	}
	if n := ofOneKind.Load(); n != 4 {
		t.Errorf("%d of them are of one kind, want 4", n)
	}
	close(goOn)
	eventually(t, "all are done", func() bool { return b.count(t) == 0 })
	stop()
	ended.Wait()
}

// stuck takes the message with b and holds on to it until the returned function ends the attempt
// with an error.
func stuck(t *testing.T, b *bench, id string, outcome error) (end func()) {
	t.Helper()
	started, goOn := make(chan struct{}), make(chan struct{})
	b.handle(func(context.Context, outbox.Message) error { close(started); <-goOn; return outcome })
	ctx, leave := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = b.Try(ctx, id)
	}()
	<-started
	t.Cleanup(leave)
	return func() { close(goOn); <-ended; b.Wait() }
}

// A process that crashed or got stuck loses its lease, its attempt counts, and what it says
// later counts no more.
func TestTakeover(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		for _, late := range []error{nil, errWrong, outbox.Dead(errWrong)} {
			slow, other := newBench(db, nil), newBench(db, nil)
			id := add(t, db, outbox.Message{Kind: "k"})
			end := stuck(t, slow, id, late)
			wantTry(t, other, id, outbox.ErrLeased)

			other.forward(leaseTime + time.Second)
			attempts := 0
			other.handle(func(_ context.Context, m outbox.Message) error {
				attempts = m.Attempts
				end() // while the other holds the lease
				return outbox.Later(errors.New("other's"), time.Minute)
			})
			runUntil(t, other, func() bool { return other.dueIn(t, id) > leaseTime+time.Second })
			if attempts != 2 {
				t.Errorf("the second attempt is number %d", attempts)
			}
			var lastError string
			if err := db.QueryRow("SELECT last_error FROM outbox WHERE id = $1", id).Scan(&lastError); err != nil || lastError != "other's" {
				t.Errorf("late outcome %v: the message says %q, %v", late, lastError, err)
			}
			if !strings.Contains(slow.log.String(), "not saved") {
				t.Errorf("late outcome %v: nothing in the log:\n%s", late, slow.log)
			}
			other.handle(done)
			wantTry(t, other, id, nil)
		}
	})
}

func TestDrop(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		b := newBench(db, done)
		gone := add(t, db, outbox.Message{Kind: "k", AccountID: "acc_1"})
		dead := add(t, db, outbox.Message{Kind: "k", AccountID: "acc_1"})
		b.handle(func(context.Context, outbox.Message) error { return outbox.Dead(errWrong) })
		wantTry(t, b, dead, errWrong)
		b.handle(done)
		otherKind := add(t, db, outbox.Message{Kind: "k2", AccountID: "acc_1"})
		otherAccount := add(t, db, outbox.Message{Kind: "k", AccountID: "acc_2"})
		drop(t, db, "acc_1", "k")
		wantTry(t, b, gone, outbox.ErrGone)
		wantTry(t, b, dead, outbox.ErrGone)
		b.Handlers["k2"] = done
		wantTry(t, b, otherKind, nil)
		wantTry(t, b, otherAccount, nil)
		wantCount(t, db, 0)
	})
}

// What replaces a message that is being worked on waits for the end of that attempt.
func TestDropWhileLeased(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		for _, outcome := range []error{nil, errWrong, outbox.Dead(errWrong)} {
			b, other := newBench(db, nil), newBench(db, done)
			old := add(t, db, outbox.Message{Kind: "k", AccountID: "acc_1"})
			end := stuck(t, b, old, outcome)
			drop(t, db, "acc_1", "k")
			next := add(t, db, outbox.Message{Kind: "k", AccountID: "acc_1", DueAt: time.Now().Add(-time.Second)})
			stranger := add(t, db, outbox.Message{Kind: "k", AccountID: "acc_2", DueAt: time.Now()})

			wantTry(t, other, old, outbox.ErrGone)
			wantTry(t, other, next, outbox.ErrLeased)
			var ran atomic.Value
			other.handle(func(_ context.Context, m outbox.Message) error { ran.Store(m.ID); return nil })
			runUntil(t, other, func() bool { return ran.Load() == stranger })
			wantTry(t, other, next, outbox.ErrLeased) // Run has left it alone, too

			end()
			wantTry(t, other, old, outbox.ErrGone)
			wantTry(t, other, next, nil)
			wantCount(t, db, 0)
		}
	})
}

func TestDroppedAndCrashed(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		crashed, other := newBench(db, nil), newBench(db, done)
		old := add(t, db, outbox.Message{Kind: "k", AccountID: "acc_1"})
		end := stuck(t, crashed, old, nil)
		drop(t, db, "acc_1", "k")
		next := add(t, db, outbox.Message{Kind: "k", AccountID: "acc_1"})
		other.forward(leaseTime + time.Second)
		var ran []string
		other.handle(func(_ context.Context, m outbox.Message) error { ran = append(ran, m.ID); return nil })
		runUntil(t, other, func() bool { return other.count(t) == 0 })
		if len(ran) != 1 || ran[0] != next {
			t.Errorf("ran %v, want only what came after the drop, %s", ran, next)
		}
		end()
		wantCount(t, db, 0)
	})
}

func TestPending(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		b := newBench(db, nil)
		id := add(t, db, outbox.Message{Kind: "k", AccountID: "acc_1"})
		for _, tt := range []struct{ account, kind, want string }{
			{"acc_1", "k", id}, {"acc_1", "k2", ""}, {"acc_2", "k", ""},
		} {
			wantPending(t, db, tt.account, tt.kind, tt.want)
		}
		end := stuck(t, b, id, nil)
		wantPending(t, db, "acc_1", "k", id)
		drop(t, db, "acc_1", "k")
		wantPending(t, db, "acc_1", "k", "")
		end()
	})
}

func wantPending(t *testing.T, db *database.DB, account, kind, want string) {
	t.Helper()
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if got, err := outbox.Pending(t.Context(), tx, account, kind); got != want || err != nil {
		t.Errorf("Pending(%s, %s) = %q, %v, want %q", account, kind, got, err, want)
	}
}

// A kind that is full does not wait for the next look when one of its messages is done.
func TestRunGoesOnWithAFullKind(t *testing.T) {
	db := databasetest.Open(t, database.Options{DataDir: t.TempDir()})
	var running atomic.Int64
	goOn := make(chan struct{})
	b := newBench(db, func(context.Context, outbox.Message) error { running.Add(1); <-goOn; return nil })
	b.Interval = time.Hour
	for range 12 {
		add(t, db, outbox.Message{Kind: "k", DueAt: time.Now().Add(-time.Second)})
	}
	goneOn := false
	runUntil(t, b, func() bool {
		if running.Load() == 4 && !goneOn {
			time.Sleep(50 * time.Millisecond) // Run has looked for others, and rests
			close(goOn)
			goneOn = true
		}
		return b.count(t) == 0
	})
}
