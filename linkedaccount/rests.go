package linkedaccount

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/maypok86/otter/v2"

	"linkgate/provider"
)

// How long an account rests after a refresh that failed. Meanwhile its old token is served while it
// lasts, and then the failure, without asking the service again.
const (
	restFirst    = time.Second // doubles with each failure in a row
	restMost     = time.Minute // unless the service asks for more
	restOperator = time.Minute // where only the operator can mend it
	restForgot   = 2 * time.Hour
)

// rests remembers which accounts rest, in this process.
type rests struct {
	accounts *otter.Cache[string, rest]
}

type rest struct {
	until    time.Time
	failures int
	err      error
}

func newRests() *rests {
	return &rests{accounts: otter.Must(&otter.Options[string, rest]{
		MaximumSize: cacheMost, ExpiryCalculator: otter.ExpiryWriting[string, rest](restForgot),
	})}
}

// of is the failure for which an account rests now; nil: it does not.
func (r *rests) of(id string, now time.Time) error {
	found, ok := r.accounts.GetIfPresent(id)
	if !ok || !now.Before(found.until) {
		return nil
	}
	return resting(found.err, found.until.Sub(now))
}

// resting is err with the time that is left.
func resting(err error, left time.Duration) error {
	var e *provider.Error
	if !errors.As(err, &e) {
		return err
	}
	told := *e
	told.RetryAfter = left
	return &told
}

// put has an account rest after a failure, and returns for how long.
func (r *rests) put(id string, err error, now time.Time) time.Duration {
	before, _ := r.accounts.GetIfPresent(id)
	next := rest{failures: before.failures + 1, err: err}
	pause := restOf(err, next.failures)
	next.until = now.Add(pause)
	r.accounts.Set(id, next)
	return pause
}

func (r *rests) clear(id string) { r.accounts.Invalidate(id) }

func restOf(err error, failures int) time.Duration {
	var e *provider.Error
	switch {
	case errors.Is(err, provider.ErrRefused):
		return restOperator
	case errors.As(err, &e) && e.RetryAfter > 0:
		return e.RetryAfter
	}
	pause := min(restFirst<<min(failures-1, 10), restMost)
	return pause/2 + rand.N(pause/2)
}
