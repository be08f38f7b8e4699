package handlers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"linkgate/call"
	"linkgate/connect"
	"linkgate/database"
	"linkgate/templates"
)

// What is wrong with a request before any use case is called.
var (
	errNotHost   = errors.New("the proxy secret is missing, doubled or wrong")
	errNoUser    = errors.New("the user id is missing, doubled or malformed")
	errOtherSite = errors.New("the form was sent by another site")
	errAccount   = errors.New("the account to call as is named twice, or not well-formed")
	errComponent = errors.New("the component to call for is named twice, or not well-formed")
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

// errCutOff is an answer that broke off after it had begun. net/http is told with
// http.ErrAbortHandler, so that the client sees that something is missing.
var errCutOff = errors.New("the answer broke off")

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

// explain tells what an error means. What is not known is our own fault and is told to nobody but
// the log.
func explain(err error) failure {
	for _, m := range meanings() {
		if errors.Is(err, m.err) {
			return m.failure.inParticular(err)
		}
	}
	return explainHTTP(err)
}

// explainTo is explain for an audience. Back ends' requests ask the database without package connect,
// which tells weather from faults for all others.
func explainTo(to audience, err error) failure {
	f := explain(err)
	if (to == backEnd || to == backEndThrough) && f.status == http.StatusInternalServerError && database.IsUnavailable(err) {
		return unavailable()
	}
	return f
}

// inParticular takes over what an error knows better than the table: when to come back, and what to
// say.
func (f failure) inParticular(err error) failure {
	var known *connect.UnavailableError
	if errors.As(err, &known) && known.RetryAfter > 0 {
		f.retryAfter = known.RetryAfter
	}
	var down *call.UnavailableError
	if errors.As(err, &down) {
		f.retryAfter = cmp.Or(down.RetryAfter, f.retryAfter)
	}
	var refused *call.NotAllowedError
	if errors.As(err, &refused) {
		f.message = ruleMissing(refused)
	}
	var n *notCalled
	if errors.As(err, &n) {
		f.retryAfter = cmp.Or(n.retryAfter(), f.retryAfter)
		f.message = cmp.Or(n.message(), f.message)
	}
	return f
}

// dataOf is what the host gets beside code and message.
func dataOf(err error) any {
	var n *notCalled
	if errors.As(err, &n) {
		return n.data()
	}
	return struct{}{}
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

// codeHeader has the code of an error of ours once more, for callers of what passes through: there a
// service or the app may well answer with an envelope of its own.
const codeHeader = "Linkgate-Error"

// fail answers with what err means to the audience. The request id goes on the page: it is what a
// user can tell support.
func (s *site) fail(c echo.Context, to audience, err error) error {
	f := explainTo(to, err)
	if f.status == statusNobodyThere {
		return c.NoContent(f.status)
	}
	h := c.Response().Header()
	if f.retryAfter > 0 {
		seconds := max(1, int64((f.retryAfter+time.Second-1)/time.Second))
		h.Set("Retry-After", strconv.FormatInt(seconds, 10))
	}
	switch to {
	case backEnd, backEndThrough:
		h.Set(codeHeader, f.code)
		return writeProblem(c, f, err)
	case host, through, ownersPage:
		h.Set(codeHeader, f.code)
		return writeEnvelope(c, f.status, envelope{f.code, f.message, dataOf(err)})
	case browser:
	}
	problem := templates.Problem{Kind: f.page}
	if f.status >= http.StatusInternalServerError {
		problem.RequestID = h.Get(requestIDHeader)
	}
	return s.writePage(c, f.status, page{Page: problem})
}
