// Package outbox keeps durable promises to call somebody: a message is written in the same
// transaction as the change it belongs to, leased by one replica at a time, tried until it is
// done, backed off when it fails, and kept as a dead letter when it can never succeed.
package outbox

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"time"

	"linkgate/database"
)

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
	Attempts  int    // how often it has been leased, this time included; 1 on the first try
	DueAt     time.Time
	CreatedAt time.Time
	LastError string    // of the latest failure; never holds a secret
	DeadAt    time.Time // zero: alive
}

// Handler does what a message promises. nil: done, the message is removed. An error from Later
// sets the next attempt; one from Dead makes a dead letter; any other error is backed off.
// It must be safe to run again after it succeeded: a crash may come before the removal.
type Handler func(ctx context.Context, m Message) error

// Later wraps err so that the next attempt is not before after has passed.
func Later(err error, after time.Duration) error { panic("unwritten") }

// Dead wraps err so that the message is kept as a dead letter and not tried again.
func Dead(err error) error { panic("unwritten") }

// Add writes a message in tx, due at m.DueAt (zero: Grace from now, so that the process that
// commits can Try it first). It returns the message's id, new if m.ID is empty.
func Add(ctx context.Context, tx *sql.Tx, m Message) (id string, err error) { panic("unwritten") }

// Drop removes an account's messages of a kind, in tx.
func Drop(ctx context.Context, tx *sql.Tx, accountID, kind string) error { panic("unwritten") }

// Box works off the messages of one database.
type Box struct {
	DB       *database.DB
	Handlers map[string]Handler
	Log      *slog.Logger
	Now      func() time.Time // nil: time.Now
}

// Try leases the message now, whatever its due time, and runs it. It returns the handler's
// error, ErrLeased or ErrGone.
func (b *Box) Try(ctx context.Context, id string) error { panic("unwritten") }

// Run works off due messages until ctx ends, then waits for those under way.
func (b *Box) Run(ctx context.Context) error { panic("unwritten") }
