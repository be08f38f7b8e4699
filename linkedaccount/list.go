package linkedaccount

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// DefaultLimit is how many accounts a page has when nobody says.
const DefaultLimit = 50

// Filter says which accounts List gives; what is empty lets all pass.
type Filter struct {
	HostUserID  string
	AuthID      string
	Subject     string   // Identity.Subject
	ComponentID string   // gives the account that this component uses
	Statuses    []Status // any of these; none: all but Unlinked
	After       string   // the id of the last account of the page before
	Limit       int      // accounts at most; 0: DefaultLimit
}

// List gives a page of accounts, the newest first, which is by falling id (a UUIDv7, RFC 9562). A page
// begins where the one before has ended, at an id that never changes: what comes, goes or changes
// between two pages makes no other account appear twice or not at all.
func (s *Store) List(ctx context.Context, f Filter) ([]Account, error) {
	if !f.isAnswerable() {
		return nil, nil
	}
	statement, args := f.statement()
	return accountsOf(query(ctx, s.DB, statement, args...))
}

// OfUser lists all accounts that a user has or ever had, the newest first.
func (s *Store) OfUser(ctx context.Context, hostUserID string) ([]Account, error) {
	return accountsOf(all(ctx, s.DB, "host_user_id = $1 ORDER BY id DESC", hostUserID))
}

func accountsOf(records []record, err error) ([]Account, error) {
	accounts := make([]Account, 0, len(records))
	for _, r := range records {
		accounts = append(accounts, r.Account)
	}
	return accounts, err
}

// statement reads up to a page of each status by itself and then puts them in order: so an index has
// just those accounts, in that order, and no page costs more for what is not on it. The status
// stands there as it is, and not as an argument, for Postgres plans otherwise for one that few have;
// where it did not know which it is, pages took ten times as long (docs/benchmarks.md).
func (f Filter) statement() (statement string, args []any) {
	arg := func(value any) string {
		args = append(args, value)
		return fmt.Sprintf("$%d", len(args))
	}
	limit := f.Limit
	if limit <= 0 {
		limit = DefaultLimit
	}
	end := fmt.Sprintf(" ORDER BY id DESC LIMIT %d", limit)
	conditions := f.conditions(arg)
	statuses := f.statuses()
	parts := make([]string, len(statuses))
	for i, status := range statuses {
		parts[i] = fmt.Sprintf("SELECT * FROM (SELECT %s FROM linked_accounts WHERE status = '%s'%s%s) AS part%d",
			columns, status, conditions, end, i) // of statuses(): one of ours
	}
	return strings.Join(parts, " UNION ALL ") + end, args
}

// conditions hold for each status. The narrowest filter leads; the others are written so that no
// database takes their index in its place, as SQLite, which knows nothing of how many accounts a
// connection has, otherwise may.
func (f Filter) conditions(arg func(any) string) string {
	var conditions strings.Builder
	led := false
	for _, c := range []struct{ column, value string }{
		{"subject", f.Subject}, {"host_user_id", f.HostUserID}, {"auth_id", f.AuthID},
	} {
		if c.value == "" {
			continue
		}
		if led || f.ComponentID != "" {
			c.column += " || ''"
		}
		conditions.WriteString(" AND " + c.column + " = " + arg(c.value))
		led = true
	}
	if f.ComponentID != "" {
		conditions.WriteString(" AND id = (SELECT account_id FROM components WHERE id = " + arg(f.ComponentID) + ")")
	}
	if f.After != "" {
		conditions.WriteString(" AND id < " + arg(f.After))
	}
	return conditions.String()
}

// isAnswerable is false where no account can pass, nor a database be asked.
func (f Filter) isAnswerable() bool {
	for _, s := range []string{f.HostUserID, f.AuthID, f.Subject, f.ComponentID, f.After} {
		if !isComparable(s) {
			return false
		}
	}
	return len(f.statuses()) > 0
}

// statuses are those that there are of what is asked for, once each.
func (f Filter) statuses() []Status {
	known := []Status{Linking, Linked, ReauthRequired, Refused, Unlinking, Unlinked}
	return slices.DeleteFunc(known, func(s Status) bool {
		if len(f.Statuses) == 0 {
			return s == Unlinked
		}
		return !slices.Contains(f.Statuses, s)
	})
}
