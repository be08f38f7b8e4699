package apikey

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"linkgate/database"
)

const (
	// memoryTime is how long keys are used as they were read: a key that another replica or a command
	// has revoked is refused everywhere within it.
	memoryTime = 5 * time.Second
	// readPause is between readings for the sake of unknown keys: however many of those are tried,
	// they cost the database five readings a second.
	readPause = 200 * time.Millisecond
	// noteTime bounds the writing of when a key was last used.
	noteTime = 10 * time.Second
)

// snapshot is every key in force, as they were when reading began.
type snapshot struct {
	keys  map[string]Key
	begun time.Time
}

// find is the key in force with this id, from memory if that is fresh. A key that is not there is
// looked for once more, in a reading that begins after it was asked for: one that was just made is
// always known. There are few keys, so that all are read at once.
func (s *Store) find(ctx context.Context, id string) (Key, error) {
	asked := s.now()
	for {
		known := s.known.Load()
		if known != nil && asked.Sub(known.begun) < memoryTime {
			if k, ok := known.keys[id]; ok {
				return k, nil
			}
			if known.begun.After(asked) {
				return Key{}, ErrUnknown
			}
			if err := s.pause(ctx, known.begun); err != nil {
				return Key{}, err
			}
		}
		if err := s.read(ctx, asked); err != nil {
			return Key{}, err
		}
	}
}

// pause waits until there may be another reading.
func (s *Store) pause(ctx context.Context, last time.Time) error {
	timer := time.NewTimer(readPause - s.now().Sub(last))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("looking for an API key: %w", ctx.Err())
	}
}

// read reads all keys, unless somebody has done so after asked. Callers that come at once share one
// reading, which goes on when the first of them leaves.
func (s *Store) read(ctx context.Context, asked time.Time) error {
	landed := s.reading.DoChan("", func() (any, error) {
		if known := s.known.Load(); known != nil && known.begun.After(asked) {
			return nil, nil
		}
		s.reads.Add(1)
		next := &snapshot{begun: s.now(), keys: map[string]Key{}}
		all, err := s.query(context.WithoutCancel(ctx), "WHERE revoked_at = 0")
		if err != nil {
			return nil, err
		}
		for _, k := range all {
			next.keys[k.ID] = k
		}
		s.known.Store(next)
		return nil, nil
	})
	select {
	case <-ctx.Done():
		return fmt.Errorf("looking for an API key: %w", ctx.Err())
	case result := <-landed:
		return result.Err
	}
}

// touch notes in SQL that a key was used, to the minute and once a minute. Nobody waits for it, and
// one that fails is made up for a minute later.
func (s *Store) touch(ctx context.Context, k Key) {
	if k.InEnvironment() {
		return
	}
	minute := s.now().Truncate(time.Minute)
	noted, _ := s.touched.LoadOrStore(k.ID, new(atomic.Int64))
	last := noted.(*atomic.Int64)
	if before := last.Load(); before >= minute.Unix() || !last.CompareAndSwap(before, minute.Unix()) {
		return
	}
	ctx = context.WithoutCancel(ctx)
	s.writing.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, noteTime)
		defer cancel()
		err := s.DB.InTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, "UPDATE api_keys SET used_at = $1 WHERE id = $2 AND used_at < $1", database.Millis(minute), k.ID)
			return err
		})
		if err != nil {
			s.log().WarnContext(ctx, "when an API key was last used could not be noted", "key", k.ID, "error", err)
		}
	})
}

// Wait returns when what Authenticate has left behind is written. No requests may come meanwhile.
func (s *Store) Wait() { s.writing.Wait() }

func (s *Store) log() *slog.Logger {
	if s.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return s.Log
}
