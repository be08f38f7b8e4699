package provider

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/sony/gobreaker/v2"
)

const (
	breakerFailures = 5                // legs in a row that fail, until a service is left alone
	breakerPause    = 10 * time.Second // until one leg tries whether it is back
)

// breaker leaves a service alone that keeps failing, so that nobody waits for it in vain: its legs
// fail at once, and are not sent.
type breaker = gobreaker.CircuitBreaker[struct{}]

// newBreaker makes a breaker for the legs of one connection; legs names them in the log.
func newBreaker(log *slog.Logger, authID, legs string) *breaker {
	return gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name:         authID,
		Timeout:      breakerPause,
		ReadyToTrip:  func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= breakerFailures },
		IsSuccessful: func(err error) bool { return !isOutage(err) },
		// Who gives up proves nothing about the service.
		IsExcluded: func(err error) bool { return errors.Is(err, context.Canceled) },
		OnStateChange: func(_ string, from, to gobreaker.State) {
			switch {
			case from == gobreaker.StateClosed:
				log.Warn("breaker opens: the service keeps failing", "auth_id", authID, "legs", legs, "pause", breakerPause)
			case to == gobreaker.StateClosed:
				log.Info("breaker closes: the service is back", "auth_id", authID, "legs", legs)
			}
		},
	})
}

// isOutage tells the failures that count: no answer, or none that makes sense. A service that
// answers with 4xx is there, and a user's bad request must not close it to the others.
func isOutage(err error) bool {
	var e *Error
	return errors.As(err, &e) && errors.Is(e, ErrUnavailable) && (e.Status < 400 || e.Status > 499)
}

// isHeldBack tells that the breaker has not let a leg out.
func isHeldBack(err error) bool {
	return errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests)
}
