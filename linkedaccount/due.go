package linkedaccount

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"linkgate/database"
)

// dueAccount is an account that the background worker is to look at.
type dueAccount struct {
	id, authID string
	refreshAt  time.Time
}

func scanDue(row database.Row) (d dueAccount, err error) {
	var at int64
	err = row.Scan(&d.id, &d.authID, &at)
	d.refreshAt = database.Time(at)
	return d, err
}

// due lists up to limit accounts of these connections that are due, the one that waits longest first.
func (s *Store) due(ctx context.Context, now time.Time, authIDs []string, limit int) (found []dueAccount, err error) {
	ctx, cancel := database.ForRead(ctx)
	defer cancel()
	args := []any{database.Millis(now), limit}
	for _, id := range authIDs {
		args = append(args, id)
	}
	found, err = database.Collect(ctx, s.DB, scanDue, `SELECT id, auth_id, refresh_at FROM linked_accounts
		WHERE refresh_at <> 0 AND refresh_at <= $1 AND status IN ('linking', 'linked')
		AND auth_id IN (`+placeholders(3, len(authIDs))+") ORDER BY refresh_at LIMIT $2", args...)
	if err != nil {
		return nil, fmt.Errorf("looking for due accounts: %w", err)
	}
	return found, nil
}

// placeholders are $first and so on, n of them.
func placeholders(first, n int) string {
	names := make([]string, n)
	for i := range names {
		names[i] = "$" + strconv.Itoa(first+i)
	}
	return strings.Join(names, ", ")
}

// postpone moves a due account to another time, unless somebody else has: so one replica takes it.
func (s *Store) postpone(ctx context.Context, d dueAccount, until time.Time) (taken bool, err error) {
	return s.exec(ctx, "postponing a refresh", "UPDATE linked_accounts SET refresh_at = $1 WHERE id = $2 AND refresh_at = $3",
		database.Millis(until), d.id, database.Millis(d.refreshAt))
}

// reschedule sets when an account is looked at next, unless its credential was replaced meanwhile.
func (s *Store) reschedule(ctx context.Context, o Opened, at time.Time) (done bool, err error) {
	return s.exec(ctx, "scheduling a refresh", "UPDATE linked_accounts SET refresh_at = $1 WHERE id = $2 AND token_version = $3",
		database.Millis(at), o.ID, o.TokenVersion)
}

// usedAtOnce is how many accounts one statement marks.
const usedAtOnce = 200

// markUsed notes that accounts were used.
func (s *Store) markUsed(ctx context.Context, ids []string, at time.Time) error {
	slices.Sort(ids) // so that replicas that note the same ones do not deadlock
	for batch := range slices.Chunk(ids, usedAtOnce) {
		args := []any{database.Millis(at)}
		for _, id := range batch {
			args = append(args, id)
		}
		_, err := s.exec(ctx, "noting uses", "UPDATE linked_accounts SET used_at = $1 WHERE id IN ("+placeholders(2, len(batch))+")", args...)
		if err != nil {
			return err
		}
	}
	return nil
}

// exec runs one statement of bookkeeping, which changes nothing that others need to be told.
func (s *Store) exec(ctx context.Context, doing, statement string, args ...any) (changed bool, err error) {
	err = s.DB.InTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, statement, args...)
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		changed = n > 0
		return err
	})
	if err != nil {
		return false, fmt.Errorf("%s: %w", doing, err)
	}
	return changed, nil
}
