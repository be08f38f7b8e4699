package handlers

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"linkgate/connect"
	"linkgate/handlers/inbound"
)

// begin answers a user's click on Connect. The body is not looked at.
func (s *site) begin(c echo.Context) error {
	user, err := s.guard.user(c.Request().Header)
	if err != nil {
		return err
	}
	authID, err := authIDOf(c)
	if err != nil {
		return err
	}
	address, err := s.Connect.Begin(c.Request().Context(), user, authID)
	if err != nil {
		return err
	}
	return writeOK(c, beginning{address})
}

// beginning is where a user begins to connect.
type beginning struct {
	AuthorizationURL string `json:"authorization_url"`
}

// finish answers the host's relay of a finish token.
func (s *site) finish(c echo.Context) error {
	user, err := s.guard.user(c.Request().Header)
	if err != nil {
		return err
	}
	authID, err := authIDOf(c)
	if err != nil {
		return err
	}
	token, err := finishBody(c)
	if err != nil {
		return err
	}
	result, err := s.Connect.Finish(c.Request().Context(), user, authID, token)
	if err != nil {
		return err
	}
	return writeOK(c, struct {
		State  connect.State  `json:"state"`
		Reason connect.Reason `json:"reason,omitempty"`
	}{result.State, result.Reason})
}

// disconnect answers a user's click on Disconnect.
func (s *site) disconnect(c echo.Context) error {
	user, err := s.guard.user(c.Request().Header)
	if err != nil {
		return err
	}
	id, ok := inbound.Segment(c, "linked_account_id", inbound.IDLimit)
	if !ok {
		return connect.ErrNotFound
	}
	done, err := s.Connect.Disconnect(c.Request().Context(), user, id)
	if err != nil {
		return err
	}
	return writeEnvelope(c, http.StatusOK, envelope{"OK", disconnectedMessage(done), disconnection{done.Revocation}})
}

// disconnection is what the host is told of a disconnect.
type disconnection struct {
	Revocation connect.Revocation `json:"revocation"`
}

// disconnectedMessage says plainly when a service can't be told: then the user may want to do more.
func disconnectedMessage(done connect.Disconnected) string {
	if done.Revocation != connect.RevocationUnsupported || done.ServiceName == "" {
		return "OK"
	}
	return "Disconnected. " + done.ServiceName + " has no way to revoke access from here: Linkgate has deleted what it had; to be sure, change the password or delete the key there."
}

// envelope is every answer to the host. Data is an object in every case, {} when there is nothing
// to say, so that a client that looks into it never meets null.
type envelope struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Data    any    `json:"data"`
}

func writeOK(c echo.Context, data any) error {
	return writeEnvelope(c, http.StatusOK, envelope{"OK", "OK", data})
}

func writeEnvelope(c echo.Context, status int, e envelope) error {
	h := c.Response().Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	return c.JSON(status, e)
}
