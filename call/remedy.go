package call

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"linkgate/linkedaccount"
	"linkgate/retry"
)

const (
	maxRepeats   = 2                // times that a service may put a request off
	maxWaiting   = 5 * time.Second  // in all, if the caller does not state its patience
	maxPreferred = 30 * time.Second // of the patience that a caller states
	maxDiscarded = 16 << 10         // bytes of an answer that are read to use its connection again
	discardTime  = time.Second      // for which they are waited
)

// remedy is with what a request may succeed whose answer says that it has not.
type remedy struct {
	account *linkedaccount.Opened
	wait    time.Duration
	body    io.ReadCloser // nil: none
}

// remedy finds one for an answer. With nil the client gets the answer. An error is what the client
// gets to know in place of the answer.
func (e *exchange) remedy(ctx context.Context, res *http.Response) (*remedy, error) {
	var r *remedy
	var err error
	switch res.StatusCode {
	case http.StatusUnauthorized:
		r, err = e.renewal(ctx)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		r = e.pause(ctx, res.Header)
	}
	if r == nil || err != nil || e.upload == nil {
		return r, err
	}
	var again bool
	if r.body, again = e.upload.again(); !again {
		return nil, nil
	}
	return r, nil
}

// renewal is for a credential that the service does not take: another one, if there is.
func (e *exchange) renewal(ctx context.Context) (*remedy, error) {
	if e.renewed {
		return nil, nil
	}
	e.renewed = true
	account, err := e.tokens.Rejected(ctx, e.account)
	switch {
	case errors.Is(err, linkedaccount.ErrReauthRequired):
		return nil, fmt.Errorf("%w: %w", ErrReauthRequired, err)
	case ctx.Err() != nil:
		return nil, fmt.Errorf("renewing a credential: %w", ctx.Err())
	case err != nil:
		e.log.Warn("a service has rejected a credential, and there is no other now", "auth_id", e.connection.settings.AuthID, "error", err)
		return nil, nil
	case account.TokenVersion == e.account.TokenVersion:
		return nil, nil
	}
	return &remedy{account: account}, nil
}

// pause is for a service that says when to come back (RFC 9110 §10.2.3): to do so, if the request
// can't do harm by being sent twice and the caller can wait that long.
func (e *exchange) pause(ctx context.Context, h http.Header) *remedy {
	now := time.Now()
	wait, told := retryAfter(h, now)
	if !told || e.repeated == maxRepeats || !isIdempotent(e.incoming.Method) || wait > e.timeLeft(ctx, now) {
		return nil
	}
	e.repeated++
	e.waited += wait
	return &remedy{account: e.account, wait: wait}
}

// timeLeft is how long the caller can wait before the request is sent again.
func (e *exchange) timeLeft(ctx context.Context, now time.Time) time.Duration {
	left := maxWaiting - e.waited
	if preferred, stated := preferredWait(e.incoming.Header); stated {
		left = min(preferred, maxPreferred) - now.Sub(e.began)
	}
	if deadline, ok := ctx.Deadline(); ok {
		left = min(left, deadline.Sub(now))
	}
	return left
}

// repeat sends the request again.
func (e *exchange) repeat(out *http.Request, r *remedy) (*http.Response, error) {
	if err := sleep(out.Context(), r.wait); err != nil {
		return nil, e.failure(out.Context(), err)
	}
	e.account = r.account
	req := out.Clone(out.Context())
	req.Body, req.Trailer = r.body, out.Trailer // the trailer is filled in when the body has passed
	if err := e.aim(req); err != nil {
		return nil, err
	}
	return e.attempt(req)
}

// discard lets go of an answer that the client does not get.
func (e *exchange) discard(res *http.Response) {
	late := time.AfterFunc(discardTime, func() { res.Body.Close() })
	defer late.Stop()
	_, _ = io.CopyN(io.Discard, res.Body, maxDiscarded)
	res.Body.Close()
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// isIdempotent is RFC 9110 §9.2.2.
func isIdempotent(method string) bool {
	return slices.Contains([]string{"GET", "HEAD", "OPTIONS", "PUT", "DELETE"}, method)
}

// retryAfter reads Retry-After. Of two it can't be known which is meant.
func retryAfter(h http.Header, now time.Time) (wait time.Duration, told bool) {
	values := h["Retry-After"]
	if len(values) != 1 {
		return 0, false
	}
	return retry.After(values[0], now)
}

// preferredWait is how long the caller says that it can wait (RFC 7240 §4.3). Of several the first
// counts (§2).
func preferredWait(h http.Header) (wait time.Duration, stated bool) {
	for _, line := range h["Prefer"] {
		for preference := range strings.SplitSeq(line, ",") {
			preference, _, _ = strings.Cut(preference, ";") // parameters
			name, value, _ := strings.Cut(preference, "=")
			if strings.EqualFold(strings.TrimSpace(name), "wait") {
				return seconds(strings.Trim(strings.TrimSpace(value), `"`))
			}
		}
	}
	return 0, false
}

// seconds reads a number of seconds, of 32 bits: more don't fit into a Duration.
func seconds(s string) (d time.Duration, ok bool) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0, false
	}
	return time.Duration(n) * time.Second, true
}
