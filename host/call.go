package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/go-resty/resty/v2"
)

// maxAnswer bounds what is read of an answer, after decompression.
const maxAnswer = 1 << 20

// maxPatience is the longest Retry-After that is waited for within a call.
const maxPatience = time.Second

// newResty prepares the HTTP side. Repetition is left off in resty: it repeats any method alike.
func newResty(o Options) *resty.Client {
	transport := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    32,
		IdleConnTimeout:        time.Minute,
		MaxResponseHeaderBytes: 64 << 10,
	}
	client := &http.Client{
		Transport: transport,
		Timeout:   o.Timeout,
		// The request carries the API key: a redirect is an answer, never followed.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return resty.NewWithClient(client).
		SetBaseURL(strings.TrimRight(o.BaseURL, "/")).
		SetAuthToken(o.APIKey.Reveal()).
		SetHeader("Accept", "application/json").
		SetHeader("User-Agent", "linkgate").
		SetResponseBodyLimit(maxAnswer).
		SetDisableWarn(true).
		SetLogger(restyLog{o.Log}).
		SetPreRequestHook(neverResend)
}

// neverResend keeps net/http from sending a body twice by itself: it takes the Idempotency-Key
// header for leave to repeat a POST whose connection broke before the answer.
func neverResend(_ *resty.Client, r *http.Request) error {
	r.GetBody = nil
	return nil
}

// call is one call of the API.
type call struct {
	name           string // what it does, as a gerund
	method         string
	path           string // escaped
	in             any    // nil: no body
	idempotencyKey string
	read           func(data []byte) bool // takes the data, if it makes sense; nil: none is expected
}

// into makes a call's read: data is decoded into out when it is valid, else out stays as it is.
func into[T any](out *T, valid func(*T) bool) func([]byte) bool {
	return func(data []byte) bool {
		var got T
		if json.Unmarshal(data, &got) != nil || !valid(&got) {
			return false
		}
		*out = got
		return true
	}
}

// attempts is how often a call may be sent.
func (c call) attempts() int {
	switch c.method {
	case http.MethodGet:
		return 3
	case http.MethodPut, http.MethodDelete:
		return 2
	}
	return 1
}

// call sends k, and again where that is safe and promises something.
func (c *Client) call(ctx context.Context, k call) error {
	wait := c.retryWait
	for attempt := 1; ; attempt++ {
		err := c.attempt(ctx, k, attempt)
		if err == nil {
			return nil
		}
		if attempt == k.attempts() || !worthRepeating(ctx, err) {
			return fmt.Errorf("%s: %w", k.name, err)
		}
		pause(ctx, max(wait+rand.N(wait), wished(err)))
		wait *= 2
	}
}

// worthRepeating tells whether the same call might go better in a moment. After a timeout it
// might too, but then the caller has waited long enough.
func worthRepeating(ctx context.Context, err error) bool {
	var unavailable *UnavailableError
	return errors.As(err, &unavailable) &&
		ctx.Err() == nil && !isTimeout(err) && unavailable.RetryAfter <= maxPatience
}

func wished(err error) time.Duration {
	var unavailable *UnavailableError
	errors.As(err, &unavailable)
	return unavailable.RetryAfter
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// attempt sends k once.
func (c *Client) attempt(ctx context.Context, k call, number int) error {
	r := c.resty.R().SetContext(ctx)
	if k.in != nil {
		r.SetHeader("Content-Type", "application/json").SetBody(k.in)
	}
	if k.idempotencyKey != "" {
		r.SetHeader(headerIdempotencyKey, k.idempotencyKey)
	}
	start := time.Now()
	answer, err := r.Execute(k.method, k.path)
	if err != nil {
		err = &UnavailableError{Status: statusOf(answer), Err: err}
	} else {
		err = c.judge(k, answer)
	}
	c.log.DebugContext(ctx, "host call", "call", k.name, "attempt", number,
		"status", statusOf(answer), "took", time.Since(start), "error", err)
	return err
}

// statusOf is 0 when there is no answer; resty gives a nil one for what it could not send.
func statusOf(answer *resty.Response) int {
	if answer == nil {
		return 0
	}
	return answer.StatusCode()
}

// judge tells what an answer means. A 4xx counts as the host's word only in the host's envelope:
// without it, it is from something in between.
func (c *Client) judge(k call, answer *resty.Response) error {
	status := answer.StatusCode()
	e, enveloped := open(answer.Body())
	switch {
	case status == http.StatusUnauthorized:
		return ErrUnauthorized
	case status == http.StatusNoContent && k.read == nil:
		return nil
	case status >= 200 && status < 300:
		return accept(k, status, e)
	case status < 400 || status >= 500 || transient(status):
		return &UnavailableError{Status: status, RetryAfter: retryAfter(answer.Header(), c.now())}
	case !enveloped:
		return &UnavailableError{Status: status, Err: errGarbage}
	case status == http.StatusNotFound && k.method != http.MethodPost:
		return ErrNotFound
	}
	return &RefusedError{Status: status, Code: e.code()}
}

// transient tells the statuses of 4xx that pass: RFC 9110 §15.5.9, RFC 8470, RFC 6585 §4.
func transient(status int) bool {
	return status == http.StatusRequestTimeout || status == http.StatusTooEarly || status == http.StatusTooManyRequests
}

// accept takes the data of a success.
func accept(k call, status int, e envelope) error {
	if e.Code != codeOK || k.read != nil && !k.read(e.Data) {
		return &UnavailableError{Status: status, Err: errGarbage}
	}
	return nil
}

// restyLog takes resty's own lines into ours; left alone it writes to standard error.
type restyLog struct{ log *slog.Logger }

func (l restyLog) Errorf(format string, v ...any) {
	l.log.Debug("resty", "line", fmt.Sprintf(format, v...))
}
func (l restyLog) Warnf(format string, v ...any) {
	l.log.Debug("resty", "line", fmt.Sprintf(format, v...))
}
func (l restyLog) Debugf(format string, v ...any) {
	l.log.Debug("resty", "line", fmt.Sprintf(format, v...))
}
