package handlers

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"linkgate/handlers/inbound"

	"github.com/labstack/echo/v4"
)

// audience is who is answered, and by whom.
type audience int

const (
	host           audience = iota // with the envelope
	through                        // the host, by a service or the app; by us, with the envelope, when they can't be asked
	browser                        // with a page
	ownersPage                     // a page of the owner's own, with JSON or a file
	backEnd                        // an app's own, with JSON and problems (RFC 9457)
	backEndThrough                 // the same, by a service; by us, with a problem, when it can't be asked
)

// passesThrough tells whether the answer is somebody else's.
func (a audience) passesThrough() bool { return a == through || a == backEndThrough }

const requestIDHeader = "X-Request-Id"

// requestID is drawn when it is first asked for: calls that go well need none.
type requestID struct{ text string }

// String implements fmt.Stringer.
func (id *requestID) String() string {
	if id.text == "" {
		id.text = rand.Text()
	}
	return id.text
}

// observed wraps a route's handler in what every request needs: an id, security headers, recovery,
// an answer to its error, one log line and metrics. It takes the place of middleware because echo
// composes middleware anew for each request.
func (s *site) observed(r route) echo.HandlerFunc {
	watch := s.watch(r)
	return func(c echo.Context) error {
		watch(c, r.handler)
		return nil
	}
}

// watch runs handlers in the name of r.
func (s *site) watch(r route) func(echo.Context, echo.HandlerFunc) {
	series := s.metrics.series(r.method, r.path)
	return func(c echo.Context, handler echo.HandlerFunc) {
		start := time.Now()
		id := new(requestID)
		s.prepare(c, r.audience, id)
		err := s.bounded(c, r.audience, handler)
		if err != nil {
			err = unheard(c.Request().Context(), err)
			err = s.answer(c, r.audience, id, err)
		}
		elapsed := time.Since(start)
		series.observe(c.Response().Status, elapsed)
		s.logRequest(c, r, id, elapsed, err)
		if errors.Is(err, errCutOff) {
			panic(http.ErrAbortHandler)
		}
	}
}

// prepare sets the headers of every answer. What passes through keeps its own: a request id of ours
// beside the service's would be one too many.
func (s *site) prepare(c echo.Context, to audience, id *requestID) {
	h := c.Response().Header()
	if !to.passesThrough() {
		h.Set(requestIDHeader, id.String())
	}
	if to == browser {
		s.headers.set(h)
	}
}

// bounded refuses a body that is too large by its own account before anything is done. Bodies that
// pass through are never in our memory as a whole.
func (s *site) bounded(c echo.Context, to audience, h echo.HandlerFunc) error {
	if !to.passesThrough() && c.Request().ContentLength > inbound.BodyLimit {
		return inbound.ErrTooLarge
	}
	return recovered(c, h)
}

// recovered runs a handler and turns its panic into an error.
func recovered(c echo.Context, h echo.HandlerFunc) (err error) {
	defer func() {
		switch v := recover(); v {
		case nil:
		case http.ErrAbortHandler: // net/http compares it like this
			err = errCutOff
		default:
			err = &panicked{value: v, stack: debug.Stack()}
		}
	}()
	return h(c)
}

// answer tells the audience of err, unless an answer has begun, and returns what there is to log.
func (s *site) answer(c echo.Context, to audience, id *requestID, err error) error {
	switch {
	case c.Response().Committed:
		return fmt.Errorf("after the answer began: %w", err)
	case errors.Is(err, errCutOff): // before it began: nobody gets one
		c.Response().Status = statusNobodyThere
		return err
	}
	c.Response().Header().Set(requestIDHeader, id.String())
	if failed := s.fail(c, to, err); failed != nil {
		err = errors.Join(err, fmt.Errorf("answering: %w", failed))
	}
	if !c.Response().Committed { // never 200 for something that failed
		return errors.Join(err, c.NoContent(http.StatusInternalServerError))
	}
	return err
}

// logRequest writes the one line about a request. It names the route, not the address: that may
// hold a ticket, a code or a state, and what is below /call may say something about a person. The
// host's requests that went well, and those of pages that wait, are many and say little; neither does another's answer that is an
// error tell of a fault of ours.
func (s *site) logRequest(c echo.Context, r route, id *requestID, elapsed time.Duration, err error) {
	ctx, status := c.Request().Context(), c.Response().Status
	level := slog.LevelInfo
	switch {
	case err == nil && r.audience.passesThrough():
		level = slog.LevelDebug
	case status >= http.StatusInternalServerError:
		level = slog.LevelError
	case err == nil && r.audience != browser:
		level = slog.LevelDebug
	}
	if !s.Log.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("method", c.Request().Method),
		slog.String("route", r.path),
		slog.Int("status", status),
		slog.Duration("duration", elapsed),
		slog.String("request_id", id.String()),
	}
	if authID, err := authIDOf(c); err == nil && r.audience == through {
		attrs = append(attrs, slog.String("auth_id", authID))
	}
	if err != nil {
		attrs = append(attrs, slog.Any("error", err))
	}
	var p *panicked
	if errors.As(err, &p) {
		attrs = append(attrs, slog.String("stack", string(p.stack)))
	}
	s.Log.LogAttrs(context.WithoutCancel(ctx), level, "request", attrs...)
}
