package provider

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	legTimeout    = 10 * time.Second // one request with the whole of its answer
	maxAnswer     = 1 << 20          // bytes, after decompression
	maxRetryAfter = time.Hour
)

// client walks one leg to a service at a time: one request, one bounded answer.
type client struct {
	transport http.RoundTripper
	timeout   time.Duration // of a leg
	now       func() time.Time
	breaker   *breaker
}

func newClient(authID string, d Deps) *client {
	return &client{
		transport: newTransport(d), timeout: legTimeout, now: d.Now,
		breaker: newBreaker(d.Log, authID, "sign-in"),
	}
}

// answer is what a service said. Nothing in it may reach an error or a log.
type answer struct {
	status int
	body   []byte
}

// do walks a leg unless the breaker holds it back: then nothing is sent. read takes the answer; it
// is part of the leg, so that answers which make no sense count as failures of the service.
func (c *client) do(ctx context.Context, op string, req *http.Request, read func(answer) error) error {
	if ctx.Err() != nil {
		return unreachable(ctx, op, ctx.Err())
	}
	_, err := c.breaker.Execute(func() (struct{}, error) {
		ans, err := c.send(ctx, op, req)
		if err != nil {
			return struct{}{}, err
		}
		return struct{}{}, read(ans)
	})
	if isHeldBack(err) {
		return &Error{Op: op, Kind: ErrUnavailable, Code: "not sent, for the service keeps failing", RetryAfter: breakerPause}
	}
	return err
}

// send sends the request once and returns its answer. It fails with ErrUnavailable when there is no
// whole answer, and when the answer says by its status that it is none: a redirect, 408, 429, 5xx.
func (c *client) send(ctx context.Context, op string, req *http.Request) (answer, error) {
	legCtx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req.Header.Set("User-Agent", "linkgate")
	// Without GetBody net/http can't send a body a second time: not after a connection that died,
	// not after HTTP/2's REFUSED_STREAM or GOAWAY.
	req.GetBody = nil
	res, err := c.transport.RoundTrip(req.WithContext(legCtx))
	if err != nil {
		return answer{}, unreachable(ctx, op, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return answer{}, unreachable(ctx, op, err)
	}
	if len(body) > maxAnswer {
		return answer{}, &Error{Op: op, Kind: ErrUnavailable, Code: "answer too long", Status: res.StatusCode}
	}
	if err := c.checkStatus(op, res); err != nil {
		return answer{}, err
	}
	return answer{status: res.StatusCode, body: body}, nil
}

func (c *client) checkStatus(op string, res *http.Response) error {
	status := res.StatusCode
	switch {
	case status >= 300 && status < 400:
		return &Error{Op: op, Kind: ErrUnavailable, Code: "redirect", Status: status}
	case status >= 500, status == http.StatusTooManyRequests, status == http.StatusRequestTimeout:
		after := retryAfter(res.Header.Get("Retry-After"), c.now())
		return &Error{Op: op, Kind: ErrUnavailable, Status: status, RetryAfter: after}
	}
	return nil
}

// getJSON asks for a JSON document, with the bearer token if there is one. A 4xx other than those
// of send is ErrRefused: the service understood, and does not want to.
func (c *client) getJSON(ctx context.Context, op, address, bearer string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return &Error{Op: op, Kind: ErrUnavailable, Code: "the endpoint is no URL"}
	}
	req.Header.Set("Accept", "application/json")
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	return c.do(ctx, op, req, func(ans answer) error {
		if ans.status >= 400 {
			return &Error{Op: op, Kind: ErrRefused, Status: ans.status}
		}
		if json.Unmarshal(ans.body, into) != nil {
			return &Error{Op: op, Kind: ErrUnavailable, Code: "answer is not the JSON expected", Status: ans.status}
		}
		return nil
	})
}

// unreachable makes an ErrUnavailable of a transport's failure. The failure's own text is dropped,
// for it can quote the answer (which can quote the request).
func unreachable(ctx context.Context, op string, err error) *Error {
	return &Error{Op: op, Kind: ErrUnavailable, Code: reason(err), cause: ctx.Err()}
}

// reason says in our own words why a leg failed, for the operator.
func reason(err error) string {
	var timeout net.Error
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	switch {
	case IsPrivateAddress(err):
		return "address not allowed"
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

// retryAfter reads the header (RFC 9110 §10.2.3), seconds or a date, between 0 and maxRetryAfter.
func retryAfter(header string, now time.Time) time.Duration {
	header = strings.TrimSpace(header)
	if date, err := http.ParseTime(header); err == nil {
		return min(max(date.Sub(now), 0), maxRetryAfter)
	}
	seconds, err := strconv.ParseUint(header, 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0
	}
	return time.Duration(min(seconds, uint64(maxRetryAfter/time.Second))) * time.Second
}
