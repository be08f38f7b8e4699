package linkedaccount

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"linkgate/database"
)

// Component is something of the app owner's that uses an account: a flow, a card, a job. It uses one
// at most, which is live: an account that is being taken back is nobody's to use any more, and one
// whose user must sign in again keeps its components for when the user does.
type Component struct {
	ID         string // the owner's
	HostUserID string // the account's
	AccountID  string
	AuthID     string
	BoundAt    time.Time // since when it uses this account
}

const maxComponentID = 256 // bytes

// ErrComponentID: the owner's id of a component can't be kept.
var ErrComponentID = fmt.Errorf("a component's id is plain text of 1 to %d bytes", maxComponentID)

// IsComponentID tells whether a component can have this id.
func IsComponentID(id string) bool {
	return id != "" && len(id) <= maxComponentID && isComparable(id) && !strings.ContainsFunc(id, unicode.IsControl)
}

// Bind has a component use an account in place of whichever it used. ErrNotFound: the account is not
// this user's, or not live; ErrComponentID.
func (s *Store) Bind(ctx context.Context, componentID, hostUserID, accountID string) (c Component, err error) {
	if !IsComponentID(componentID) {
		return Component{}, ErrComponentID
	}
	err = s.change(ctx, accountID, func(ctx context.Context, tx *tx, r record) error {
		if r.HostUserID != hostUserID || !r.live() {
			return ErrNotFound
		}
		c = Component{ID: componentID, HostUserID: hostUserID, AccountID: accountID, AuthID: r.AuthID}
		var at int64
		err := tx.QueryRowContext(ctx, `INSERT INTO components (id, host_user_id, account_id, auth_id, bound_at)
			VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO UPDATE SET bound_at = CASE
			WHEN components.account_id = excluded.account_id THEN components.bound_at ELSE excluded.bound_at END,
			host_user_id = excluded.host_user_id, account_id = excluded.account_id, auth_id = excluded.auth_id
			RETURNING bound_at`, c.ID, c.HostUserID, c.AccountID, c.AuthID, database.Millis(s.now())).Scan(&at)
		c.BoundAt = database.Time(at)
		return err
	})
	s.rebound(componentID)
	if err != nil {
		return Component{}, fmt.Errorf("binding a component: %w", err)
	}
	return c, nil
}

// Unbind forgets which account a component uses; the account stays. One that uses none is no error.
func (s *Store) Unbind(ctx context.Context, componentID string) error {
	if !IsComponentID(componentID) {
		return nil
	}
	_, err := s.exec(ctx, "unbinding a component", "DELETE FROM components WHERE id = $1", componentID)
	s.rebound(componentID)
	return err
}

func (s *Store) rebound(componentID string) {
	if s.Rebound != nil {
		s.Rebound(componentID)
	}
}

const componentColumns = "SELECT id, host_user_id, account_id, auth_id, bound_at FROM components "

func scanComponent(row database.Row) (c Component, err error) {
	var at int64
	err = row.Scan(&c.ID, &c.HostUserID, &c.AccountID, &c.AuthID, &at)
	c.BoundAt = database.Time(at)
	return c, err
}

// BoundAccount tells which account a component uses; ErrNotFound: none.
func (s *Store) BoundAccount(ctx context.Context, componentID string) (Component, error) {
	if !IsComponentID(componentID) {
		return Component{}, ErrNotFound
	}
	ctx, cancel := database.ForRead(ctx)
	defer cancel()
	c, err := scanComponent(s.DB.QueryRowContext(ctx, componentColumns+"WHERE id = $1", componentID))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Component{}, ErrNotFound
	case err != nil:
		return Component{}, fmt.Errorf("reading a component: %w", err)
	}
	return c, nil
}

// ComponentsOf lists up to limit components that use an account, by id, from behind the one with the
// id after; with 0 for limit, DefaultLimit.
func (s *Store) ComponentsOf(ctx context.Context, accountID, after string, limit int) (found []Component, err error) {
	if !isComparable(accountID) || !isComparable(after) {
		return nil, nil
	}
	if limit <= 0 {
		limit = DefaultLimit
	}
	ctx, cancel := database.ForRead(ctx)
	defer cancel()
	found, err = database.Collect(ctx, s.DB, scanComponent,
		componentColumns+"WHERE account_id = $1 AND id > $2 ORDER BY id LIMIT $3", accountID, after, limit)
	if err != nil {
		return nil, fmt.Errorf("reading components: %w", err)
	}
	return found, nil
}

// stopComponents tells of each component of an account that it has lost its use. What is bound to an
// account that is gone is unbound.
func stopComponents(ctx context.Context, tx *tx, a Account, why StopReason) error {
	statement := "DELETE FROM components WHERE account_id = $1 RETURNING id"
	if why == StoppedReauthRequired {
		statement = "SELECT id FROM components WHERE account_id = $1"
	}
	stopped, err := database.Collect(ctx, tx, scanID, statement, a.ID)
	if err != nil {
		return fmt.Errorf("stopping components: %w", err)
	}
	slices.Sort(stopped)
	for _, id := range stopped {
		tx.emitStopped(a, id, why)
	}
	return nil
}
