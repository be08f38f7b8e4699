package v1

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"
)

// answer is what a handler gives back: JSON, unless there is no body.
type answer struct {
	status int
	body   any    // nil: none
	etag   string // empty: none
	at     string // Location; empty: none
	unkept bool   // it holds a credential: whoever repeats the request gets one that is fresh
}

func ok(body any) (answer, error) { return answer{status: http.StatusOK, body: body}, nil }

// etagOf names a version as If-Match wants it (RFC 9110 §8.8.3).
func etagOf(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// rendered is an answer as it is sent, and kept for whoever repeats the request.
type rendered struct {
	status int
	header http.Header
	body   []byte // nil: none
	unkept bool
}

func (a answer) render() (rendered, error) {
	r := rendered{status: a.status, header: http.Header{}, unkept: a.unkept}
	if a.etag != "" {
		r.header.Set("ETag", a.etag)
	}
	if a.at != "" {
		r.header.Set("Location", a.at)
	}
	if a.body == nil {
		return r, nil
	}
	body, err := json.Marshal(a.body)
	if err != nil {
		return rendered{}, fmt.Errorf("writing an answer: %w", err)
	}
	r.body = append(body, '\n')
	return r, nil
}

func (r rendered) write(c echo.Context) error {
	h := c.Response().Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	for name, values := range r.header {
		h[name] = values
	}
	if len(r.body) == 0 {
		return c.NoContent(r.status)
	}
	return c.Blob(r.status, echo.MIMEApplicationJSON, r.body)
}
