package event

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"time"

	"linkgate/database"
	"linkgate/outbox"
)

// KeptFor is how long an event can be read, and replayed.
const KeptFor = 30 * 24 * time.Hour

const (
	purgeEvery = time.Hour
	purgeBatch = 1000
)

// Run removes events that are older than KeptFor, now and then until ctx ends, and dead letters of
// deliveries that were given up that long ago.
func (l *Log) Run(ctx context.Context, box *outbox.Box, log *slog.Logger) {
	for {
		n, err := l.Purge(ctx)
		if err == nil {
			_, err = box.Forget(ctx, Kind, l.now().Add(-KeptFor))
		}
		switch {
		case err != nil && ctx.Err() == nil:
			log.Warn("removing old events", "removed", n, "error", err)
		case n > 0:
			log.Info("removed events older than 30 days", "removed", n)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(purgeEvery):
		}
	}
}

// Purge removes events that are older than KeptFor, and returns how many they were.
func (l *Log) Purge(ctx context.Context) (count int64, err error) {
	for {
		n, err := l.purge(ctx, l.now().Add(-KeptFor))
		count += n
		if err != nil {
			return count, fmt.Errorf("removing old events: %w", err)
		}
		if n < purgeBatch {
			return count, nil
		}
	}
}

// purge removes one batch: a transaction of its own, since others wait for it in SQLite.
func (l *Log) purge(ctx context.Context, before time.Time) (n int64, err error) {
	err = l.DB.InTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `DELETE FROM events WHERE sequence IN
			(SELECT sequence FROM events WHERE at < $1 ORDER BY at LIMIT $2)`, database.Millis(before), purgeBatch)
		if err != nil {
			return err
		}
		n, err = result.RowsAffected()
		return err
	})
	return n, err
}
