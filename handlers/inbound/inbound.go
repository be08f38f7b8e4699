// Package inbound tells what a request may hold, whoever sends it: ids in paths, the size of a
// body. The host's, browsers' and back ends' handlers read their requests by the same rules.
package inbound

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/labstack/echo/v4"
)

// What is longer is nothing that we asked for.
const (
	BodyLimit = 1 << 20 // bytes of a body that is read as a whole
	IDLimit   = 256     // bytes of an auth id, a user's, an account's or a component's id
)

// What is wrong with a request before anybody looks at what it wants.
var (
	ErrMalformed = errors.New("malformed")
	ErrTooLarge  = errors.New("the body is larger than 1 MiB")
)

// Segment is a path parameter as it was meant: echo leaves it encoded when the path has an encoding
// that matters. ok is false for what can't be an id.
func Segment(c echo.Context, name string, limit int) (value string, ok bool) {
	value = c.Param(name)
	if c.Request().URL.RawPath != "" {
		decoded, err := url.PathUnescape(value)
		if err != nil {
			return "", false
		}
		value = decoded
	}
	return value, len(value) <= limit && IsSegment(value)
}

// IsSegment tells whether a value from outside can be an id: one path segment of visible
// characters, with no space around it.
func IsSegment(s string) bool {
	if s == "" || s == "." || s == ".." || s != strings.TrimSpace(s) || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !unicode.IsGraphic(r) || r == '/' || r == '\\' {
			return false
		}
	}
	return true
}

// IsUserID tells whether id can be what the host sent for exactly one user. A comma can't: a
// proxy on the way may have joined two headers with it (RFC 9110 §5.3). A dot segment can't: the
// id becomes part of a path in calls to the host.
func IsUserID(id string) bool {
	return id != "" && len(id) <= IDLimit && !strings.Contains(id, ",") && IsSegment(id)
}

// BodyError is an error of reading a body in our words: a decoder's can quote the body.
func BodyError(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return ErrTooLarge
	}
	return fmt.Errorf("body: %w", ErrMalformed)
}

// PathBelow is what follows the first segments of a path, escaped as it came, with its slash. It is not
// echo's parameter, which is decoded or not depending on the rest of the path. ok is false for a path
// that Go would have to escape anew: decoding it first would make a separator of an escaped slash.
func PathBelow(u *url.URL, segments int) (path string, ok bool) {
	escaped := u.EscapedPath()
	if u.RawPath != "" && u.RawPath != escaped {
		return "", false
	}
	for range segments {
		escaped = strings.TrimPrefix(escaped, "/")
		slash := strings.IndexByte(escaped, '/')
		if slash < 0 {
			return "", false
		}
		escaped = escaped[slash:]
	}
	return escaped, escaped != ""
}
