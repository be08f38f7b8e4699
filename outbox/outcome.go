package outbox

import (
	"errors"
	"math/rand/v2"
	"time"
)

const (
	firstBackoff = time.Second
	maxBackoff   = 5 * time.Minute
	maxLater     = time.Hour
)

type laterError struct {
	err   error
	after time.Duration
}

func (e *laterError) Error() string { return e.err.Error() }
func (e *laterError) Unwrap() error { return e.err }

// Later wraps err so that the next attempt is not before after has passed, an hour at most: who
// asks for more is asked again. Without an after that is more than zero it is backed off as any
// other error.
func Later(err error, after time.Duration) error { return &laterError{err, after} }

type deadError struct{ err error }

func (e *deadError) Error() string { return e.err.Error() }
func (e *deadError) Unwrap() error { return e.err }

// Dead wraps err so that the message is kept as a dead letter and not tried again.
func Dead(err error) error { return &deadError{err} }

func isDead(err error) bool {
	var dead *deadError
	return errors.As(err, &dead)
}

// delay is how long to wait after err, the failure of attempt number attempt (1, 2, …), at most as
// long as most where err does not say.
func delay(err error, attempt int, most time.Duration) time.Duration {
	var later *laterError
	if errors.As(err, &later) && later.after > 0 {
		after := min(max(later.after, firstBackoff), maxLater)
		return after + rand.N(after/10) // spread: many may have been given the same time
	}
	return rand.N(backoffCap(attempt, most)) + time.Millisecond // "full jitter"
}

// backoffCap doubles from one second to most.
func backoffCap(attempt int, most time.Duration) time.Duration {
	doublings := min(max(attempt-1, 0), 16) // beyond the cap long before a shift overflows
	return min(firstBackoff<<doublings, most)
}
