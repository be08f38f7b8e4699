package handlers

import (
	"bytes"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"linkgate/openapi"
)

// document is the accounts API's description, for programs. Whoever has one may read it from a page
// of theirs: there is nothing in it that is not for everybody.
func (s *site) document(c echo.Context) error {
	h := c.Response().Header()
	h.Set("Content-Type", echo.MIMEApplicationJSON)
	h.Set("Access-Control-Allow-Origin", "*")
	return static(c, openapi.Document())
}

// docs is the same for people.
func (s *site) docs(c echo.Context) error {
	h := c.Response().Header()
	h.Set("Content-Type", echo.MIMETextHTMLCharsetUTF8)
	h.Set("Content-Language", "en")
	h.Set("Content-Security-Policy", s.headers.policyWith(openapi.StyleSource(), page{}))
	return static(c, openapi.Page())
}

// static answers with what never changes while the process runs. It may be kept for a while, and
// then be asked for anew by its entity tag: another version of Linkgate has another.
func static(c echo.Context, content []byte) error {
	h := c.Response().Header()
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("ETag", openapi.ETag(content))
	http.ServeContent(c.Response(), c.Request(), "", time.Time{}, bytes.NewReader(content))
	return nil
}
