package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"linkgate/database"
	"linkgate/database/databasetest"
	"linkgate/outbox"
)

// What has an ordinal waits for those before it, of its account and kind, while they live.
func TestOrdinal(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		b := newBench(db, done)
		b.Handlers["k2"] = done
		past := time.Now().Add(-time.Minute)
		second := add(t, db, outbox.Message{Kind: "k", AccountID: "acc_1", Ordinal: 8, DueAt: past})
		first := add(t, db, outbox.Message{Kind: "k", AccountID: "acc_1", Ordinal: 7, DueAt: past.Add(time.Second)})
		for _, other := range []outbox.Message{
			{Kind: "k", AccountID: "acc_2", Ordinal: 9}, {Kind: "k2", AccountID: "acc_1", Ordinal: 9}, {Kind: "k", AccountID: "acc_1"},
		} {
			wantTry(t, b, add(t, db, other), nil)
		}
		wantTry(t, b, second, outbox.ErrLeased)
		b.handle(fail)
		wantTry(t, b, first, errWrong)
		b.handle(done)
		wantTry(t, b, second, outbox.ErrLeased) // it has failed, and lives
		end := stuck(t, b, first, outbox.Dead(errWrong))
		wantTry(t, newBench(db, done), second, outbox.ErrLeased)
		end()
		b.handle(done)
		wantTry(t, b, second, nil) // it is dead
		wantTry(t, b, first, nil)
		wantCount(t, db, 0)
	})
}

// Three replicas keep the order of each account, while what fails is tried again.
func TestRunKeepsOrder(t *testing.T) {
	databasetest.EachOptions(t, func(t *testing.T, o database.Options) {
		const accounts, each = 5, 8
		db := databasetest.Open(t, o)
		for i := range accounts * each {
			add(t, db, outbox.Message{Kind: "k", AccountID: fmt.Sprint(i % accounts), Ordinal: int64(i + 1), DueAt: time.Now().Add(-time.Second)})
		}
		var mu sync.Mutex
		last, handled := map[string]int64{}, 0
		ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
		defer stop()
		var wg sync.WaitGroup
		for range 3 {
			replica := newBench(databasetest.Open(t, o), func(_ context.Context, m outbox.Message) error {
				mu.Lock()
				defer mu.Unlock()
				if m.Ordinal%7 == 0 && m.Attempts == 1 {
					return outbox.Later(errors.New("not yet"), time.Second)
				}
				if last[m.AccountID] > m.Ordinal {
					t.Errorf("account %s: %d after %d", m.AccountID, m.Ordinal, last[m.AccountID])
				}
				last[m.AccountID] = m.Ordinal
				if handled++; handled == accounts*each {
					stop()
				}
				return nil
			})
			wg.Go(func() { _ = replica.Run(ctx) })
		}
		wg.Wait()
		wantCount(t, db, 0)
	})
}

// An account's next message does not wait for the next look.
func TestRunGoesOnInOrder(t *testing.T) {
	db := databasetest.Open(t, database.Options{DataDir: t.TempDir()})
	b := newBench(db, done)
	b.Interval = time.Hour
	for i := range 5 {
		add(t, db, outbox.Message{Kind: "k", AccountID: "acc_1", Ordinal: int64(i + 1), DueAt: time.Now().Add(-time.Second)})
	}
	runUntil(t, b, func() bool { return b.count(t) == 0 })
}

func TestPatienceOfAKind(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		b := newBench(db, fail)
		b.Handlers["k2"] = fail
		b.Patience = map[string]outbox.Patience{"k": {GiveUpAfter: time.Hour, MaxBackoff: time.Millisecond}}
		impatient, patient := add(t, db, outbox.Message{Kind: "k"}), add(t, db, outbox.Message{Kind: "k2"})
		for range 20 {
			wantTry(t, b, impatient, errWrong)
			wantTry(t, b, patient, errWrong)
			if in := b.dueIn(t, impatient); in > time.Second {
				t.Errorf("backed off for %v", in)
			}
		}
		b.forward(time.Hour)
		wantTry(t, b, impatient, errWrong)
		wantTry(t, b, patient, errWrong)
		dead, err := b.DeadLetters(t.Context())
		if err != nil || len(dead) != 1 || dead[0].ID != impatient {
			t.Errorf("dead: %v, %v", dead, err)
		}
		if n, err := b.RetryDead(t.Context(), "k2"); n != 0 || err != nil {
			t.Errorf("retried %d of another kind, %v", n, err)
		}
		if n, err := b.Forget(t.Context(), "k", b.Now().Add(-time.Minute)); n != 0 || err != nil {
			t.Errorf("forgot %d too early, %v", n, err)
		}
		if n, err := b.Forget(t.Context(), "k", b.Now().Add(time.Minute)); n != 1 || err != nil {
			t.Errorf("forgot %d, %v", n, err)
		}
		wantCount(t, db, 1)
	})
}
