package idempotency

import "time"

// SetLease has claims end sooner.
func (s *Store) SetLease(d time.Duration) { s.lease = d }
