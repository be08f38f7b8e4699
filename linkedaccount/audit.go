package linkedaccount

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/google/uuid"

	"linkgate/database"
)

const maxDetail = 1000 // bytes

// Event is an entry of the audit trail. It never holds a secret.
type Event struct {
	At         time.Time // zero: now
	Name       string    // such as link.refused, callback.wrong_browser
	HostUserID string
	AuthID     string
	AccountID  string
	Detail     string
}

// Audit appends to the audit trail, which nothing here changes or removes.
func (s *Store) Audit(ctx context.Context, e Event) error {
	id, err := uuid.NewV7() // in order of time within a millisecond too
	if err != nil {
		return fmt.Errorf("making an audit id: %w", err)
	}
	if e.At.IsZero() {
		e.At = s.now()
	}
	err = s.DB.InTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO audit (id, at, name, host_user_id, auth_id, account_id, detail)
			VALUES ($1, $2, $3, $4, $5, $6, $7)`, id.String(), database.Millis(e.At), e.Name,
			database.Clip(e.HostUserID, maxDetail), database.Clip(e.AuthID, maxDetail), e.AccountID, database.Clip(e.Detail, maxDetail))
		return err
	})
	if err != nil {
		return fmt.Errorf("writing the audit trail: %w", err)
	}
	return nil
}

// Events reads the newest n entries of the audit trail, newest first.
func (s *Store) Events(ctx context.Context, n int) (events []Event, err error) {
	ctx, cancel := database.ForRead(ctx)
	defer cancel()
	events, err = database.Collect(ctx, s.DB, scanEvent, `SELECT at, name, host_user_id, auth_id, account_id, detail
		FROM audit ORDER BY id DESC LIMIT $1`, n)
	if err != nil {
		return nil, fmt.Errorf("reading the audit trail: %w", err)
	}
	return events, nil
}

func scanEvent(row database.Row) (e Event, err error) {
	var at int64
	err = row.Scan(&at, &e.Name, &e.HostUserID, &e.AuthID, &e.AccountID, &e.Detail)
	e.At = database.Time(at)
	return e, err
}
