package handlers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"linkgate/connect"
	"linkgate/templates"
)

// What is wrong with a request before any use case is called.
var (
	errNotHost    = errors.New("the proxy secret is missing, doubled or wrong")
	errNoUser     = errors.New("the user id is missing, doubled or malformed")
	errBadRequest = errors.New("malformed")
	errTooLarge   = errors.New("the body is larger than 1 MiB")
	errOtherSite  = errors.New("the form was sent by another site")
)

// errNobodyThere is whatever went wrong because the client did not wait for the answer. It is
// nobody's fault, and so never logged as one; the status is the one that nginx made usual.
var errNobodyThere = errors.New("the client has left")

const statusNobodyThere = 499

// unheard marks an error that comes of the client having left. Work of ours that was ended for
// another reason has somebody waiting for an answer.
func unheard(ctx context.Context, err error) error {
	if errors.Is(err, context.Canceled) && errors.Is(ctx.Err(), context.Canceled) {
		return fmt.Errorf("%w: %w", errNobodyThere, err)
	}
	return err
}

// panicked is a handler's panic as an error.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v", p.value) }

const (
	defaultRetryAfter = 5 * time.Second
	tooManyRetryAfter = time.Minute
)

// failure is what an error means to those who called: a status, the host's code and message, the
// browser's page.
type failure struct {
	status     int
	code       string
	message    string
	page       templates.ProblemKind
	retryAfter time.Duration // zero: nothing is said about it
}

// meanings is the one place that knows what an error means; the first that fits counts. A new
// error of connect is a new line here.
func meanings() []meaning {
	return []meaning{
		{errNobodyThere, failure{status: statusNobodyThere}},
		{errNotHost, failure{http.StatusUnauthorized, "UNAUTHORIZED", "The proxy secret is missing or wrong.", templates.Forbidden, 0}},
		{errNoUser, failure{http.StatusBadRequest, "BAD_REQUEST", "Exactly one well-formed blink-auth-userid is needed.", templates.BadRequest, 0}},
		{errBadRequest, failure{http.StatusBadRequest, "BAD_REQUEST", "The request is malformed.", templates.BadRequest, 0}},
		{errTooLarge, failure{http.StatusRequestEntityTooLarge, "PAYLOAD_TOO_LARGE", "The body is larger than 1 MiB.", templates.BadRequest, 0}},
		{errOtherSite, failure{http.StatusForbidden, "FORBIDDEN", "The form was sent by another site.", templates.Forbidden, 0}},
		{connect.ErrUnknownConnection, failure{http.StatusNotFound, "NOT_FOUND", "There is no such auth id.", templates.NotFound, 0}},
		{connect.ErrNotFound, failure{http.StatusNotFound, "NOT_FOUND", "This user has no such linked account.", templates.NotFound, 0}},
		{connect.ErrExpired, failure{http.StatusGone, "GONE", "The session is over or never was.", templates.Expired, 0}},
		{connect.ErrUsed, failure{http.StatusConflict, "CONFLICT", "The session has been used.", templates.Used, 0}},
		{connect.ErrWrongBrowser, failure{http.StatusForbidden, "FORBIDDEN", "The session belongs to another browser.", templates.WrongBrowser, 0}},
		{connect.ErrWrongUser, failure{http.StatusForbidden, "FORBIDDEN", "The session was started by another user.", templates.Forbidden, 0}},
		{connect.ErrWrongConnection, failure{http.StatusBadRequest, "BAD_REQUEST", "The session belongs to another auth id.", templates.WrongConnection, 0}},
		{connect.ErrTooMany, failure{http.StatusTooManyRequests, "TOO_MANY_REQUESTS", "There were too many attempts by this user.", templates.TooMany, tooManyRetryAfter}},
		{connect.ErrHostRefuses, failure{http.StatusBadGateway, "HOST_REFUSED", "The host refuses to delete this account; the operator of the app must look.", templates.Internal, 0}},
		{connect.ErrUnavailable, unavailable()},
		{context.DeadlineExceeded, unavailable()},
		{context.Canceled, unavailable()}, // work of ours; a client that has left is errNobodyThere
	}
}

type meaning struct {
	err     error
	failure failure
}

func unavailable() failure {
	return failure{http.StatusServiceUnavailable, "UNAVAILABLE", "A system we depend on does not answer.", templates.Unavailable, defaultRetryAfter}
}

// explain tells what an error means. What is not known is our own fault and is told to nobody but
// the log.
func explain(err error) failure {
	for _, m := range meanings() {
		if errors.Is(err, m.err) {
			return m.failure.withRetryAfter(err)
		}
	}
	return explainHTTP(err)
}

// withRetryAfter takes over when to come back from an error that knows it.
func (f failure) withRetryAfter(err error) failure {
	var known *connect.UnavailableError
	if errors.As(err, &known) && known.RetryAfter > 0 {
		f.retryAfter = known.RetryAfter
	}
	return f
}

// explainHTTP explains what the router says, and the unknown.
func explainHTTP(err error) failure {
	var fromRouter *echo.HTTPError
	if errors.As(err, &fromRouter) {
		switch fromRouter.Code {
		case http.StatusNotFound:
			return failure{http.StatusNotFound, "NOT_FOUND", "There is nothing at this address.", templates.NotFound, 0}
		case http.StatusMethodNotAllowed:
			return failure{http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED", "This method is not allowed here.", templates.MethodNotAllowed, 0}
		}
	}
	return failure{http.StatusInternalServerError, "INTERNAL", "Something went wrong on our side.", templates.Internal, 0}
}

// fail answers with what err means to the audience. The request id goes on the page: it is what a
// user can tell support.
func (s *site) fail(c echo.Context, to audience, err error) error {
	f := explain(err)
	if f.status == statusNobodyThere {
		return c.NoContent(f.status)
	}
	if f.retryAfter > 0 {
		seconds := max(1, int64((f.retryAfter+time.Second-1)/time.Second))
		c.Response().Header().Set("Retry-After", strconv.FormatInt(seconds, 10))
	}
	if to == host {
		return writeEnvelope(c, f.status, envelope{f.code, f.message, struct{}{}})
	}
	problem := templates.Problem{Kind: f.page}
	if f.status >= http.StatusInternalServerError {
		problem.RequestID = c.Response().Header().Get(requestIDHeader)
	}
	return s.writePage(c, f.status, page{Page: problem})
}
