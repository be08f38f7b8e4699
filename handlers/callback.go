package handlers

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"linkgate/connect"
	"linkgate/oauthstate"
)

// callback takes what the service sent back and leaves its address at once, so that code and state
// are gone from the address bar (RFC 9700 §4.2.4).
func (s *site) callback(c echo.Context) error {
	authID, err := authIDOf(c)
	if err != nil {
		return err
	}
	state, cb, err := callbackQuery(c.Request().URL.RawQuery)
	if err != nil {
		return err
	}
	session, ok := oauthstate.SessionOf(state)
	if !ok {
		return connect.ErrExpired // no state of ours
	}
	browser := s.cookies.browser(c.Request(), session)
	ticket, err := s.Connect.Complete(c.Request().Context(), authID, browser, state, cb)
	if err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, resultPath(ticket))
}
