package linkedaccount

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"linkgate/database"
	"linkgate/event"
	"linkgate/provider"
	"linkgate/secret"
)

// Store keeps accounts in SQL.
type Store struct {
	DB      *database.DB
	Keyring *secret.Keyring
	Now     func() time.Time // nil: time.Now
	// Schedule is for the background refresh; nil: there is none.
	Schedule Schedule
	// Changed is told of each account that a transaction may have changed, when it is over; nil:
	// nobody is told.
	Changed func(Account)
	// EventLog is told what happens, for the owner's back end; nil: nobody is told.
	EventLog EventLog
	// Rebound is told of each component that may have been bound or unbound; nil: nobody is told.
	Rebound func(componentID string)
}

func (s *Store) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

// held are the statuses of which a user has one account at most for each identity.
const held = "('linking', 'linked', 'reauth_required', 'refused')"

// isLive is Account.live in SQL, said so that the index of those that are held serves it.
const isLive = "status IN " + held + " AND status <> 'refused'"

// isUsable is Account.usable in SQL.
const isUsable = "status IN ('linking', 'linked')"

// tx is a transaction that notes which accounts it writes, and what is to be told of them.
type tx struct {
	*sql.Tx
	written []Account
	emitted []event.Event
}

// inTx runs fn in one transaction (database.InTx) and tells what it has written, whether or not it
// seems to have failed: where a commit's answer is lost, nobody knows.
func (s *Store) inTx(ctx context.Context, fn func(context.Context, *tx) error) error {
	var written []Account
	err := s.DB.InTx(ctx, func(ctx context.Context, plain *sql.Tx) error {
		noting := &tx{Tx: plain}
		err := fn(ctx, noting)
		written = append(written, noting.written...)
		if err != nil || s.EventLog == nil {
			return err
		}
		return s.EventLog.Append(ctx, plain, noting.emitted)
	})
	if s.Changed != nil {
		for _, a := range written {
			s.Changed(a)
		}
	}
	return err
}

type rowQuerier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// one reads the one account that the rest of the statement chooses; ErrNotFound.
func one(ctx context.Context, q rowQuerier, where string, args ...any) (record, error) {
	ctx, cancel := database.ForRead(ctx)
	defer cancel()
	r, err := scan(q.QueryRowContext(ctx, "SELECT "+columns+" FROM linked_accounts WHERE "+where, args...))
	if errors.Is(err, sql.ErrNoRows) {
		return record{}, ErrNotFound
	}
	if err != nil {
		return record{}, fmt.Errorf("reading account: %w", err)
	}
	return r, nil
}

// all reads the accounts that the rest of the statement chooses.
func all(ctx context.Context, q database.Querier, where string, args ...any) (records []record, err error) {
	return query(ctx, q, "SELECT "+columns+" FROM linked_accounts WHERE "+where, args...)
}

// query reads the accounts that a statement gives.
func query(ctx context.Context, q database.Querier, statement string, args ...any) (records []record, err error) {
	ctx, cancel := database.ForRead(ctx)
	defer cancel()
	records, err = database.Collect(ctx, q, scan, statement, args...)
	if err != nil {
		return nil, fmt.Errorf("reading accounts: %w", err)
	}
	return records, nil
}

// change takes an account's row, so that nobody else changes it meanwhile, and has fn work out
// what becomes of it.
func (s *Store) change(ctx context.Context, id string, fn func(context.Context, *tx, record) error) error {
	return s.inTx(ctx, func(ctx context.Context, tx *tx) error {
		r, err := one(ctx, tx, "id = $1"+s.DB.ForUpdate(), id)
		if err != nil {
			return err
		}
		return fn(ctx, tx, r)
	})
}

// ByID reads any account.
func (s *Store) ByID(ctx context.Context, id string) (Account, error) {
	r, err := one(ctx, s.DB, "id = $1", id)
	return r.Account, err
}

// ByHostID reads the account with the host's id if it is this user's; else ErrNotFound. known
// tells whether any user has it, so that a caller can tell "another's" from "never seen".
func (s *Store) ByHostID(ctx context.Context, hostUserID, hostID string) (a Account, known bool, err error) {
	if hostID == "" { // what an account has whose id is not known yet
		return Account{}, false, ErrNotFound
	}
	records, err := all(ctx, s.DB, "host_id = $1 AND host_id <> '' ORDER BY id DESC", hostID)
	if err != nil {
		return Account{}, false, err
	}
	for _, r := range records {
		if r.HostUserID == hostUserID {
			return r.Account, true, nil
		}
	}
	return Account{}, len(records) > 0, ErrNotFound
}

// BySubject reads a user's live account with that external id (Identity.Subject); ErrNotFound.
func (s *Store) BySubject(ctx context.Context, hostUserID, authID, subject string) (Account, error) {
	r, err := one(ctx, s.DB, `host_user_id = $1 AND auth_id = $2 AND subject = $3
		AND status IN `+held+` ORDER BY id DESC LIMIT 1`, hostUserID, authID, subject)
	return r.Account, err
}

// Credential opens an account's credential; ErrNotFound when it has been wiped.
func (s *Store) Credential(ctx context.Context, id string) (provider.Credential, error) {
	r, err := one(ctx, s.DB, "id = $1 AND credential IS NOT NULL", id)
	if err != nil {
		return provider.Credential{}, err
	}
	return s.open(r)
}

// Revocable opens the credential of an account that is being taken back (refused or unlinking)
// and not revoked yet, and reads both at the same moment. ErrNotFound otherwise: there is nothing
// to revoke, or nothing that may be, since the user has linked the account again. Revoked wants
// the account's Version.
func (s *Store) Revocable(ctx context.Context, id string) (Account, provider.Credential, error) {
	r, err := one(ctx, s.DB, `id = $1 AND credential IS NOT NULL AND revoked_at = 0
		AND status IN ('refused', 'unlinking')`, id)
	if err != nil {
		return Account{}, provider.Credential{}, err
	}
	c, err := s.open(r)
	return r.Account, c, err
}

// DeletionPending tells whether the host has yet to delete the record of another account of the
// same user, auth id and subject: what it would take for the record of a may be that one.
func (s *Store) DeletionPending(ctx context.Context, a Account) (bool, error) {
	_, err := one(ctx, s.DB, `host_user_id = $1 AND auth_id = $2 AND subject = $3 AND id <> $4
		AND status = 'unlinking' AND host_deleted_at = 0 LIMIT 1`, a.HostUserID, a.AuthID, a.Identity.Subject, a.ID)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}
