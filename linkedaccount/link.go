package linkedaccount

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"linkgate/database"
	"linkgate/event"
	"linkgate/outbox"
	"linkgate/provider"
)

// linkTries: each time another one has just linked the same identity, and the next finds it.
const linkTries = 5

const maxName = 200 // bytes

// Link saves a grant: a new account, or the live one with this identity with its credential
// replaced, scopes and name updated. Either way status linking and one HostAdd message (an older
// one of this account is dropped), in one transaction. It returns the message's id.
// When an account with the same identity is Unlinking, its pending Revoke is dropped and its
// credential wiped: many services answer a revocation by ending the whole grant, the new one too.
func (s *Store) Link(ctx context.Context, hostUserID, authID string, g provider.Grant) (Account, string, error) {
	if !isComparable(g.Identity.Subject) || g.Identity.Subject == "" || !isComparable(g.Identity.Issuer) {
		return Account{}, "", ErrIdentity
	}
	g.Identity.Name = database.Clip(g.Identity.Name, maxName)
	var a Account
	var messageID string
	var err error
	for range linkTries {
		err = s.inTx(ctx, func(ctx context.Context, tx *tx) (err error) {
			a, messageID, err = s.link(ctx, tx, hostUserID, authID, g)
			return err
		})
		if !database.IsUniqueViolation(err) {
			break
		}
	}
	if err != nil {
		return Account{}, "", fmt.Errorf("linking: %w", err)
	}
	return a, messageID, nil
}

// isComparable tells whether both databases store s as it is.
func isComparable(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

func (s *Store) link(ctx context.Context, tx *tx, hostUserID, authID string, g provider.Grant) (Account, string, error) {
	const identity = "host_user_id = $1 AND auth_id = $2 AND subject = $3 AND issuer = $4"
	args := []any{hostUserID, authID, g.Identity.Subject, g.Identity.Issuer}
	r, err := one(ctx, tx, identity+" AND status IN "+held+s.DB.ForUpdate(), args...)
	isNew := errors.Is(err, ErrNotFound)
	if isNew {
		r, err = s.newRecord(hostUserID, authID)
	}
	if err != nil {
		return Account{}, "", err
	}
	told := event.AccountLinked
	if r.live() {
		told = event.AccountUpdated
	}
	if r, err = s.take(r, g); err != nil {
		return Account{}, "", err
	}
	if isNew {
		r.Version, r.credentialVersion, r.TokenVersion = 1, 1, 1
		err = insert(ctx, tx, r)
	} else {
		r.credentialVersion = r.Version + 1
		r.TokenVersion++
		r, err = s.update(ctx, tx, r)
	}
	if err != nil {
		return Account{}, "", err
	}
	if err := s.spareGrant(ctx, tx, identity+" AND status = 'unlinking'", args); err != nil {
		return Account{}, "", err
	}
	messageID, err := replace(ctx, tx, r.ID, HostAdd)
	tx.emit(told, r.Account, nil)
	return r.Account, messageID, err
}

func (s *Store) newRecord(hostUserID, authID string) (record, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return record{}, fmt.Errorf("making an account id: %w", err)
	}
	now := s.now()
	return record{Account: Account{
		ID: "acc_" + id.String(), HostUserID: hostUserID, AuthID: authID, CreatedAt: now, UpdatedAt: now,
		Details: Details{Metadata: json.RawMessage(noMetadata)},
	}}, nil
}

// take puts a grant into r, whatever was there.
func (s *Store) take(r record, g provider.Grant) (record, error) {
	sealed, err := s.seal(r, g.Credential)
	if err != nil {
		return record{}, err
	}
	r.sealed = sealed
	r.Identity, r.Scopes, r.Missing, r.ExpiresAt = g.Identity, g.Scopes, g.Missing, g.Credential.ExpiresAt
	r.Status, r.LinkedAt = Linking, s.now()
	r.LastError, r.LastErrorAt = "", time.Time{}
	r.hostDeletedAt, r.revokedAt = time.Time{}, time.Time{}
	r.HostDeleted, r.Revoked, r.Unrevocable = false, false, false
	r.claimedAt, r.claimedBy = time.Time{}, "" // a refresh under way is of the credential before
	r.refreshAt = s.Schedule.next(r.AuthID, g.Credential, s.now())
	return r, nil
}

