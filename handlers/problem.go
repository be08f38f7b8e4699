package handlers

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"linkgate/call"
	"linkgate/connect"
	v1 "linkgate/handlers/v1"
	"linkgate/linkedaccount"
)

// problem is how a back end is told of an error (RFC 9457).
type problem struct {
	Type     string `json:"type"`
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail"`
	Instance string `json:"instance"` // the request id

	Errors        []v1.Mistake `json:"errors,omitempty"`
	MissingScopes []string     `json:"missing_scopes,omitempty"`
}

// problemPage is where every problem is explained; with the code it is the problem's type.
const problemPage = "/docs#"

// slug is a code as it stands in a problem's type.
func slug(code string) string { return strings.ToLower(strings.ReplaceAll(code, "_", "-")) }

// titleOf is a code in words: the same for all problems of a type.
func titleOf(code string) string {
	words := strings.ToLower(strings.ReplaceAll(code, "_", " "))
	return strings.ToUpper(words[:1]) + words[1:]
}

// problemCode is what an error is called when back ends are told: the host knows two by more general
// codes, which it has come to rely on.
func problemCode(f failure, err error) string {
	switch {
	case errors.Is(err, connect.ErrExpired):
		return "SESSION_EXPIRED"
	case errors.Is(err, connect.ErrWrongUser):
		return "WRONG_USER"
	}
	return f.code
}

func writeProblem(c echo.Context, f failure, err error) error {
	f.code = problemCode(f, err)
	h := c.Response().Header()
	p := problem{
		Type: problemPage + slug(f.code), Title: titleOf(f.code), Status: f.status, Detail: f.message,
		Instance: h.Get(requestIDHeader),
	}
	p.inParticular(err)
	body, err := json.Marshal(p)
	if err != nil {
		return err
	}
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if f.status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer") // RFC 9110 §11.6.1
	}
	return c.Blob(f.status, "application/problem+json", append(body, '\n'))
}

// inParticular takes over what an error knows better than the table.
func (p *problem) inParticular(err error) {
	var mistaken *v1.Invalid
	var scope *v1.ScopeError
	var shape *connect.CredentialShapeError
	var missing *connect.ScopesMissingError
	switch {
	case errors.As(err, &mistaken):
		p.Errors, p.Detail = mistaken.Mistakes, mistaken.Detail()
	case errors.As(err, &scope):
		p.Detail = "The API key lacks the scope " + string(scope.Needed) + ": `linkgate apikeys new` makes one that has it."
	case errors.As(err, &shape):
		p.Errors = []v1.Mistake{{Pointer: "/credential/" + shape.Field, Detail: "it " + shape.Problem}}
		p.Detail = p.Errors[0].Pointer + ": " + p.Errors[0].Detail
	case errors.As(err, &missing):
		p.MissingScopes = missing.Missing
	case errors.Is(err, connect.ErrReauthRequired), errors.Is(err, call.ErrReauthRequired):
		p.Detail = "The user must sign in at the service again: open a session for the same user and connection."
	case errors.Is(err, connect.ErrNotFound), errors.Is(err, linkedaccount.ErrNotFound), errors.Is(err, call.ErrNotConnected):
		p.Detail = "There is nothing with this id, or it has been disconnected."
	}
	if errors.Is(err, connect.ErrCredentialSpent) {
		p.Detail += " The refresh token that was given has been used up meanwhile: the user must sign in again."
	}
}
