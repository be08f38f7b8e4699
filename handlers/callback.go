package handlers

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"linkgate/connect"
	"linkgate/handlers/inbound"
	"linkgate/oauthstate"
	"linkgate/provider"
	"linkgate/templates"
)

// callback takes what the service sent back and leaves its address at once, so that code and state
// are gone from the address bar (RFC 9700 §4.2.4).
func (s *site) callback(c echo.Context) error {
	state, cb, err := callbackQuery(c.Request().URL.RawQuery)
	if err != nil {
		return err
	}
	return s.complete(c, state, cb)
}

// callbackPosted takes what the service sent back in a form (OAuth 2.0 Form Post Response Mode). Our
// cookie is Lax, so a browser does not send it along with a form of another site; then a page of
// ours sends the same once more, and the second time it comes. A redirect would have to put code and
// state into an address.
//
// The form comes from another site by its nature, as the redirect in its place does: state, which is
// bound to this browser's cookie, tells it from a forged one, not where it comes from.
func (s *site) callbackPosted(c echo.Context) error {
	form, err := callbackBody(c)
	if err != nil {
		return err
	}
	state, cb, err := callbackQuery(form.Encode())
	if err != nil {
		return err
	}
	session, ours := oauthstate.SessionOf(state)
	if ours && !form.Has(relayedField) && !s.cookies.sent(c.Request(), session) {
		return s.relay(c, state, cb)
	}
	return s.complete(c, state, cb)
}

// complete ends an attempt, wherever its answer was.
func (s *site) complete(c echo.Context, state string, cb provider.Callback) error {
	authID, err := authIDOf(c)
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

// relayedField marks what our own page has sent on, so that a browser which sends no cookie even then
// is told so, and is not sent round and round.
const relayedField = "relayed"

// sent tells whether the browser has sent a cookie for a session, whatever is in it.
func (k cookies) sent(r *http.Request, sessionID string) bool {
	return len(r.CookiesNamed(k.name(sessionID))) > 0
}

// relay answers with the page that sends the same to us once more. It calls nobody: whose session it
// is shows only with the cookie.
func (s *site) relay(c echo.Context, state string, cb provider.Callback) error {
	authID, err := authIDOf(c)
	if err != nil {
		return err
	}
	fields := []templates.RelayField{{Name: relayedField, Value: "1"}}
	for _, f := range []templates.RelayField{
		{Name: "state", Value: state},
		{Name: "code", Value: cb.Code.Reveal()},
		{Name: "iss", Value: cb.Issuer},
		{Name: "error", Value: cb.Error},
	} {
		if f.Value != "" {
			fields = append(fields, f)
		}
	}
	view := templates.Relay{Action: "/callback/" + url.PathEscape(authID), Fields: fields}
	return s.writePage(c, http.StatusOK, page{Page: view, form: true, stays: true, script: true})
}

// callbackBody reads the form, and it alone: what is in the address does not count.
func callbackBody(c echo.Context) (url.Values, error) {
	r := c.Request()
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != urlEncoded {
		return nil, fmt.Errorf("the form's type: %w", inbound.ErrMalformed)
	}
	body, err := io.ReadAll(http.MaxBytesReader(c.Response(), r.Body, inbound.BodyLimit))
	if err != nil {
		return nil, inbound.BodyError(err)
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, fmt.Errorf("body: %w", inbound.ErrMalformed)
	}
	return form, nil
}
