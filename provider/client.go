package provider

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"linkgate/retry"
)

const (
	legTimeout    = 10 * time.Second // one request with the whole of its answer
	maxAnswer     = 1 << 20          // bytes, after decompression
	maxRetryAfter = time.Hour
)

// client walks one leg to a service at a time: one request, one bounded answer.
type client struct {
	transport http.RoundTripper
	timeout   time.Duration // of a leg, in time in which this process runs (watch.go)
	now       func() time.Time
	breaker   *breaker
}

func newClient(authID string, d Deps) *client {
	return &client{
		transport: NewTransport(d), timeout: legTimeout, now: d.Now,
		breaker: newBreaker(d.Log, authID, "sign-in"),
	}
}

// apart is the same client with a breaker of its own for other legs: what fails there says nothing
// of these.
func (c *client) apart(log *slog.Logger, authID, legs string) *client {
	other := *c
	other.breaker = newBreaker(log, authID, legs)
	return &other
}

// answer is what a service said. Nothing in it may reach an error or a log.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// leg is one request on its way to a service.
type leg struct {
	op  string // as in Error
	req *http.Request
	by  time.Time // not sent after it, by this process's own clock; zero: whenever
}

// do walks a leg unless the breaker holds it back: then nothing is sent. read takes the answer; it
// is part of the leg, so that answers which make no sense count as failures of the service.
func (c *client) do(ctx context.Context, l leg, read func(answer) error) error {
	if ctx.Err() != nil {
		return unreachable(ctx, l.op, ctx.Err())
	}
	_, err := c.breaker.Execute(func() (struct{}, error) {
		ans, err := c.send(ctx, l)
		if err != nil {
			return struct{}{}, err
		}
		return struct{}{}, read(ans)
	})
	if isHeldBack(err) {
		return &Error{Op: l.op, Kind: ErrUnavailable, Code: "not sent, for the service keeps failing", RetryAfter: breakerPause}
	}
	return err
}

// send sends the request once and returns its answer. It fails with ErrUnavailable when there is no
// whole answer, and when the answer says by its status that it is none: a redirect, 408, 429, 5xx.
func (c *client) send(ctx context.Context, l leg) (answer, error) {
	watched, end := watch(ctx, c.timeout)
	defer end(nil)
	res, err := c.roundTrip(watched, l, end)
	if err != nil {
		return answer{}, cutOff(ctx, watched, l.op, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return answer{}, cutOff(ctx, watched, l.op, err)
	}
	if len(body) > maxAnswer {
		return answer{}, &Error{Op: l.op, Kind: ErrUnavailable, Code: "answer too long", Status: res.StatusCode}
	}
	if err := c.checkStatus(l.op, res); err != nil {
		return answer{}, err
	}
	return answer{status: res.StatusCode, header: res.Header, body: body}, nil
}

func (c *client) roundTrip(watched context.Context, l leg, end context.CancelCauseFunc) (*http.Response, error) {
	req := l.req.WithContext(watched)
	req.Header.Set("User-Agent", "linkgate")
	// Without GetBody net/http can't send a body a second time: not after a connection that died,
	// not after HTTP/2's REFUSED_STREAM or GOAWAY.
	req.GetBody = nil
	if !l.by.IsZero() {
		var err error
		if req, err = punctual(req, l.by, end); err != nil {
			return nil, err
		}
	}
	return c.transport.RoundTrip(req)
}

func (c *client) checkStatus(op string, res *http.Response) error {
	status := res.StatusCode
	switch {
	case status >= 300 && status < 400:
		return &Error{Op: op, Kind: ErrUnavailable, Code: "redirect", Status: status}
	case status >= 500, status == http.StatusTooManyRequests, status == http.StatusRequestTimeout:
		after := RetryAfter(res.Header.Get("Retry-After"), c.now())
		return &Error{Op: op, Kind: ErrUnavailable, Status: status, RetryAfter: after}
	}
	return nil
}

// getJSON asks for a JSON document; authorize, if there is one, puts a credential into the request.
// A 4xx other than those of send is ErrRefused: the service understood, and does not want to.
func (c *client) getJSON(ctx context.Context, op, address string, authorize func(*http.Request), into any) error {
	return c.askJSON(ctx, op, address, "", authorize, into)
}

// askJSON is getJSON for an address that may want a question, such as a GraphQL query: then it is
// posted, as JSON.
func (c *client) askJSON(ctx context.Context, op, address, question string, authorize func(*http.Request), into any) error {
	method := http.MethodGet
	if question != "" {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(question))
	if err != nil {
		return &Error{Op: op, Kind: ErrUnavailable, Code: "the endpoint is no URL"}
	}
	req.Header.Set("Accept", "application/json")
	if question != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if authorize != nil {
		authorize(req)
	}
	return c.do(ctx, leg{op: op, req: req}, func(ans answer) error {
		if ans.status >= 400 {
			return &Error{Op: op, Kind: ErrRefused, Status: ans.status}
		}
		if json.Unmarshal(ans.body, into) != nil {
			return &Error{Op: op, Kind: ErrUnavailable, Code: "answer is not the JSON expected", Status: ans.status}
		}
		return nil
	})
}

// getAny is getJSON for an answer of which only that it is one of success counts.
func (c *client) getAny(ctx context.Context, op, address string, authorize func(*http.Request)) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return &Error{Op: op, Kind: ErrUnavailable, Code: "the endpoint is no URL"}
	}
	authorize(req)
	return c.do(ctx, leg{op: op, req: req}, func(ans answer) error {
		if ans.status >= 400 {
			return &Error{Op: op, Kind: ErrRefused, Status: ans.status}
		}
		return nil
	})
}

// cutOff is unreachable for a leg under way: where the watch has ended it, the transport's error may
// say no more than that it was cancelled.
func cutOff(ctx, watched context.Context, op string, err error) *Error {
	switch {
	case ctx.Err() != nil:
		err = ctx.Err()
	case watched.Err() != nil:
		err = context.Cause(watched)
	}
	return unreachable(ctx, op, err)
}

// unreachable makes an ErrUnavailable of a transport's failure. The failure's own text is dropped,
// for it can quote the answer (which can quote the request).
func unreachable(ctx context.Context, op string, err error) *Error {
	return &Error{Op: op, Kind: ErrUnavailable, Code: Reason(err), cause: ctx.Err()}
}

// Reason says in our own words why a leg failed, for the operator: without an address or what the
// other side has said.
func Reason(err error) string {
	var timeout net.Error
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	switch {
	case IsPrivateAddress(err):
		return "address not allowed"
	case errors.Is(err, errTooLate):
		return "not sent, for its time had passed"
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timed out"
	case errors.As(err, &name):
		return "name not found"
	case errors.As(err, &certificate):
		return "certificate not trusted"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	default:
		return "connection broken"
	}
}

// RetryAfter is what the value of a Retry-After header says (RFC 9110 §10.2.3), at most maxRetryAfter;
// 0: nothing.
func RetryAfter(value string, now time.Time) time.Duration {
	wait, _ := retry.After(value, now)
	return min(wait, maxRetryAfter)
}
