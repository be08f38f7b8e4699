// Package outbox keeps durable promises to call somebody: a message is written in the same
// transaction as the change it belongs to, leased by one replica at a time, tried until it is
// done, backed off when it fails, and kept as a dead letter when it can never succeed or has failed
// for a week, or for as long as Box.Patience has for its kind. Dead letters are what an operator must look at: they are logged, counted for
// Prometheus, listed, and retried by hand.
//
// A lease outlasts the deadline of the handler that runs under it, and every lease has an owner
// of its own, so that a process which comes late with its result changes nothing. A message that
// is dropped while it is leased stays until the lease is over, and until then the account's other
// messages wait: what replaces it never runs beside it.
//
// The file store.go has the SQL of the work, run.go the work, outcome.go what a handler's error
// means; letters.go and metrics.go are for operators.
package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"linkgate/database"
)

// GiveUpAfter is how long a message may fail before it becomes a dead letter: long enough for a
// service or a host to come back after a holiday, and for somebody to have seen the warnings.
const GiveUpAfter = 7 * 24 * time.Hour

// Grace is how long a new message is left to the process that committed it.
const Grace = 6 * time.Second

// Try's two ways of having nothing to do.
var (
	ErrLeased = errors.New("another process is at this message")
	ErrGone   = errors.New("the message is done or dropped")
)

// Message is one promise.
type Message struct {
	ID        string
	Kind      string // chooses the Handler
	AccountID string // what it is about
	Payload   []byte // the handler's own; never a secret in the clear
	// Ordinal, where it is not 0, is the message's place among those of its account and kind: it waits
	// until those with a smaller one are done, dropped or dead.
	Ordinal   int64
	Attempts  int // how often it has been leased, this time included; 1 on the first try
	DueAt     time.Time
	CreatedAt time.Time
	// FailingSince is when it failed first, or first since Retry; zero: it has not.
	FailingSince time.Time
	LastError    string    // of the latest failure; never holds a secret
	DeadAt       time.Time // zero: alive
}

// Handler does what a message promises. nil: done, the message is removed. An error from Later
// sets the next attempt; one from Dead makes a dead letter; any other error is backed off, until
// GiveUpAfter, or its kind's, has passed since the first.
// It must be safe to run again after it succeeded: a crash may come before the removal. Its
// context ends after HandlerTimeout, and it must then return: another process may take over.
type Handler func(ctx context.Context, m Message) error

// Add writes a message in tx, due at m.DueAt (zero: Grace from now, so that the process that
// commits can Try it first). It returns the message's id, new if m.ID is empty.
func Add(ctx context.Context, tx *sql.Tx, m Message) (id string, err error) {
	now := time.Now()
	if m.ID == "" {
		v7, err := uuid.NewV7()
		if err != nil {
			return "", fmt.Errorf("making a message id: %w", err)
		}
		m.ID = "msg_" + v7.String()
	}
	if m.DueAt.IsZero() {
		m.DueAt = now.Add(Grace)
	}
	if m.Payload == nil {
		m.Payload = []byte{}
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO outbox
		(id, kind, account_id, payload, attempts, due_at, lease_until, lease_owner, created_at, last_error, dead_at, dropped_at, ordinal)
		VALUES ($1, $2, $3, $4, 0, $5, 0, '', $6, '', 0, 0, $7)`,
		m.ID, m.Kind, m.AccountID, m.Payload, database.Millis(m.DueAt), database.Millis(now), m.Ordinal)
	if err != nil {
		return "", fmt.Errorf("writing a message: %w", err)
	}
	return m.ID, nil
}

// Drop removes an account's messages of a kind, in tx. One that somebody is at now is not run
// again, and the account's other messages wait until that attempt is over.
func Drop(ctx context.Context, tx *sql.Tx, accountID, kind string) error {
	// First the mark, which waits for a lease being taken or given up; then what nobody holds.
	_, err := tx.ExecContext(ctx, `UPDATE outbox SET dropped_at = $1
		WHERE account_id = $2 AND kind = $3 AND dropped_at = 0`, database.Millis(time.Now()), accountID, kind)
	if err != nil {
		return fmt.Errorf("dropping messages: %w", err)
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM outbox
		WHERE account_id = $1 AND kind = $2 AND lease_owner = ''`, accountID, kind)
	if err != nil {
		return fmt.Errorf("dropping messages: %w", err)
	}
	return nil
}

// Pending finds an account's message of a kind that is still to be done, a dead letter included;
// the id is empty when there is none.
func Pending(ctx context.Context, tx *sql.Tx, accountID, kind string) (id string, err error) {
	err = tx.QueryRowContext(ctx, `SELECT id FROM outbox
		WHERE account_id = $1 AND kind = $2 AND dropped_at = 0 ORDER BY id LIMIT 1`, accountID, kind).Scan(&id)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("looking for a message: %w", err)
	}
	return id, nil
}

// Patience is how long a kind of message is tried, and how often.
type Patience struct {
	GiveUpAfter time.Duration // how long it may fail before it is a dead letter
	MaxBackoff  time.Duration // the longest time from one attempt to the next, where the handler has not said
}

// Box works off the messages of one database.
type Box struct {
	DB       *database.DB
	Handlers map[string]Handler
	Log      *slog.Logger
	Now      func() time.Time // nil: the database's clock
	Interval time.Duration    // from one look for due messages to the next; zero: a second
	// Patience is that of kinds which have another than GiveUpAfter and five minutes.
	Patience map[string]Patience

	clock   clock
	ongoing ongoing
}

// Wait returns when no message is being worked on here: when those that Try has left behind are
// done as well. They end within HandlerTimeout and the time it takes to save the outcome.
func (b *Box) Wait() { b.ongoing.wait() }
