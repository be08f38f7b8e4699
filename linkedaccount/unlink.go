package linkedaccount

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"linkgate/outbox"
)

// HostRefused ends a linking that the host turned down, even if its user would have to sign in
// again by now: status refused and one Revoke message, whose id it returns. When the host has a
// record from an earlier linking, that is to be deleted too. version is the Account's as it was
// read before the host was called: when the account was linked again since, its own HostAdd asks
// the host, and it stays as it is. So does one in another status; revokeID is that of a pending
// Revoke.
func (s *Store) HostRefused(ctx context.Context, id string, version int64) (revokeID string, err error) {
	err = s.change(ctx, id, func(ctx context.Context, tx *tx, r record) error {
		if r.Status != Linking && r.Status != ReauthRequired || r.outdates(version) {
			revokeID, err = outbox.Pending(ctx, tx.Tx, id, Revoke)
			return err
		}
		if revokeID, err = outbox.Add(ctx, tx.Tx, outbox.Message{Kind: Revoke, AccountID: id}); err != nil {
			return err
		}
		r.Status, r.refreshAt = Refused, time.Time{}
		tx.emitUnlinked(r.Account, HostSaidNo)
		if r.HostID == "" {
			r.hostDeletedAt = s.now()
		} else if _, err := outbox.Add(ctx, tx.Tx, outbox.Message{Kind: HostDelete, AccountID: id}); err != nil {
			return err
		}
		if _, err := s.update(ctx, tx, r); err != nil {
			return err
		}
		return stopComponents(ctx, tx, r.Account, StoppedUnlinked)
	})
	if err != nil {
		return "", fmt.Errorf("recording the host's refusal: %w", err)
	}
	return revokeID, nil
}

// Unlink begins a disconnect: status unlinking, a pending HostAdd dropped, one HostDelete and one
// Revoke message, whose ids it returns. For an account already unlinking, or refused, it returns
// the ids of what is still pending ("" for what is done); for one unlinked, none. Parallel calls
// queue once.
func (s *Store) Unlink(ctx context.Context, id string) (hostDeleteID, revokeID string, err error) {
	err = s.change(ctx, id, func(ctx context.Context, tx *tx, r record) error {
		if !r.live() {
			hostDeleteID, revokeID, err = pending(ctx, tx, id)
			return err
		}
		r.Status, r.refreshAt = Unlinking, time.Time{}
		tx.emitUnlinked(r.Account, Disconnected)
		if _, err := s.update(ctx, tx, r); err != nil {
			return err
		}
		if hostDeleteID, err = replace(ctx, tx, id, HostDelete); err != nil {
			return err
		}
		if revokeID, err = outbox.Add(ctx, tx.Tx, outbox.Message{Kind: Revoke, AccountID: id}); err != nil {
			return err
		}
		return stopComponents(ctx, tx, r.Account, StoppedUnlinked)
	})
	if err != nil {
		return "", "", fmt.Errorf("unlinking: %w", err)
	}
	return hostDeleteID, revokeID, nil
}

func pending(ctx context.Context, tx *tx, id string) (hostDeleteID, revokeID string, err error) {
	if hostDeleteID, err = outbox.Pending(ctx, tx.Tx, id, HostDelete); err != nil {
		return "", "", err
	}
	revokeID, err = outbox.Pending(ctx, tx.Tx, id, Revoke)
	return hostDeleteID, revokeID, err
}

// HostDeleted records that the host has deleted its record; Revoked that the service has revoked
// the credential or can't. When both have happened the credential is wiped and the account is
// unlinked; a refused account is deleted altogether. Both may be called again. version is the
// Account's, and a the account, as it was read before the call: they change nothing about an
// account that was linked again since, even if it is being taken back once more.
func (s *Store) HostDeleted(ctx context.Context, id string, version int64) error {
	return s.takenBack(ctx, id, func(r *record) bool {
		if r.hostDeletedAt.IsZero() {
			r.hostDeletedAt = s.now()
		}
		return !r.outdates(version)
	})
}

// Revoked: see HostDeleted; a.Unrevocable says that the service has no way to do it. Nor does it count when a refresh that was under way has replaced the
// credential since: saving that has promised another revocation.
func (s *Store) Revoked(ctx context.Context, a Account) error {
	return s.takenBack(ctx, a.ID, func(r *record) bool {
		if r.revokedAt.IsZero() {
			r.revokedAt = s.now()
		}
		r.Unrevocable = a.Unrevocable
		return r.TokenVersion == a.TokenVersion
	})
}

// takenBack marks what has been taken back, unless mark says that it is about something older.
func (s *Store) takenBack(ctx context.Context, id string, mark func(*record) (current bool)) error {
	err := s.change(ctx, id, func(ctx context.Context, tx *tx, r record) error {
		if r.live() || r.Status == Unlinked || !mark(&r) {
			return nil
		}
		return s.settle(ctx, tx, r)
	})
	if err != nil && !errors.Is(err, ErrNotFound) { // not found: it was refused, and is deleted
		return fmt.Errorf("recording what is taken back: %w", err)
	}
	return nil
}

// settle writes an account that is being taken back, and ends it when nothing is left to do.
func (s *Store) settle(ctx context.Context, tx *tx, r record) error {
	done := !r.hostDeletedAt.IsZero() && !r.revokedAt.IsZero()
	switch {
	case done && r.Status == Refused:
		if _, err := tx.ExecContext(ctx, "DELETE FROM linked_accounts WHERE id = $1", r.ID); err != nil {
			return fmt.Errorf("deleting account: %w", err)
		}
		tx.written = append(tx.written, r.Account)
		return nil
	case done && r.Status == Unlinking:
		r.Status = Unlinked
		r.sealed = nil
		r.DisplayName, r.Metadata = "", json.RawMessage(noMetadata) // the owner's words about somebody: no history needs them
	}
	_, err := s.update(ctx, tx, r)
	return err
}
