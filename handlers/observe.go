package handlers

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

// audience is who is answered: the host with the envelope, a browser with a page.
type audience int

const (
	host audience = iota
	browser
)

const requestIDHeader = "X-Request-Id"

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
		h := c.Response().Header()
		h.Set(requestIDHeader, rand.Text())
		if r.audience == browser {
			s.headers.set(h)
		}
		err := s.bounded(c, handler)
		if err != nil {
			err = unheard(c.Request().Context(), err)
			err = s.answer(c, r.audience, err)
		}
		elapsed := time.Since(start)
		series.observe(c.Response().Status, elapsed)
		s.logRequest(c, r, elapsed, err)
	}
}

// bounded refuses a body that is too large by its own account before anything is done.
func (s *site) bounded(c echo.Context, h echo.HandlerFunc) error {
	if c.Request().ContentLength > bodyLimit {
		return errTooLarge
	}
	return recovered(c, h)
}

// recovered runs a handler and turns its panic into an error.
func recovered(c echo.Context, h echo.HandlerFunc) (err error) {
	defer func() {
		if v := recover(); v != nil {
			if v == http.ErrAbortHandler { //nolint:errorlint // net/http compares it like this
				panic(v)
			}
			err = &panicked{value: v, stack: debug.Stack()}
		}
	}()
	return h(c)
}

// answer tells the audience of err, unless an answer has begun, and returns what there is to log.
func (s *site) answer(c echo.Context, to audience, err error) error {
	if c.Response().Committed {
		return fmt.Errorf("after the answer began: %w", err)
	}
	if failed := s.fail(c, to, err); failed != nil {
		err = errors.Join(err, fmt.Errorf("answering: %w", failed))
	}
	if !c.Response().Committed { // never 200 for something that failed
		return errors.Join(err, c.NoContent(http.StatusInternalServerError))
	}
	return err
}

// logRequest writes the one line about a request. It names the route, not the address: that may
// hold a ticket, a code or a state. The host's requests that went well are many and say little.
func (s *site) logRequest(c echo.Context, r route, elapsed time.Duration, err error) {
	ctx, status := c.Request().Context(), c.Response().Status
	level := slog.LevelInfo
	switch {
	case status >= http.StatusInternalServerError:
		level = slog.LevelError
	case err == nil && r.audience == host:
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
		slog.String("request_id", c.Response().Header().Get(requestIDHeader)),
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

// unmatched answers what no route takes: by the path if it is the host's or a browser's, else with
// a page unless the request comes with the host's header.
func (s *site) unmatched() echo.HTTPErrorHandler {
	toHost := s.watch(route{method: "other", path: "other", audience: host})
	toBrowser := s.watch(route{method: "other", path: "other", audience: browser})
	return func(err error, c echo.Context) {
		watch := toBrowser
		if audienceOf(c.Request()) == host {
			watch = toHost
		}
		watch(c, func(echo.Context) error { return err })
	}
}

func audienceOf(r *http.Request) audience {
	switch path := r.URL.Path; {
	case strings.HasPrefix(path, "/auth/"), strings.HasPrefix(path, "/linked-accounts/"):
		return host
	case strings.HasPrefix(path, "/connect/"), strings.HasPrefix(path, "/callback/"):
		return browser
	}
	if len(r.Header[secretHeader]) > 0 {
		return host
	}
	return browser
}
