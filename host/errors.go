package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"linkgate/retry"
)

// MaxRetryAfter caps what the host may ask us to wait.
const MaxRetryAfter = time.Hour

// ErrNotFound: the host has no such linked account or user.
var ErrNotFound = errors.New("the host has no such record")

// ErrUnauthorized: the host does not accept our API key. It concerns no user, and it is worth
// trying again once the operator has put the key right.
var ErrUnauthorized = errors.New("the host does not accept our API key")

// errGarbage is the cause of an UnavailableError whose answer came and made no sense.
var errGarbage = errors.New("the answer makes no sense")

// RefusedError is a no that will stay a no.
type RefusedError struct {
	Status int    // 0: not sent, because the id can't be in a path
	Code   string // the envelope's, letters only; may be empty
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("the host refused with status %d and code %q", e.Status, e.Code)
}

// UnavailableError is no answer, or none that makes sense. Whether the host has done what it was
// asked is unknown.
type UnavailableError struct {
	Status     int           // 0: no answer
	RetryAfter time.Duration // the host's wish, at most MaxRetryAfter; zero: none
	Err        error         // what went wrong, if it was not the status
}

// Error names causes on our side of the wire only: an error about the answer's text would quote it.
func (e *UnavailableError) Error() string {
	var cause string
	var onWire *net.OpError
	switch {
	case errors.Is(e.Err, context.Canceled):
		cause = "the caller gave up"
	case isTimeout(e.Err):
		cause = "timeout"
	case errors.As(e.Err, &onWire):
		cause = onWire.Error()
	case e.Status == 0:
		cause = "no valid HTTP answer"
	case e.Err != nil:
		cause = fmt.Sprintf("status %d with an answer that makes no sense", e.Status)
	default:
		cause = fmt.Sprintf("status %d", e.Status)
	}
	return "the host is unavailable: " + cause
}

// Unwrap returns the cause.
func (e *UnavailableError) Unwrap() error { return e.Err }

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

// retryAfter is the host's wish, at most MaxRetryAfter.
func retryAfter(h http.Header, now time.Time) time.Duration {
	wait, _ := retry.After(h.Get("Retry-After"), now)
	return min(wait, MaxRetryAfter)
}
