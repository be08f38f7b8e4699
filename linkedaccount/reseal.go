package linkedaccount

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

const resealBatch = 100

// Reseal seals anew with the primary key what another key has sealed, and returns how many
// credentials that were. One that does not open is left as it is, and told in the error after all
// others are done. It may run beside anything, on several replicas.
func (s *Store) Reseal(ctx context.Context) (count int, err error) {
	var failed []error
	for after := ""; ; {
		batch, err := all(ctx, s.DB, "credential IS NOT NULL AND id > $1 ORDER BY id LIMIT $2", after, resealBatch)
		if err != nil {
			return count, errors.Join(append(failed, err)...)
		}
		n, err := s.resealStale(ctx, batch)
		count += n
		if err != nil {
			failed = append(failed, err)
		}
		if len(batch) < resealBatch || ctx.Err() != nil {
			return count, errors.Join(failed...)
		}
		after = batch[len(batch)-1].ID
	}
}

func (s *Store) resealStale(ctx context.Context, batch []record) (count int, err error) {
	var failed []error
	for _, r := range batch {
		if ctx.Err() != nil {
			break
		}
		if !s.Keyring.Stale(r.sealed) {
			continue
		}
		n, err := s.reseal(ctx, r)
		count += n
		if err != nil {
			failed = append(failed, err)
		}
	}
	return count, errors.Join(failed...)
}

// reseal leaves the version alone, since nothing has changed for anybody, but writes only over
// the version it read: a credential that was replaced meanwhile stays.
func (s *Store) reseal(ctx context.Context, r record) (count int, err error) {
	plain, err := s.Keyring.Open(r.sealed, r.place())
	if err != nil {
		return 0, fmt.Errorf("sealing the credential of %s anew: %w", r.ID, err)
	}
	sealed, err := s.Keyring.Seal(plain, r.place())
	if err != nil {
		return 0, fmt.Errorf("sealing the credential of %s anew: %w", r.ID, err)
	}
	var written int64
	err = s.DB.InTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, "UPDATE linked_accounts SET credential = $1 WHERE id = $2 AND version = $3",
			sealed, r.ID, r.Version)
		if err != nil {
			return err
		}
		written, err = result.RowsAffected()
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("saving the credential of %s sealed anew: %w", r.ID, err)
	}
	return int(written), nil
}
