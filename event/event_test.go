package event_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"linkgate/database"
	"linkgate/database/databasetest"
	"linkgate/event"
)

func diff(t *testing.T, want, got any) {
	t.Helper()
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

// TestPullerMissesNone: sixteen writers, whose transactions begin in one order and end in another,
// and a puller who goes on from the last event that it has seen.
func TestPullerMissesNone(t *testing.T) {
	t.Parallel()
	databasetest.EachOptions(t, func(t *testing.T, o database.Options) {
		const writers, each = 16, 12
		log := &event.Log{DB: databasetest.Open(t, o)}
		var writing sync.WaitGroup
		var ended atomic.Bool
		for i := range writers {
			db := log.DB
			if i%2 == 1 { // another replica
				db = databasetest.Open(t, o)
			}
			writing.Go(func() {
				for j := range each {
					err := db.InTx(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
						if err := log.Append(ctx, tx, []event.Event{refreshed(fmt.Sprint("acc_", i))}); err != nil {
							return err
						}
						time.Sleep(time.Duration((i+j)%4) * time.Millisecond) // some commit late
						return nil
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		go func() { writing.Wait(); ended.Store(true) }()
		var got []int64
		for after, last := int64(0), false; !last; {
			last = ended.Load() // then this is the last look
			events, err := log.After(t.Context(), after, 5)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range events {
				got = append(got, e.Sequence)
				after, last = e.Sequence, false
			}
		}
		want := make([]int64, writers*each)
		for i := range want {
			want[i] = int64(i + 1)
		}
		diff(t, want, got)
	})
}

func TestAppend(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		stopped := refreshed("acc_2")
		stopped.Type, stopped.Data = event.ComponentStopped, map[string]string{"component_id": "flow-1", "reason": "unlinked"}
		w.append(t, refreshed("acc_1"), stopped)
		undo := errors.New("no")
		err := db.InTx(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
			return errors.Join(w.log.Append(ctx, tx, []event.Event{refreshed("acc_1")}), undo)
		})
		if !errors.Is(err, undo) {
			t.Error(err)
		}
		w.append(t)
		w.append(t, refreshed("acc_1"))
		got := w.logged(t)
		want := []event.Event{refreshed("acc_1"), stopped, refreshed("acc_1")}
		for i := range want {
			want[i].Sequence = int64(i + 1)
		}
		if d := cmp.Diff(want, got, cmpopts.IgnoreFields(event.Event{}, "ID", "At")); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
		for _, e := range got {
			if len(e.ID) != len("evt_0199f2a1-7c3e-7b52-9a0e-3f1d5c8b2a44") || time.Since(e.At).Abs() > time.Minute {
				t.Errorf("id %q, at %v", e.ID, e.At)
			}
		}
		if pending, dead := w.owed(t); pending != 3 || dead != 0 {
			t.Errorf("%d deliveries are owed, and %d dead", pending, dead)
		}
		rest, err := w.log.After(t.Context(), 2, 10)
		if err != nil || len(rest) != 1 || rest[0].ID != got[2].ID {
			t.Errorf("after the second: %v, %v", rest, err)
		}
	})
}

// Nobody to deliver to: the log alone.
func TestAppendWithoutWebhook(t *testing.T) {
	t.Parallel()
	w := newWorld(t, databasetest.Open(t, database.Options{DataDir: t.TempDir()}))
	w.log.Deliver = false
	w.append(t, refreshed("acc_1"))
	if pending, dead := w.owed(t); pending+dead != 0 || len(w.logged(t)) != 1 {
		t.Errorf("%d deliveries are owed, %d events logged", pending+dead, len(w.logged(t)))
	}
}

func TestPurge(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		many := make([]event.Event, 1005) // more than a batch
		for i := range many {
			many[i] = refreshed("acc_1")
		}
		w.append(t, many...)
		w.ahead.Add(int64(20 * 24 * time.Hour))
		w.append(t, refreshed("acc_2"))
		w.ahead.Add(int64(11 * 24 * time.Hour))
		if n, err := w.log.Purge(t.Context()); n != 1005 || err != nil {
			t.Errorf("purged %d, %v", n, err)
		}
		left := w.logged(t)
		if len(left) != 1 || left[0].Sequence != 1006 {
			t.Errorf("left: %v", left)
		}
		w.append(t, refreshed("acc_3"))
		if left = w.logged(t); left[len(left)-1].Sequence != 1007 {
			t.Errorf("a purge starts the count anew: %v", left)
		}
	})
}
