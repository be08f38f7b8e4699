package linkedaccount

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"linkgate/database"
	"linkgate/provider"
	"linkgate/secret"
)

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
	credential, expires_at, host_deleted_at, revoked_at, version, created_at, updated_at, credential_version, token_version, claimed_at, claimed_by, refresh_at, used_at, settings, linked_at,
	display_name, metadata, last_error, last_error_at, unrevocable`

func scan(row database.Row) (r record, err error) {
	var scopes, missing, settings, metadata []byte
	var expires, hostDeleted, revoked, created, updated, claimed, refresh, used, linked, failed, unrevocable int64
	err = row.Scan(&r.ID, &r.HostUserID, &r.AuthID, &r.HostID, &r.Identity.Issuer, &r.Identity.Subject, &r.Identity.Name,
		&r.Status, &scopes, &missing, &r.sealed, &expires, &hostDeleted, &revoked, &r.Version, &created, &updated, &r.credentialVersion,
		&r.TokenVersion, &claimed, &r.claimedBy, &refresh, &used, &settings, &linked,
		&r.DisplayName, &metadata, &r.LastError, &failed, &unrevocable)
	if err != nil {
		return record{}, err
	}
	r.ExpiresAt, r.hostDeletedAt, r.revokedAt = database.Time(expires), database.Time(hostDeleted), database.Time(revoked)
	r.HostDeleted, r.Revoked, r.Unrevocable = !r.hostDeletedAt.IsZero(), !r.revokedAt.IsZero(), unrevocable != 0
	r.CreatedAt, r.UpdatedAt = database.Time(created), database.Time(updated)
	r.claimedAt, r.refreshAt = database.Time(claimed), database.Time(refresh)
	r.UsedAt, r.LinkedAt, r.LastErrorAt = database.Time(used), database.Time(linked), database.Time(failed)
	r.Metadata = metadata
	return r, errors.Join(json.Unmarshal(scopes, &r.Scopes), json.Unmarshal(missing, &r.Missing),
		json.Unmarshal(settings, &r.Identity.Settings))
}

// scanID scans a row that is one id.
func scanID(row database.Row) (id string, err error) {
	err = row.Scan(&id)
	return id, err
}

// values are the row's, in the order of columns.
func (r record) values() ([]any, error) {
	scopes, errScopes := json.Marshal(r.Scopes)
	missing, errMissing := json.Marshal(r.Missing)
	settings, errSettings := json.Marshal(r.Identity.Settings)
	if err := errors.Join(errScopes, errMissing, errSettings); err != nil {
		return nil, fmt.Errorf("encoding an account: %w", err)
	}
	var unrevocable int64
	if r.Unrevocable {
		unrevocable = 1
	}
	return []any{r.ID, r.HostUserID, r.AuthID, r.HostID, r.Identity.Issuer, r.Identity.Subject, r.Identity.Name, string(r.Status),
		string(scopes), string(missing), r.sealed, database.Millis(r.ExpiresAt), database.Millis(r.hostDeletedAt),
		database.Millis(r.revokedAt), r.Version, database.Millis(r.CreatedAt), database.Millis(r.UpdatedAt),
		r.credentialVersion, r.TokenVersion, database.Millis(r.claimedAt), r.claimedBy, database.Millis(r.refreshAt),
		database.Millis(r.UsedAt), string(settings), database.Millis(r.LinkedAt),
		r.DisplayName, string(r.Metadata), r.LastError, database.Millis(r.LastErrorAt), unrevocable}, nil
}

func insert(ctx context.Context, tx *tx, r record) error {
	values, err := r.values()
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO linked_accounts ("+columns+`) VALUES
		($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
		$19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30)`, values...)
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
		$19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30) WHERE id = $1`, values...)
	if err != nil {
		return record{}, fmt.Errorf("writing account: %w", err)
	}
	tx.written = append(tx.written, r.Account)
	return r, nil
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
