package linkedaccount

import (
	"context"
	"fmt"

	"linkgate/database"
	"linkgate/outbox"
)

// Users lists the host users that have or ever had an account, in order of their ids: up to limit of
// them, from the one that follows after.
func (s *Store) Users(ctx context.Context, after string, limit int) (users []string, err error) {
	ctx, cancel := database.ForRead(ctx)
	defer cancel()
	users, err = database.Collect(ctx, s.DB, scanID, `SELECT DISTINCT host_user_id FROM linked_accounts
		WHERE host_user_id > $1 ORDER BY host_user_id LIMIT $2`, after, limit)
	if err != nil {
		return nil, fmt.Errorf("listing users: %w", err)
	}
	return users, nil
}

// CountUsers counts the users that Users lists.
func (s *Store) CountUsers(ctx context.Context) (n int, err error) {
	ctx, cancel := database.ForRead(ctx)
	defer cancel()
	err = s.DB.QueryRowContext(ctx, "SELECT COUNT(DISTINCT host_user_id) FROM linked_accounts").Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("counting users: %w", err)
	}
	return n, nil
}

// Owed tells whether the host or the service is yet to be told something about an account, by a dead
// letter too.
func (s *Store) Owed(ctx context.Context, id string) (owed bool, err error) {
	err = s.inTx(ctx, func(ctx context.Context, tx *tx) error {
		owed, err = isOwed(ctx, tx, id)
		return err
	})
	return owed, err
}

func isOwed(ctx context.Context, tx *tx, id string) (bool, error) {
	for _, kind := range []string{HostAdd, HostUpdate, HostDelete, Revoke} {
		if messageID, err := outbox.Pending(ctx, tx.Tx, id, kind); err != nil || messageID != "" {
			return messageID != "", err
		}
	}
	return false, nil
}

// Repair promises to bring the host's record of a in line: kind is HostUpdate, or HostAdd where the
// host has lost the record. It does nothing, and promised is false, when the account has changed since
// a was read, or something is owed about it already.
func (s *Store) Repair(ctx context.Context, a Account, kind string) (promised bool, err error) {
	err = s.change(ctx, a.ID, func(ctx context.Context, tx *tx, r record) error {
		owed, err := isOwed(ctx, tx, a.ID)
		if promised = err == nil && !owed && r.live() && r.Version == a.Version; !promised {
			return err
		}
		if kind == HostAdd {
			r.HostID = "" // of a record that is not there
			if r.Status == Linked {
				r.Status = Linking
			}
			if _, err := s.update(ctx, tx, r); err != nil {
				return err
			}
		}
		return promise(ctx, tx, a.ID, kind)
	})
	if err != nil {
		return false, fmt.Errorf("promising to repair the host's record: %w", err)
	}
	return promised, nil
}
