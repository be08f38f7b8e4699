package provider

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"time"
)

// watchTicks is into how many pieces a watch cuts its time.
const watchTicks = 20

// watch gives a context that ends, with context.DeadlineExceeded as its cause, when this process has
// run for d. It counts the ticks of a ticker, of which a process that is stopped for a while (by
// SIGSTOP, with its container, with the machine under it) gets one at most: when it goes on, the
// answer that has come meanwhile is still read. It may hold a refresh token that came once.
func watch(ctx context.Context, d time.Duration) (watched context.Context, end context.CancelCauseFunc) {
	watched, end = context.WithCancelCause(ctx)
	go func() {
		ticker := time.NewTicker(d / watchTicks)
		defer ticker.Stop()
		for range watchTicks {
			select {
			case <-ticker.C:
			case <-watched.Done():
				return
			}
		}
		end(context.DeadlineExceeded)
	}()
	return watched, end
}

// errTooLate: a request was not sent, for its time had passed.
var errTooLate = errors.New("too late to send")

// punctual has a request leave by a time or not at all. That shows when it has its connection,
// however long dialling took and whenever the process was stopped until then. A late one loses its
// body: HTTP/1.1 writes headers and a body in memory at one go, and writes nothing when the body
// is not as long as announced. HTTP/2 would send the headers alone, but not for a context that ended.
func punctual(req *http.Request, by time.Time, end context.CancelCauseFunc) (*http.Request, error) {
	body := new(bytes.Buffer)
	if _, err := io.Copy(body, req.Body); err != nil {
		return nil, err
	}
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) {
		if hasPassed(by, time.Now()) {
			body.Reset()
			end(errTooLate)
		}
	}}
	req = req.WithContext(httptrace.WithClientTrace(req.Context(), trace))
	req.Body = io.NopCloser(body)
	return req, nil
}

// hasPassed compares by both clocks: the monotonic one stands still while the machine sleeps, and
// the wall clock can be set back.
func hasPassed(by, now time.Time) bool {
	return now.After(by) || now.Round(0).After(by.Round(0))
}
