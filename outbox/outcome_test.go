package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"linkgate/database"
	"linkgate/database/databasetest"
)

func TestBackoffCap(t *testing.T) {
	for _, tt := range []struct {
		attempt int
		want    time.Duration
	}{
		{0, time.Second}, {1, time.Second}, {2, 2 * time.Second}, {5, 16 * time.Second},
		{9, 256 * time.Second}, {10, 5 * time.Minute}, {70, 5 * time.Minute}, {math.MaxInt, 5 * time.Minute},
	} {
		if got := backoffCap(tt.attempt, maxBackoff); got != tt.want {
			t.Errorf("attempt %d: got %v, want %v", tt.attempt, got, tt.want)
		}
	}
}

func TestDelay(t *testing.T) {
	wrong := errors.New("wrong")
	for _, tt := range []struct {
		name     string
		err      error
		attempt  int
		min, max time.Duration
	}{
		{"first", wrong, 1, time.Millisecond, time.Second + time.Millisecond},
		{"fourth", wrong, 4, time.Millisecond, 8*time.Second + time.Millisecond},
		{"later", Later(wrong, 30*time.Second), 1, 30 * time.Second, 33 * time.Second},
		{"later, wrapped", fmt.Errorf("calling: %w", Later(wrong, time.Minute)), 1, time.Minute, 66 * time.Second},
		{"much later", Later(wrong, 1000*time.Hour), 1, time.Hour, 66 * time.Minute},
		{"soon", Later(wrong, time.Millisecond), 9, time.Second, 1100 * time.Millisecond},
		{"no later", Later(wrong, 0), 1, time.Millisecond, time.Second + time.Millisecond},
		{"in the past", Later(wrong, -time.Hour), 1, time.Millisecond, time.Second + time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			seen := make(map[time.Duration]bool)
			for range 200 {
				got := delay(tt.err, tt.attempt, maxBackoff)
				if got < tt.min || got > tt.max {
					t.Fatalf("got %v, want %v to %v", got, tt.min, tt.max)
				}
				seen[got] = true
			}
			if len(seen) < 100 {
				t.Errorf("200 delays have only %d values: no jitter", len(seen))
			}
		})
	}
}

// Whoever does not say when to come back is left alone for longer and longer.
func TestGapsGrow(t *testing.T) {
	wrong := errors.New("wrong")
	for name, err := range map[string]error{"plain": wrong, "no later": Later(wrong, 0)} {
		longest := time.Duration(0)
		for attempt := 1; attempt <= 9; attempt++ {
			before := longest
			for range 200 { // one of them is in the upper half
				longest = max(longest, delay(err, attempt, maxBackoff))
			}
			if longest <= before || longest < backoffCap(attempt, maxBackoff)/2 {
				t.Errorf("%s: the longest gap is %v after attempt %d, and %v after the one before", name, longest, attempt, before)
			}
		}
	}
}

func TestOutcomesKeepTheirError(t *testing.T) {
	for _, err := range []error{Later(io.EOF, time.Second), Dead(io.EOF)} {
		if !errors.Is(err, io.EOF) || err.Error() != io.EOF.Error() {
			t.Errorf("%T hides what it wraps", err)
		}
	}
}

// Idle, the question once a second is a look at the end of an index.
func TestDueQueryIsIndexed(t *testing.T) {
	db := databasetest.Open(t, database.Options{DataDir: t.TempDir()})
	plan, err := database.Collect(t.Context(), db, func(row database.Row) (detail string, err error) {
		var id, parent, unused int
		err = row.Scan(&id, &parent, &unused, &detail)
		return detail, err
	}, "EXPLAIN QUERY PLAN "+dueQuery, 1, "", 1)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(plan, "\n"); !strings.Contains(got, "SEARCH outbox USING INDEX outbox_due (due_at<?)") ||
		strings.Contains(got, "SCAN") || strings.Contains(got, "TEMP B-TREE") {
		t.Errorf("the plan does not go by the index:\n%s", got)
	}
}

func TestLeaseOutlastsTheHandler(t *testing.T) {
	if leaseTime < HandlerTimeout+storeTimeout {
		t.Errorf("a lease of %v ends before a handler's %v and saving's %v", leaseTime, HandlerTimeout, storeTimeout)
	}
}

func TestClockIsTheDatabases(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		b := &Box{DB: db}
		b.clock.offset.Store(int64(time.Hour)) // as if the database were an hour ahead
		if got := time.Until(b.now()); got < 59*time.Minute {
			t.Errorf("now() is only %v ahead", got)
		}
		if err := b.setClock(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		if got := time.Until(b.now()); got > time.Minute {
			t.Errorf("after asking the database, now() is still %v ahead", got)
		}
	})
}

// What has changed since Run saw the message as due counts.
func TestLeaseLooksAgain(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		b := &Box{DB: db}
		for id, set := range map[string]string{
			"backed off": "due_at = 32503680000000", "given up": "due_at = 0, dead_at = 1",
		} {
			err := db.InTx(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
				if _, err := Add(ctx, tx, Message{ID: id, Kind: "k"}); err != nil {
					return err
				}
				_, err := tx.ExecContext(ctx, "UPDATE outbox SET "+set+" WHERE id = $1", id)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := b.lease(t.Context(), id, false); !errors.Is(err, ErrLeased) {
				t.Errorf("%s: got %v, want ErrLeased", id, err)
			}
			if l, err := b.lease(t.Context(), id, true); err != nil || l.message.Attempts != 1 {
				t.Errorf("%s, whatever its due time: attempt %d, %v", id, l.message.Attempts, err)
			}
		}
	})
}
