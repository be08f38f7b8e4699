package linkedaccount

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"linkgate/database"
	"linkgate/event"
	"linkgate/outbox"
	"linkgate/provider"
)

// errOvertaken: the credential is not the one any more that was read before.
var errOvertaken = errors.New("the credential has been replaced meanwhile")

// Opened is an account with its credential in the open.
type Opened struct {
	Account
	Credential provider.Credential
}

// Open reads an account and its credential at the same moment; ErrNotFound when that is wiped.
func (s *Store) Open(ctx context.Context, id string) (Opened, error) {
	r, err := one(ctx, s.DB, "id = $1 AND credential IS NOT NULL", id)
	if err != nil {
		return Opened{}, err
	}
	c, err := s.open(r)
	return Opened{r.Account, c}, err
}

// Of lists a user's live accounts at a connection, the one linked last first.
func (s *Store) Of(ctx context.Context, hostUserID, authID string) ([]Account, error) {
	records, err := s.of(ctx, hostUserID, authID)
	accounts := make([]Account, 0, len(records))
	for _, r := range records {
		accounts = append(accounts, r.Account)
	}
	return accounts, err
}

func (s *Store) of(ctx context.Context, hostUserID, authID string) ([]record, error) {
	return all(ctx, prepared{s.DB}, `host_user_id = $1 AND auth_id = $2
		AND `+isLive+` ORDER BY linked_at DESC, id DESC`, hostUserID, authID)
}

// prepared is a database that parses each query once, for one that calls wait for.
type prepared struct{ *database.DB }

// QueryContext implements database.Querier.
func (p prepared) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return p.QueryPrepared(ctx, query, args...)
}

// openAll is Of with the credentials.
func (s *Store) openAll(ctx context.Context, hostUserID, authID string) ([]Opened, error) {
	records, err := s.of(ctx, hostUserID, authID)
	if err != nil {
		return nil, err
	}
	opened := make([]Opened, 0, len(records))
	for _, r := range records {
		c, err := s.open(r)
		if err != nil {
			return nil, err
		}
		opened = append(opened, Opened{r.Account, c})
	}
	return opened, nil
}

// claim notes that o's refresh token is about to be sent, unless it has been replaced, or somebody
// else has sent it after takeOver and has not said what came of it. Claims are compared by the clock
// that all replicas share.
func (s *Store) claim(ctx context.Context, o Opened, by string, takeOver time.Duration) (claimed bool, err error) {
	now, err := s.sharedNow(ctx)
	if err != nil {
		return false, err
	}
	return s.exec(ctx, "claiming a refresh", `UPDATE linked_accounts SET claimed_at = $1, claimed_by = $2
		WHERE id = $3 AND token_version = $4 AND status IN ('linking', 'linked') AND (claimed_by = '' OR claimed_at < $5)`,
		database.Millis(now), by, o.ID, o.TokenVersion, database.Millis(now.Add(-takeOver)))
}

// unclaim says that what by has sent came to nothing, and that others may try.
func (s *Store) unclaim(ctx context.Context, id, by string) error {
	_, err := s.exec(ctx, "giving a refresh up", `UPDATE linked_accounts SET claimed_at = 0, claimed_by = ''
		WHERE id = $1 AND claimed_by = $2`, id, by)
	return err
}

func (s *Store) sharedNow(ctx context.Context) (time.Time, error) {
	if s.Now != nil {
		return s.Now(), nil
	}
	return s.DB.Now(ctx)
}

// saveRefreshed puts a refreshed credential in o's place; errOvertaken when another one is there by
// now. An account that is being taken back gets it too, so that it is this one that is revoked;
// even one whose older credential is revoked and wiped already, since that may have ended nothing:
// the service had replaced it. Not so when the user has linked the account anew: then errOvertaken,
// for a revocation could end the new grant (see Link).
func (s *Store) saveRefreshed(ctx context.Context, o Opened, n provider.Refreshed, shared, used bool) (Opened, error) {
	var saved Opened
	err := s.inTx(ctx, func(ctx context.Context, tx *tx) error {
		r, isNew, err := s.forRefreshed(ctx, tx, o)
		if err != nil {
			return err
		}
		before := r.Account
		if r, err = s.refreshed(r, n); err != nil {
			return err
		}
		if used {
			r.UsedAt = s.now()
		}
		if r, err = tellOfRefresh(ctx, tx, r, shared); err != nil {
			return err
		}
		if isNew {
			err = insert(ctx, tx, r)
		} else {
			r, err = s.update(ctx, tx, r)
		}
		tx.emitRefreshed(before, r.Account)
		saved = Opened{r.Account, n.Credential}
		return err
	})
	if err != nil {
		return Opened{}, fmt.Errorf("saving a refreshed credential: %w", err)
	}
	return saved, nil
}

