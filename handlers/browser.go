package handlers

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"linkgate/connect"
	"linkgate/handlers/inbound"
	"linkgate/oauthstate"
	"linkgate/secret"
	"linkgate/templates"
)

// ticket shows who is about to connect what, and gives the browser its cookie for this session.
func (s *site) ticket(c echo.Context) error {
	ticket, err := ticketOf(c)
	if err != nil {
		return err
	}
	session := oauthstate.IDOf(ticket)
	browser := s.cookies.browser(c.Request(), session)
	view, err := s.Connect.Open(c.Request().Context(), ticket, browser)
	if mayBeBound(err) {
		s.cookies.set(c.Response(), session, browser)
		if c.QueryParam("window") != "" {
			s.cookies.markWindow(c.Response(), session)
		}
	}
	if err != nil {
		return err
	}
	return s.writePage(c, http.StatusOK, ticketPage(view, ticket, browser))
}

// mayBeBound tells whether Open may have bound its session to the browser: also when it failed
// midway, since the binding may be saved although the answer was lost. Where it certainly was not,
// no cookie is set: addresses made up at will would fill a browser with them.
func mayBeBound(err error) bool {
	for _, refusal := range []error{connect.ErrExpired, connect.ErrWrongBrowser, connect.ErrUsed} {
		if errors.Is(err, refusal) {
			return false
		}
	}
	return true
}

// carryOn takes what the user has typed on the ticket page, the one page with a form, and sends the
// browser on: to the service, or to the result. What can't be right is asked for once more.
func (s *site) carryOn(c echo.Context) error { return s.carryOnWith(c, s.Connect.Continue) }

// carryOnByCode is carryOn for the page's other button.
func (s *site) carryOnByCode(c echo.Context) error { return s.carryOnWith(c, s.Connect.ContinueByCode) }

// carriesOn is one of the two use cases that the ticket page's form leads to.
type carriesOn func(ctx context.Context, ticket, browser string, values map[string]secret.Text) (redirectURL string, err error)

func (s *site) carryOnWith(c echo.Context, proceed carriesOn) error {
	ticket, err := ticketOf(c)
	if err != nil {
		return err
	}
	r := c.Request()
	r.Body = http.MaxBytesReader(c.Response(), r.Body, inbound.BodyLimit)
	values, malformed := typed(r)
	browser := s.cookies.browser(r, oauthstate.IDOf(ticket))
	if err := s.fromOurForm(r, browser); err != nil {
		return err
	}
	if malformed != nil {
		return malformed
	}
	address, err := proceed(r.Context(), ticket, browser, values)
	var mistaken *connect.FieldsError
	if errors.As(err, &mistaken) {
		return s.writePage(c, http.StatusUnprocessableEntity, ticketPageAgain(mistaken, ticket, browser, values))
	}
	if err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, address) // RFC 9700 §4.12
}

// code shows the code to sign in with until it has been typed at the service. It has no form, and
// looks again by itself, no sooner than the service may be asked.
func (s *site) code(c echo.Context) error {
	ticket, err := ticketOf(c)
	if err != nil {
		return err
	}
	browser := s.cookies.browser(c.Request(), oauthstate.IDOf(ticket))
	view, err := s.Connect.Code(c.Request().Context(), ticket, browser)
	if err != nil {
		return err
	}
	if view.Over {
		return c.Redirect(http.StatusSeeOther, resultPath(ticket))
	}
	return s.writePage(c, http.StatusOK, page{Page: templates.Code{
		ServiceName: view.ServiceName,
		UserCode:    view.UserCode.Reveal(),
		URI:         view.URI,
		CompleteURI: view.CompleteURI.Reveal(),
		Left:        view.Left,
		Refresh:     codePath(ticket),
		After:       view.LookAgain,
		StartOver:   ticketPath(ticket),
	}})
}

// result tells how it ended. It never leads to the service by itself: whoever holds a window can
// send it here at once, past the ticket page with its warning, so a session that has not ended and
// one that is tried again go through that page.
func (s *site) result(c echo.Context) error {
	ticket, err := ticketOf(c)
	if err != nil {
		return err
	}
	browser := s.cookies.browser(c.Request(), oauthstate.IDOf(ticket))
	result, err := s.Connect.Result(c.Request().Context(), ticket, browser)
	if err != nil {
		return err
	}
	if result.State == connect.Open {
		return c.Redirect(http.StatusSeeOther, ticketPath(ticket))
	}
	view := templates.Result{
		State:       string(result.State),
		Reason:      string(result.Reason),
		ServiceName: result.ServiceName,
		AccountName: result.AccountName,
		Missing:     result.Missing,
		Refresh:     resultPath(ticket),
	}
	if !result.Spent {
		view.TryAgain = ticketPath(ticket)
	}
	s.tellOpener(&view, result, ticket, c.QueryParam("relayed") != "")
	view.Window = s.cookies.isWindow(c.Request(), oauthstate.IDOf(ticket))
	view.Return = returnAddress(result)
	return s.writePage(c, http.StatusOK, page{Page: view, script: true})
}

// tellOpener puts in what the page posts to the window that opened it. A finish token can be used
// once, so it is posted once: the page looks again at an address that says that it has been.
func (s *site) tellOpener(view *templates.Result, result connect.Result, ticket string, relayed bool) {
	switch result.State {
	case connect.Linked, connect.Pending:
		view.Message = "linkgate.auth.success." + ticket
	case connect.Failed:
		view.Message = "linkgate.auth.failure." + ticket
	case connect.Relaying:
		view.Refresh += "?relayed=1"
		if !relayed && !result.FinishToken.IsZero() {
			view.Message = "linkgate.auth.finish." + result.FinishToken.Reveal()
		}
	case connect.Open, connect.Working:
	}
	if result.Origin == "" {
		view.Message = ""
	}
	view.Origin = result.Origin
	view.Stalled = result.Stalled && view.Message == "" // not on the very page that asks the host
}

// returnAddress is where the user goes on when a session has ended, with how it did.
func returnAddress(result connect.Result) string {
	status := "failure"
	switch result.State {
	case connect.Linked, connect.Pending:
		status = "success"
	case connect.Failed:
	case connect.Open, connect.Working, connect.Relaying:
		return ""
	}
	u, err := url.Parse(result.ReturnURL)
	if err != nil || result.ReturnURL == "" {
		return ""
	}
	told := url.Values{"linkgate_session": {result.Session}, "linkgate_status": {status}}.Encode()
	if u.RawQuery != "" {
		told = u.RawQuery + "&" + told // the owner's own stay as they are written
	}
	u.RawQuery = told
	return u.String()
}

// head answers without a body and without calling anybody.
func head(c echo.Context) error { return c.NoContent(http.StatusOK) }

// Addresses are made from what we know, never from Host or forwarding headers.
func ticketPath(ticket string) string { return "/connect/" + url.PathEscape(ticket) }

func codePath(ticket string) string { return ticketPath(ticket) + "/code" }

func resultPath(ticket string) string { return ticketPath(ticket) + "/result" }
