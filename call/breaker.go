package call

import (
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"
)

const (
	breakerFailures = 5                // attempts in a row without an answer, until a service is left alone
	breakerPause    = 10 * time.Second // until one call tries whether it is back
	maxBreakers     = 4096             // of one connection, where each account may have a host of its own
)

// breaker leaves a service alone that gives no answers, so that nobody waits for it in vain. Every
// answer counts as one, a 500 too: with the user's request it may be the right one.
type breaker = gobreaker.CircuitBreaker[*http.Response]

func newBreaker(log *slog.Logger, authID string) *breaker {
	return gobreaker.NewCircuitBreaker[*http.Response](gobreaker.Settings{ //nolint:bodyclose // none here
		Name:         authID,
		Timeout:      breakerPause,
		ReadyToTrip:  func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= breakerFailures },
		IsSuccessful: func(err error) bool { return err == nil },
		// Who leaves, or sends half a body, proves nothing about the service.
		IsExcluded: func(err error) bool { return err != nil && !isOutage(err) },
		OnStateChange: func(_ string, from, to gobreaker.State) {
			switch {
			case from == gobreaker.StateClosed:
				log.Warn("breaker opens: the service keeps failing", "auth_id", authID, "legs", "calls", "pause", breakerPause)
			case to == gobreaker.StateClosed:
				log.Info("breaker closes: the service is back", "auth_id", authID, "legs", "calls")
			}
		},
	})
}

func isOutage(err error) bool {
	return errors.Is(err, ErrUnavailable) || errors.Is(err, ErrTimeout) || errors.Is(err, ErrBroken)
}

// isHeldBack tells that a breaker has not let a request out.
func isHeldBack(err error) bool {
	return errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests)
}

// breakers are a connection's: one for the service, or one for each host where the host depends on
// the account. There one customer's server that is gone must not be counted against the others'.
type breakers struct {
	log    *slog.Logger
	authID string
	all    *breaker // nil: by host

	mu     sync.Mutex
	byHost map[string]*breaker
}

func newBreakers(log *slog.Logger, authID string, eachHost bool) *breakers {
	b := &breakers{log: log, authID: authID}
	if eachHost {
		b.byHost = make(map[string]*breaker)
	} else {
		b.all = newBreaker(log, authID)
	}
	return b
}

// of is the breaker for a host. When there are too many some are forgotten, and what they had counted.
func (b *breakers) of(host string) *breaker {
	if b.all != nil {
		return b.all
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	known, ok := b.byHost[host]
	if ok {
		return known
	}
	for other := range b.byHost {
		if len(b.byHost) < maxBreakers {
			break
		}
		delete(b.byHost, other)
	}
	made := newBreaker(b.log, b.authID)
	b.byHost[host] = made
	return made
}
