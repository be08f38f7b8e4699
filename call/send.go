package call

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// RoundTrip implements http.RoundTripper for ReverseProxy: it sends a request, and sends it again
// where there is a remedy for its answer.
func (e *exchange) RoundTrip(out *http.Request) (*http.Response, error) {
	if e.err != nil {
		return nil, e.err
	}
	var res *http.Response
	res, e.err = e.attempt(out)
	for e.err == nil {
		r, err := e.remedy(out.Context(), res)
		if err == nil && r == nil {
			e.served = res.Header
			if isOfNoHop(res.Header) {
				res.Header = nil // ReverseProxy would look through it
			}
			return res, nil
		}
		e.discard(res)
		if err == nil {
			res, err = e.repeat(out, r)
		}
		e.err = err
	}
	return nil, e.err
}

// attempt sends a request once, unless the breaker holds it back.
func (e *exchange) attempt(req *http.Request) (*http.Response, error) {
	res, err := e.connection.breakers.of(req.URL.Host).Execute(func() (*http.Response, error) { return e.send(req) })
	if isHeldBack(err) {
		return nil, &UnavailableError{System: theService, RetryAfter: breakerPause, Err: errHeldBack}
	}
	return res, err
}

func (e *exchange) send(req *http.Request) (*http.Response, error) {
	begin := time.Now()
	res, err := e.roundTrip(req)
	if err == nil && (!isFinal(res.StatusCode) || e.lapsed(req.Context())) {
		res.Body.Close()
		err = errNoAnswer
	}
	if err != nil {
		err = e.failure(req.Context(), err)
		if isOutage(err) {
			e.connection.series.observe(0, time.Since(begin))
		}
		return nil, err
	}
	e.connection.series.observe(res.StatusCode, time.Since(begin))
	return res, nil
}

// roundTrip sends a request, with patience where the transport has not enough of it.
func (e *exchange) roundTrip(req *http.Request) (*http.Response, error) {
	if e.patience != nil {
		e.patience.begin()
		defer e.patience.end()
	}
	return e.connection.transport.RoundTrip(req)
}

// errNoAnswer: what has come is none, or comes too late.
var errNoAnswer = errors.New("no answer")

// isFinal tells a status that an answer can have (RFC 9110 §15).
func isFinal(status int) bool { return status >= 200 || status == http.StatusSwitchingProtocols }

// failure says why there is no answer.
func (e *exchange) failure(ctx context.Context, err error) error {
	why, unconnected := noConnection(err)
	switch {
	case e.lapsed(ctx):
		return ErrTimeout
	case ctx.Err() != nil:
		return fmt.Errorf("sending a request: %w", ctx.Err())
	case e.upload != nil && e.upload.failed():
		return ErrBadBody
	case unconnected:
		return &UnavailableError{System: theService, Err: why}
	case isTimeout(err):
		return ErrTimeout
	}
	return ErrBroken
}

// lapsed tells that patience has ended the exchange.
func (e *exchange) lapsed(ctx context.Context) bool {
	return e.patience != nil && errors.Is(context.Cause(ctx), errLapsed)
}

func isTimeout(err error) bool {
	var late net.Error
	return errors.As(err, &late) && late.Timeout()
}
