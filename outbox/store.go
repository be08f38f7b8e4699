package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"linkgate/database"
)

// leaseTime leaves room after HandlerTimeout for saving the outcome.
const leaseTime = 30 * time.Second

const maxLastError = 500

// lease is the right to work on a message until its end.
type lease struct {
	message Message
	owner   string // of this lease alone
}

const columns = "id, kind, account_id, payload, attempts, due_at, created_at, failing_since, last_error, dead_at, ordinal"

func scanMessage(r database.Row) (m Message, err error) {
	var due, created, failing, dead int64
	err = r.Scan(&m.ID, &m.Kind, &m.AccountID, &m.Payload, &m.Attempts, &due, &created, &failing, &m.LastError, &dead, &m.Ordinal)
	m.DueAt, m.CreatedAt = database.Time(due), database.Time(created)
	m.FailingSince, m.DeadAt = database.Time(failing), database.Time(dead)
	return m, err
}

// unblocked holds for a message whose account has no dropped message being worked on ($1: now),
// and whose turn it is.
const unblocked = ` NOT EXISTS (SELECT 1 FROM outbox dropped WHERE dropped.account_id = outbox.account_id
	AND dropped.dropped_at <> 0 AND dropped.lease_until > $1)` + itsTurn

// itsTurn holds for a message without ordinal, and for the first of its account and kind that lives.
const itsTurn = ` AND (outbox.ordinal = 0 OR NOT EXISTS (SELECT 1 FROM outbox earlier
	WHERE earlier.account_id = outbox.account_id AND earlier.kind = outbox.kind
	AND earlier.ordinal <> 0 AND earlier.ordinal < outbox.ordinal AND earlier.dead_at = 0))`

const dueQuery = "SELECT id, kind FROM outbox WHERE dead_at = 0 AND due_at <= $1 AND kind <> $2 AND" + unblocked +
	" ORDER BY due_at LIMIT $3"

type dueMessage struct{ id, kind string }

func scanDue(row database.Row) (m dueMessage, err error) {
	err = row.Scan(&m.id, &m.kind)
	return m, err
}

// due lists up to limit messages to work on, the one that waits longest first; none of the kind
// except, unless that is empty.
func (b *Box) due(ctx context.Context, except string, limit int) (messages []dueMessage, err error) {
	ctx, cancel := database.ForRead(ctx)
	defer cancel()
	messages, err = database.Collect(ctx, b.DB, scanDue, dueQuery, database.Millis(b.now()), except, limit)
	if err != nil {
		return nil, fmt.Errorf("looking for due messages: %w", err)
	}
	return messages, nil
}

// lease takes a message: any if anyTime, else one that is due and not dead. ErrLeased, ErrGone.
// It counts the attempt now, so that one that ends in a crash counts.
func (b *Box) lease(ctx context.Context, id string, anyTime bool) (l lease, err error) {
	owner := uuid.NewString()
	err = b.DB.InTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		now := b.now()
		message, err := scanMessage(tx.QueryRowContext(ctx, `UPDATE outbox
			SET lease_owner = $2, lease_until = $3, due_at = $3, dead_at = 0, attempts = attempts + 1
			WHERE id = $4 AND dropped_at = 0 AND lease_until <= $1
			AND ($5 OR dead_at = 0 AND due_at <= $1) AND`+unblocked+" RETURNING "+columns,
			database.Millis(now), owner, database.Millis(now.Add(leaseTime)), id, anyTime))
		if errors.Is(err, sql.ErrNoRows) {
			return notLeased(ctx, tx, id)
		}
		l = lease{message, owner}
		return err
	})
	if err != nil && !errors.Is(err, ErrLeased) && !errors.Is(err, ErrGone) {
		err = fmt.Errorf("leasing a message: %w", err)
	}
	return l, err
}

// notLeased tells why a message could not be leased.
func notLeased(ctx context.Context, tx *sql.Tx, id string) error {
	var droppedAt int64
	err := tx.QueryRowContext(ctx, "SELECT dropped_at FROM outbox WHERE id = $1", id).Scan(&droppedAt)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return ErrGone
	case err != nil:
		return err
	case droppedAt != 0:
		return ErrGone
	}
	return ErrLeased
}

// sweep removes a dropped message whose attempt ended in a crash.
func (b *Box) sweep(ctx context.Context, id string) error {
	return b.DB.InTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM outbox WHERE id = $1 AND dropped_at <> 0 AND lease_until <= $2",
			id, database.Millis(b.now()))
		return err
	})
}

// errLeaseLost: the attempt took longer than its lease, and the message is somebody else's now.
var errLeaseLost = errors.New("the lease was over before the outcome was saved")

// failed is what is to be saved of a message after outcome, its latest failure.
func failed(m Message, outcome error, p Patience, now time.Time) Message {
	if m.FailingSince.IsZero() {
		m.FailingSince = now
	}
	m.DueAt = now.Add(delay(outcome, m.Attempts, p.MaxBackoff))
	m.LastError = database.Clip(outcome.Error(), maxLastError)
	if isDead(outcome) || now.Sub(m.FailingSince) >= p.GiveUpAfter {
		m.DueAt, m.DeadAt = now, now
	}
	return m
}

func (b *Box) patience(kind string) Patience {
	if p, ok := b.Patience[kind]; ok {
		return p
	}
	return Patience{GiveUpAfter: GiveUpAfter, MaxBackoff: maxBackoff}
}

// finish gives the lease back with the outcome of the attempt, and returns the message as saved.
func (b *Box) finish(ctx context.Context, l lease, outcome error) (m Message, err error) {
	m = l.message
	if outcome != nil {
		m = failed(m, outcome, b.patience(m.Kind), b.now())
	}
	err = b.DB.InTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if outcome == nil {
			return mustAffect(tx.ExecContext(ctx, "DELETE FROM outbox WHERE id = $1 AND lease_owner = $2", m.ID, l.owner))
		}
		err := mustAffect(tx.ExecContext(ctx, `UPDATE outbox
			SET lease_owner = '', lease_until = 0, due_at = $3, dead_at = $4, last_error = $5, failing_since = $6
			WHERE id = $1 AND lease_owner = $2`, m.ID, l.owner, database.Millis(m.DueAt), database.Millis(m.DeadAt),
			m.LastError, database.Millis(m.FailingSince)))
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM outbox WHERE id = $1 AND dropped_at <> 0", m.ID)
		return err
	})
	return m, err
}

func mustAffect(r sql.Result, err error) error {
	if n, err := affected(r, err); err != nil || n > 0 {
		return err
	}
	return errLeaseLost
}

func affected(r sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}
