package event

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"linkgate/database"
	"linkgate/outbox"
)

// ErrNotFound: there is no such event, or it was so long ago that it is not kept any more.
var ErrNotFound = errors.New("no such event")

const replayBatch = 500

// Replay has events delivered once more, in order, whether they were delivered before, are dead
// letters or wait for their next attempt. ErrNotFound when one of them is not known: then none is.
func (l *Log) Replay(ctx context.Context, box *outbox.Box, ids []string) error {
	events := make([]Event, 0, len(ids))
	for _, id := range ids {
		found, err := l.read(ctx, "id = $1", id)
		switch {
		case err != nil:
			return err
		case len(found) == 0:
			return fmt.Errorf("%w: %q", ErrNotFound, id)
		}
		events = append(events, found[0])
	}
	slices.SortFunc(events, func(a, b Event) int { return cmp.Compare(a.Sequence, b.Sequence) })
	events = slices.CompactFunc(events, func(a, b Event) bool { return a.ID == b.ID })
	return l.replay(ctx, box, events)
}

// ReplaySince has every event since a time delivered once more, and returns how many they are.
func (l *Log) ReplaySince(ctx context.Context, box *outbox.Box, since time.Time) (count int, err error) {
	last, err := l.last(ctx) // what comes later is delivered anyway
	for after := int64(0); err == nil; {
		var events []Event
		events, err = l.read(ctx, "at >= $1 AND sequence > $2 AND sequence <= $3 ORDER BY sequence LIMIT $4",
			database.Millis(since), after, last, replayBatch)
		if err != nil || len(events) == 0 {
			return count, err
		}
		after = events[len(events)-1].Sequence
		if err = l.replay(ctx, box, events); err == nil {
			count += len(events)
		}
	}
	return count, err
}

// CountSince is how many events ReplaySince would replay.
func (l *Log) CountSince(ctx context.Context, since time.Time) (n int, err error) {
	ctx, cancel := database.ForRead(ctx)
	defer cancel()
	err = l.DB.QueryRowContext(ctx, "SELECT count(*) FROM events WHERE at >= $1", database.Millis(since)).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("counting events: %w", err)
	}
	return n, nil
}

// Latest reads the newest n events, in order.
func (l *Log) Latest(ctx context.Context, n int) ([]Event, error) {
	events, err := l.read(ctx, "sequence > 0 ORDER BY sequence DESC LIMIT $1", n)
	slices.Reverse(events)
	return events, err
}

func (l *Log) last(ctx context.Context) (sequence int64, err error) {
	ctx, cancel := database.ForRead(ctx)
	defer cancel()
	if err := l.DB.QueryRowContext(ctx, "SELECT last FROM event_sequence").Scan(&sequence); err != nil {
		return 0, fmt.Errorf("counting events: %w", err)
	}
	return sequence, nil
}

// replay promises each event anew where there is no promise any more, in one transaction, so that no
// later one is delivered before an earlier one is promised; the others are made due.
func (l *Log) replay(ctx context.Context, box *outbox.Box, events []Event) error {
	err := l.DB.InTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for _, e := range events {
			switch err := box.RetryIn(ctx, tx, e.ID); {
			case errors.Is(err, outbox.ErrLeased): // it is being delivered at this moment
			case errors.Is(err, outbox.ErrGone):
				if err := promise(ctx, tx, e); err != nil {
					return err
				}
			case err != nil:
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("replaying events: %w", err)
	}
	return nil
}
