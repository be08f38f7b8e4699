package linkedaccount

import (
	"context"
	"fmt"
	"time"
)

// Removal is an account that the service has ended, and the HostDelete message that follows.
type Removal struct {
	Account      Account
	HostDeleteID string
}

// Removed takes back every live account with that external id (Identity.Subject) at a connection,
// whoever's it is: the service has ended its access already. Status unlinking, a pending HostAdd
// dropped, one HostDelete each and no Revoke: with nothing left to revoke the credential is wiped at
// once. All of it is one transaction. What is being taken back anyway is left to that; none is no
// error.
func (s *Store) Removed(ctx context.Context, authID, subject string) (removed []Removal, err error) {
	if !isComparable(subject) {
		return nil, nil
	}
	err = s.inTx(ctx, func(ctx context.Context, tx *tx) error {
		removed = nil // of an attempt before
		live, err := all(ctx, tx, "auth_id = $1 AND subject = $2 AND "+isLive+" ORDER BY id"+s.DB.ForUpdate(), authID, subject)
		if err != nil {
			return err
		}
		for _, r := range live {
			r.Status, r.refreshAt = Unlinking, time.Time{}
			r.sealed, r.revokedAt = nil, s.now()
			if r, err = s.update(ctx, tx, r); err != nil {
				return err
			}
			messageID, err := replace(ctx, tx, r.ID, HostDelete)
			if err != nil {
				return err
			}
			tx.emitUnlinked(r.Account, RemovedThere)
			if err := stopComponents(ctx, tx, r.Account, StoppedUnlinked); err != nil {
				return err
			}
			removed = append(removed, Removal{r.Account, messageID})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("taking removed accounts back: %w", err)
	}
	return removed, nil
}
