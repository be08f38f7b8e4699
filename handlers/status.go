package handlers

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	pages "linkgate/browser"
	"linkgate/connect"
)

// status tells a page that has opened a window what has become of it, by the ticket alone: for where the
// window can't say it itself, because a page on the way has cut it off from its opener.
//
// Pages of one origin may read it, the session's; those of SESSION_ORIGINS may read that a session is
// over. What else asks is a program, and has the ticket.
func (s *site) status(c echo.Context) error {
	h := c.Response().Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Add("Vary", "Origin")
	from := c.Request().Header.Get("Origin")
	ticket, err := ticketOf(c)
	if err != nil {
		return s.statusExpired(c, from)
	}
	f, err := s.Connect.Follow(c.Request().Context(), ticket)
	if errors.Is(err, connect.ErrExpired) {
		return s.statusExpired(c, from)
	}
	if err != nil {
		return err
	}
	if from != "" && from == f.Origin {
		h.Set("Access-Control-Allow-Origin", from)
	}
	return c.JSON(http.StatusOK, following{Status: string(f.State), Session: f.Session, Step: string(f.Step)})
}

func (s *site) statusExpired(c echo.Context, from string) error {
	if s.Connect.MayFollow(from) {
		c.Response().Header().Set("Access-Control-Allow-Origin", from)
	}
	return c.JSON(http.StatusOK, following{Status: "expired"})
}

// following is what a ticket tells: nothing of whom or what.
type following struct {
	Status  string `json:"status"`            // open, working, linked, pending, failed, expired
	Session string `json:"session,omitempty"` // its id, for /v1/sessions/{id}
	Step    string `json:"step,omitempty"`    // of open
}

// file serves what the owner's pages load.
func file(f pages.File) echo.HandlerFunc {
	return func(c echo.Context) error {
		f.ServeHTTP(c.Response(), c.Request())
		return nil
	}
}
