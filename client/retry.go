package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"
)

// How long to wait where nobody says: from the first, doubled each time, to the longest.
const (
	firstPause   = 250 * time.Millisecond
	longestPause = 8 * time.Second
)

// send sends o until it is answered with what it is for. The caller closes the answer's body.
// *Problem; else the network's error.
func (c *Client) send(ctx context.Context, o operation) (*http.Response, error) {
	body, err := o.bytes()
	if err != nil {
		return nil, err
	}
	var waited time.Duration
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		answer, err := c.once(ctx, o, body)
		if err == nil || ctx.Err() != nil || !o.mayRepeat(err) {
			return answer, err
		}
		wait := waitFor(err, pause)
		if waited += wait; waited > c.patience || !lasts(ctx, wait) {
			return nil, err
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, err
		case <-timer.C:
		}
	}
}

// bytes are the body as it is sent, the same each time: Linkgate compares them. nil: none.
func (o operation) bytes() ([]byte, error) {
	switch body := o.body.(type) {
	case nil:
		return nil, nil
	case json.RawMessage:
		return body, nil
	}
	body, err := json.Marshal(o.body)
	if err != nil {
		return nil, fmt.Errorf("writing a request: %w", err)
	}
	return body, nil
}

// once sends o, once.
func (c *Client) once(ctx context.Context, o operation, body []byte) (*http.Response, error) {
	r, err := c.request(ctx, o, body)
	if err != nil {
		return nil, err
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return nil, &UnreachableError{err}
	}
	if answer.StatusCode >= 300 && answer.StatusCode != http.StatusNotModified {
		defer answer.Body.Close()
		return nil, problemOf(answer)
	}
	return answer, nil
}

// mayRepeat tells whether o may be sent again after err, and whether that can help.
func (o operation) mayRepeat(err error) bool {
	p, ok := errors.AsType[*Problem](err)
	if !ok {
		_, isUnreachable := errors.AsType[*UnreachableError](err)
		return isUnreachable && o.isRepeatable
	}
	switch p.Status {
	case http.StatusTooManyRequests: // nothing was done
		return true
	case http.StatusServiceUnavailable:
		return o.isRepeatable
	case http.StatusConflict: // the one that was sent first is still being worked on
		return o.isRepeatable && p.Kind() == InProgress
	}
	return false
}

// waitFor is what Linkgate asks for, else about as long as pause. Some chance keeps those apart who
// were turned away together.
func waitFor(err error, pause time.Duration) time.Duration {
	if p, ok := errors.AsType[*Problem](err); ok && p.RetryAfter > 0 {
		return p.RetryAfter + rand.N(firstPause)
	}
	return pause/2 + rand.N(pause)
}

// lasts tells whether ctx lasts for longer than d.
func lasts(ctx context.Context, d time.Duration) bool {
	end, ok := ctx.Deadline()
	return !ok || time.Until(end) > d
}

// UnreachableError tells that Linkgate was not reached, or broke off before it had answered.
type UnreachableError struct{ Err error }

// Error implements error.
func (e *UnreachableError) Error() string { return "Linkgate can't be reached: " + e.Err.Error() }

// Unwrap gives the network's error.
func (e *UnreachableError) Unwrap() error { return e.Err }

// drained reads a little of what an error's answer has, which lets the connection be used again.
func drained(r io.Reader) []byte {
	const longest = 64 << 10
	body, _ := io.ReadAll(io.LimitReader(r, longest))
	return body
}
