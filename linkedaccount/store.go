package linkedaccount

import (
	"context"
	"database/sql"
	"encoding/json"
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
}

func (s *Store) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

// record is a row: the account and what only the store needs to know.
type record struct {
	Account
	sealed        []byte // nil: wiped
	hostDeletedAt time.Time
	revokedAt     time.Time
	// credentialVersion is the version at which the credential was linked.
	credentialVersion int64
	// claimedAt and claimedBy tell of a refresh token that was sent and whose answer has not been
	// dealt with.
	claimedAt time.Time
	claimedBy string
	refreshAt time.Time // when the background worker looks at the account; zero: never
}

// outdates tells whether the credential was linked after somebody read version: what the host or
// the service answered to that somebody is not about this credential.
func (r record) outdates(version int64) bool { return version < r.credentialVersion }

const columns = `id, host_user_id, auth_id, host_id, issuer, subject, name, status, scopes, missing,
	credential, expires_at, host_deleted_at, revoked_at, version, created_at, updated_at, credential_version, token_version, claimed_at, claimed_by, refresh_at, used_at, settings, linked_at`

// held are the statuses of which a user has one account at most for each identity.
const held = "('linking', 'linked', 'reauth_required', 'refused')"

// isLive is Account.live in SQL, said so that the index of those that are held serves it.
const isLive = "status IN " + held + " AND status <> 'refused'"

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

type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// one reads the one account that the rest of the statement chooses; ErrNotFound.
func one(ctx context.Context, q querier, where string, args ...any) (record, error) {
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
func all(ctx context.Context, q querier, where string, args ...any) (records []record, err error) {
	ctx, cancel := database.ForRead(ctx)
	defer cancel()
	rows, err := q.QueryContext(ctx, "SELECT "+columns+" FROM linked_accounts WHERE "+where, args...)
	if err != nil {
		return nil, fmt.Errorf("reading accounts: %w", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		r, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("reading accounts: %w", err)
		}
		records = append(records, r)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading accounts: %w", err)
	}
	return records, nil
}

func scan(row interface{ Scan(dest ...any) error }) (r record, err error) {
	var scopes, missing, settings []byte
	var expires, hostDeleted, revoked, created, updated, claimed, refresh, used, linked int64
	err = row.Scan(&r.ID, &r.HostUserID, &r.AuthID, &r.HostID, &r.Identity.Issuer, &r.Identity.Subject, &r.Identity.Name,
		&r.Status, &scopes, &missing, &r.sealed, &expires, &hostDeleted, &revoked, &r.Version, &created, &updated, &r.credentialVersion,
		&r.TokenVersion, &claimed, &r.claimedBy, &refresh, &used, &settings, &linked)
	if err != nil {
		return record{}, err
	}
	r.ExpiresAt, r.hostDeletedAt, r.revokedAt = database.Time(expires), database.Time(hostDeleted), database.Time(revoked)
	r.HostDeleted = !r.hostDeletedAt.IsZero()
	r.CreatedAt, r.UpdatedAt = database.Time(created), database.Time(updated)
	r.claimedAt, r.refreshAt = database.Time(claimed), database.Time(refresh)
	r.UsedAt, r.LinkedAt = database.Time(used), database.Time(linked)
	return r, errors.Join(json.Unmarshal(scopes, &r.Scopes), json.Unmarshal(missing, &r.Missing),
		json.Unmarshal(settings, &r.Identity.Settings))
}

// values are the row's, in the order of columns.
func (r record) values() ([]any, error) {
	scopes, errScopes := json.Marshal(r.Scopes)
	missing, errMissing := json.Marshal(r.Missing)
	settings, errSettings := json.Marshal(r.Identity.Settings)
	if err := errors.Join(errScopes, errMissing, errSettings); err != nil {
		return nil, fmt.Errorf("encoding an account: %w", err)
	}
	return []any{r.ID, r.HostUserID, r.AuthID, r.HostID, r.Identity.Issuer, r.Identity.Subject, r.Identity.Name, string(r.Status),
		string(scopes), string(missing), r.sealed, database.Millis(r.ExpiresAt), database.Millis(r.hostDeletedAt),
		database.Millis(r.revokedAt), r.Version, database.Millis(r.CreatedAt), database.Millis(r.UpdatedAt),
		r.credentialVersion, r.TokenVersion, database.Millis(r.claimedAt), r.claimedBy, database.Millis(r.refreshAt),
		database.Millis(r.UsedAt), string(settings), database.Millis(r.LinkedAt)}, nil
}

func insert(ctx context.Context, tx *tx, r record) error {
	values, err := r.values()
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO linked_accounts ("+columns+`) VALUES
		($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
		$19, $20, $21, $22, $23, $24, $25)`, values...)
	if err != nil {
		return fmt.Errorf("writing account: %w", err)
	}
	tx.written = append(tx.written, r.Account)
	return nil
}

// update writes a row that this transaction has taken, and returns it with its next version.
func (s *Store) update(ctx context.Context, tx *tx, r record) (record, error) {
	r.Version++
	r.UpdatedAt = s.now()
	values, err := r.values()
	if err != nil {
		return record{}, err
	}
	_, err = tx.ExecContext(ctx, "UPDATE linked_accounts SET ("+columns+`) =
		($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
		$19, $20, $21, $22, $23, $24, $25) WHERE id = $1`, values...)
	if err != nil {
		return record{}, fmt.Errorf("writing account: %w", err)
	}
	tx.written = append(tx.written, r.Account)
	return r, nil
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

// place is where an account's credential is sealed for.
func (r record) place() secret.Place {
	return secret.Place{
		Table: "linked_accounts", Account: r.ID, HostUser: r.HostUserID, Connection: r.AuthID, Field: "credential",
	}
}

func (s *Store) open(r record) (provider.Credential, error) {
	plain, err := s.Keyring.Open(r.sealed, r.place())
	if err != nil {
		return provider.Credential{}, fmt.Errorf("opening the credential of %s: %w", r.ID, err)
	}
	c, err := provider.UnmarshalCredential(plain)
	if err != nil {
		return provider.Credential{}, fmt.Errorf("reading the credential of %s: %w", r.ID, err)
	}
	return c, nil
}

func (s *Store) seal(r record, c provider.Credential) ([]byte, error) {
	plain, err := c.Marshal()
	if err != nil {
		return nil, fmt.Errorf("encoding a credential: %w", err)
	}
	sealed, err := s.Keyring.Seal(plain, r.place())
	if err != nil {
		return nil, fmt.Errorf("sealing a credential: %w", err)
	}
	return sealed, nil
}
