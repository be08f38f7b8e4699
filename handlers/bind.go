package handlers

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"linkgate/connect"
	"linkgate/handlers/inbound"
	"linkgate/provider"
	"linkgate/secret"
)

const (
	ticketLimit = 128 // bytes; ours have 43
	tokenLimit  = 512 // bytes of a finish token
)

// ticketOf is the path's ticket. One that can't be ours is like one that is over.
func ticketOf(c echo.Context) (string, error) {
	ticket, ok := inbound.Segment(c, "ticket", ticketLimit)
	if !ok {
		return "", connect.ErrExpired
	}
	return ticket, nil
}

// authIDOf is the path's auth id.
func authIDOf(c echo.Context) (string, error) {
	id, ok := inbound.Segment(c, "auth_id", inbound.IDLimit)
	if !ok {
		return "", connect.ErrUnknownConnection
	}
	return id, nil
}

// finishBody reads the finish token out of {"finish_token": "…"}.
func finishBody(c echo.Context) (secret.Text, error) {
	var body struct {
		FinishToken string `json:"finish_token"`
	}
	r := c.Request()
	d := json.NewDecoder(http.MaxBytesReader(c.Response(), r.Body, inbound.BodyLimit))
	if err := d.Decode(&body); err != nil {
		return secret.Text{}, inbound.BodyError(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return secret.Text{}, inbound.BodyError(err)
	}
	if body.FinishToken == "" || len(body.FinishToken) > tokenLimit {
		return secret.Text{}, fmt.Errorf("finish_token: %w", inbound.ErrMalformed)
	}
	return secret.New(body.FinishToken), nil
}

// callbackQuery reads what the service sent back (RFC 6749 §4.1.2, RFC 9207 §2; RFC 5849 §2.2). A
// parameter that comes twice is refused (RFC 6749 §3.1): which one counts would be anybody's guess.
func callbackQuery(raw string) (state string, cb provider.Callback, err error) {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return "", cb, fmt.Errorf("query: %w", inbound.ErrMalformed)
	}
	for _, name := range []string{"state", "code", "iss", "error", "error_description", "oauth_token", "oauth_verifier", "denied"} {
		if len(query[name]) > 1 {
			return "", cb, fmt.Errorf("%s comes twice: %w", name, inbound.ErrMalformed)
		}
	}
	cb = provider.Callback{
		Code:          secret.New(query.Get("code")),
		Issuer:        query.Get("iss"),
		Error:         query.Get("error"),
		OAuthToken:    secret.New(query.Get("oauth_token")),
		OAuthVerifier: secret.New(query.Get("oauth_verifier")),
	}
	if query.Has("denied") && cb.Error == "" && cb.Code.IsZero() {
		cb.Error = "access_denied" // OAuth 1 names no errors; this is how Twitter and others say no
	}
	return query.Get("state"), cb, nil
}
