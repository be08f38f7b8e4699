package linkedaccount

import (
	"context"
	"time"

	"linkgate/provider"
)

// What tests of the store need of that which Tokens alone uses.

var ErrOvertaken = errOvertaken

func (s *Store) Claim(ctx context.Context, o Opened, by string, takeOver time.Duration) (bool, error) {
	return s.claim(ctx, o, by, takeOver)
}

func (s *Store) Unclaim(ctx context.Context, id, by string) error { return s.unclaim(ctx, id, by) }

func (s *Store) SaveRefreshed(ctx context.Context, o Opened, n provider.Refreshed, shared, used bool) (Opened, error) {
	return s.saveRefreshed(ctx, o, n, shared, used)
}