// replace drops what is still to be done to an account but its place is taken by one message of
// kind, whose id it returns. All of it goes, as a revocation or a deletion that is left over from
// a refusal would hit what was linked after it.
func replace(ctx context.Context, tx *tx, accountID, kind string) (messageID string, err error) {
	for _, old := range []string{HostAdd, HostUpdate, HostDelete, Revoke} {
		if err := outbox.Drop(ctx, tx.Tx, accountID, old); err != nil {
			return "", err
		}
	}
	return outbox.Add(ctx, tx.Tx, outbox.Message{Kind: kind, AccountID: accountID})
}

// spareGrant keeps the revocation of an account that is being unlinked from ending the grant that
// has just been given for the same identity.
func (s *Store) spareGrant(ctx context.Context, tx *tx, where string, args []any) error {
	unlinking, err := all(ctx, tx, where+s.DB.ForUpdate(), args...)
	if err != nil {
		return err
	}
	for _, r := range unlinking {
		if err := outbox.Drop(ctx, tx.Tx, r.ID, Revoke); err != nil {
			return err
		}
		r.sealed = nil
		r.revokedAt = s.now()
		if err := s.settle(ctx, tx, r); err != nil {
			return err
		}
	}
	return nil
}

// HostAdded records the host's id: linking → linked. version is the Account's as it was read
// before the host was called: when the account was linked again since, it takes the id but stays
// linking, as its own HostAdd has yet to tell the host. So does an account in another status.
// Where the account has changed since in another way, a HostUpdate is promised. When the account was deleted at the host before this record came to be, the record is
// deleted in turn. An older account of this user with the same host id loses it: the record is
// this account's now, and deleting it would break the link.
func (s *Store) HostAdded(ctx context.Context, id, hostID string, version int64) error {
	err := s.change(ctx, id, func(ctx context.Context, tx *tx, r record) error {
		isLinked := r.Status == Linking && !r.outdates(version)
		if r.live() && version < r.Version && (isLinked || r.Status != Linking) {
			if err := promise(ctx, tx, r.ID, HostUpdate); err != nil {
				return err
			}
		}
		if r.HostID == hostID && !isLinked {
			return nil
		}
		if isLinked {
			r.Status = Linked
		}
		return s.takeHostID(ctx, tx, r, hostID)
	})
	if err != nil {
		return fmt.Errorf("recording the host's id: %w", err)
	}
	return nil
}

// takeHostID makes the host's record r's alone, and has it deleted if it came too late.
func (s *Store) takeHostID(ctx context.Context, tx *tx, r record, hostID string) error {
	if err := s.takeOver(ctx, tx, r, hostID); err != nil {
		return err
	}
	r.HostID = hostID
	r, err := deleteIfLate(ctx, tx, r)
	if err != nil {
		return err
	}
	_, err = s.update(ctx, tx, r)
	return err
}

// deleteIfLate has the host delete a record that it made after the deletion was over.
func deleteIfLate(ctx context.Context, tx *tx, r record) (record, error) {
	if r.live() || r.hostDeletedAt.IsZero() {
		return r, nil
	}
	r.hostDeletedAt = time.Time{}
	if r.Status == Unlinked {
		r.Status = Unlinking
	}
	return r, promise(ctx, tx, r.ID, HostDelete)
}

func (s *Store) takeOver(ctx context.Context, tx *tx, by record, hostID string) error {
	others, err := all(ctx, tx, "host_id = $1 AND host_id <> '' AND host_user_id = $2 AND id <> $3"+s.DB.ForUpdate(),
		hostID, by.HostUserID, by.ID)
	if err != nil {
		return err
	}
	for _, r := range others {
		if err := outbox.Drop(ctx, tx.Tx, r.ID, HostDelete); err != nil {
			return err
		}
		r.HostID = ""
		r.hostDeletedAt = s.now()
		if err := s.settle(ctx, tx, r); err != nil {
			return err
		}
	}
	return nil
}