// forRefreshed takes the row of o, for its refreshed credential. isNew: there is none any more, as
// the account was refused; it is history from now on.
func (s *Store) forRefreshed(ctx context.Context, tx *tx, o Opened) (r record, isNew bool, err error) {
	r, err = one(ctx, tx, "id = $1"+s.DB.ForUpdate(), o.ID)
	if isNew = errors.Is(err, ErrNotFound); isNew {
		r, err = s.deleted(o.Account), nil
	}
	switch {
	case err != nil:
		return record{}, false, err
	case r.TokenVersion != o.TokenVersion:
		return record{}, false, errOvertaken
	case r.live():
		return r, false, nil
	}
	if err := linkedAnew(ctx, tx, r); err != nil {
		return record{}, false, err
	}
	r.revokedAt = time.Time{}
	if r.Status == Unlinked {
		r.Status = Unlinking
	}
	return r, isNew, nil
}

// deleted is the row of a refused account as it would be if it had been kept.
func (s *Store) deleted(a Account) record {
	r := record{Account: a, hostDeletedAt: s.now(), credentialVersion: a.Version + 1}
	r.Status, r.Version, r.UpdatedAt = Unlinked, a.Version+1, s.now()
	return r
}

// linkedAnew is errOvertaken when the user has linked the identity of r once more.
func linkedAnew(ctx context.Context, tx *tx, r record) error {
	_, err := one(ctx, tx, `host_user_id = $1 AND auth_id = $2 AND subject = $3 AND issuer = $4
		AND `+isLive+" LIMIT 1", r.HostUserID, r.AuthID, r.Identity.Subject, r.Identity.Issuer)
	switch {
	case err == nil:
		return errOvertaken
	case errors.Is(err, ErrNotFound):
		return nil
	}
	return err
}

// refreshed is r with what a refresh brought.
func (s *Store) refreshed(r record, n provider.Refreshed) (record, error) {
	sealed, err := s.seal(r, n.Credential)
	if err != nil {
		return record{}, err
	}
	r.sealed = sealed
	r.TokenVersion++
	r.ExpiresAt = n.Credential.ExpiresAt
	if n.Scopes != nil {
		r.Scopes, r.Missing = n.Scopes, n.Missing
	}
	r.claimedAt, r.claimedBy, r.refreshAt = time.Time{}, "", time.Time{}
	r.LastError, r.LastErrorAt = "", time.Time{}
	if r.live() {
		r.refreshAt = s.Schedule.next(r.AuthID, n.Credential, s.now())
	}
	return r, nil
}

// tellOfRefresh promises what follows from a refresh: an account that is being taken back has
// another credential to revoke, and the host has another to know if it is shared with it; it must
// also know when the user need not sign in again after all. What the host has no record of yet it
// learns from the promise to add it.
func tellOfRefresh(ctx context.Context, tx *tx, r record, shared bool) (record, error) {
	if !r.live() {
		return r, promise(ctx, tx, r.ID, Revoke)
	}
	wasMistaken := r.Status == ReauthRequired
	switch {
	case wasMistaken && r.HostID == "" && !r.HostDeleted:
		r.Status = Linking
	case wasMistaken:
		r.Status = Linked
	}
	if r.Status == Linked && (wasMistaken || shared) {
		return r, promise(ctx, tx, r.ID, HostUpdate)
	}
	return r, nil
}

// promise puts one message of kind in the place of those that wait: it reads what is so by then.
func promise(ctx context.Context, tx *tx, accountID, kind string) error {
	if err := outbox.Drop(ctx, tx.Tx, accountID, kind); err != nil {
		return err
	}
	_, err := outbox.Add(ctx, tx.Tx, outbox.Message{Kind: kind, AccountID: accountID})
	return err
}

// RequireReauth records that o's credential is worth nothing any more, and promises to tell the
// host. It does nothing, and flagged is false, when the credential was replaced or the account
// taken back meanwhile.
func (s *Store) RequireReauth(ctx context.Context, o Opened) (flagged bool, err error) {
	err = s.change(ctx, o.ID, func(ctx context.Context, tx *tx, r record) error {
		if flagged = r.usable() && r.TokenVersion == o.TokenVersion; !flagged {
			return nil
		}
		wasAdded := r.Status == Linked // else the message that adds it will tell
		r.Status = ReauthRequired
		r.claimedAt, r.claimedBy, r.refreshAt = time.Time{}, "", time.Time{}
		tx.emit(event.AccountReauthRequired, r.Account, nil)
		r.LastError, r.LastErrorAt = notAccepted, s.now()
		if _, err := s.update(ctx, tx, r); err != nil {
			return err
		}
		if err := stopComponents(ctx, tx, r.Account, StoppedReauthRequired); err != nil || !wasAdded {
			return err
		}
		return promise(ctx, tx, r.ID, HostUpdate)
	})
	if err != nil {
		return false, fmt.Errorf("recording that the user must sign in again: %w", err)
	}
	return flagged, nil
}
