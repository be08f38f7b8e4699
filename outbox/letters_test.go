package outbox_test

import (
	"context"
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

func TestDeadLetters(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		b := newBench(db, func(context.Context, outbox.Message) error { return outbox.Dead(errWrong) })
		id := add(t, db, outbox.Message{Kind: "k", AccountID: "acc_1"})
		wantTry(t, b, id, errWrong)

		b.forward(time.Hour) // Run leaves it alone: it does another one
		var handled atomic.Value
		b.handle(func(_ context.Context, m outbox.Message) error { handled.Store(m.ID); return nil })
		add(t, db, outbox.Message{ID: "other", Kind: "k"})
		runUntil(t, b, func() bool { return handled.Load() == "other" })

		letters, err := b.DeadLetters(t.Context())
		want := []outbox.Message{{ID: id, Kind: "k", AccountID: "acc_1", Payload: []byte{}, Attempts: 1, LastError: errWrong.Error()}}
		if diff := cmp.Diff(want, letters, cmpopts.EquateEmpty(),
			cmpopts.IgnoreFields(outbox.Message{}, "DueAt", "CreatedAt", "DeadAt", "FailingSince")); diff != "" || err != nil {
			t.Fatalf("dead letters (-want +got):\n%s%v", diff, err)
		}
		if letters[0].DeadAt.IsZero() {
			t.Error("DeadAt is zero")
		}
		if err := b.Retry(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		runUntil(t, b, func() bool { return handled.Load() == id })
		if letters, err := b.DeadLetters(t.Context()); len(letters) != 0 || err != nil {
			t.Errorf("dead letters %v, %v", letters, err)
		}
	})
}

// A message that fails for a week is given up; it may have waited for longer before it failed.
func TestGivingUp(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		b := newBench(db, fail)
		id := add(t, db, outbox.Message{Kind: "k"})
		wantDead := func(want bool) {
			t.Helper()
			wantTry(t, b, id, errWrong)
			letters, err := b.DeadLetters(t.Context())
			if got := len(letters) == 1; got != want || err != nil {
				t.Errorf("dead: %v, %v, want %v", got, err, want)
			}
			if logged := strings.Contains(b.log.String(), "level=ERROR"); logged != want {
				t.Errorf("logged as an error: %v, want %v", logged, want)
			}
			b.log.Reset()
		}
		b.forward(30 * 24 * time.Hour) // nothing ran
		wantDead(false)
		b.forward(outbox.GiveUpAfter - time.Minute)
		wantDead(false)
		b.forward(2 * time.Minute)
		wantDead(true)
		if err := b.Retry(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		wantDead(false) // it has another week
	})
}

func TestRetry(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		b := newBench(db, func(context.Context, outbox.Message) error { return outbox.Later(errWrong, time.Hour) })
		id := add(t, db, outbox.Message{Kind: "k", AccountID: "acc_1"})
		wantTry(t, b, id, errWrong)
		if err := b.Retry(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		var attempts atomic.Int64
		b.handle(func(_ context.Context, m outbox.Message) error { attempts.Store(int64(m.Attempts)); return errWrong })
		runUntil(t, b, func() bool { return attempts.Load() != 0 })
		if got := attempts.Load(); got != 2 {
			t.Errorf("the attempt after the retry is number %d, want 2: an earlier one may have arrived", got)
		}

		end := stuck(t, b, id, nil)
		wantRetry(t, b, id, outbox.ErrLeased)
		drop(t, db, "acc_1", "k")
		wantRetry(t, b, id, outbox.ErrGone)
		end()
		wantRetry(t, b, id, outbox.ErrGone)
		wantRetry(t, b, "msg_unheard_of", outbox.ErrGone)
	})
}

func wantRetry(t *testing.T, b *bench, id string, want error) {
	t.Helper()
	if err := b.Retry(t.Context(), id); !errors.Is(err, want) {
		t.Errorf("Retry: got %v, want %v", err, want)
	}
}

func TestRetryDead(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		b := newBench(db, func(context.Context, outbox.Message) error { return outbox.Dead(errWrong) })
		for range 2 {
			wantTry(t, b, add(t, db, outbox.Message{Kind: "k"}), errWrong)
		}
		pending := add(t, db, outbox.Message{Kind: "k", DueAt: time.Now().Add(time.Hour)})
		if n, err := b.RetryDead(t.Context(), ""); n != 2 || err != nil {
			t.Errorf("retried %d, %v, want 2", n, err)
		}
		if letters, err := b.DeadLetters(t.Context()); len(letters) != 0 || err != nil {
			t.Errorf("dead letters %v, %v", letters, err)
		}
		if got := b.dueIn(t, pending); got < 50*time.Minute {
			t.Errorf("what was not dead is due in %v", got)
		}
	})
}

func TestOwedAndStats(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		b := newBench(db, func(context.Context, outbox.Message) error { return outbox.Dead(errWrong) })
		if got, err := b.Stats(t.Context()); err != nil || got.OldestPending != 0 || len(got.Pending)+len(got.Dead) != 0 {
			t.Errorf("empty: %+v, %v", got, err)
		}
		dead := add(t, db, outbox.Message{Kind: "k"})
		wantTry(t, b, dead, errWrong)
		dropped := add(t, db, outbox.Message{Kind: "k", AccountID: "acc_1"})
		end := stuck(t, b, dropped, nil)
		drop(t, db, "acc_1", "k")
		want := []string{dead}
		for _, kind := range []string{"k", "k", "k2"} {
			want = append(want, add(t, db, outbox.Message{Kind: kind}))
		}
		owed, err := b.Owed(t.Context())
		var got []string
		for _, m := range owed {
			got = append(got, m.ID)
		}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("owed (-want +got):\n%s%v", diff, err)
		}
		b.forward(time.Hour)
		stats, err := b.Stats(t.Context())
		stats.OldestPending = stats.OldestPending.Round(time.Minute)
		wantStats := outbox.Stats{
			Pending: map[string]int64{"k": 2, "k2": 1}, Dead: map[string]int64{"k": 1}, OldestPending: time.Hour,
		}
		if diff := cmp.Diff(wantStats, stats); diff != "" || err != nil {
			t.Errorf("stats (-want +got):\n%s%v", diff, err)
		}
		end()
	})
}
