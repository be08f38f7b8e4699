package v1

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"linkgate/handlers/inbound"
)

// readBody reads the whole body of a request, which is small by contract.
func readBody(c echo.Context) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(c.Response(), c.Request().Body, inbound.BodyLimit))
	if err != nil {
		return nil, inbound.BodyError(err)
	}
	return body, nil
}

// decode reads a JSON body into what the route takes, by name and strictly: a member that is not
// known is more likely misspelt than meant to be ignored.
func decode(r *request, into any) error {
	if !isJSON(r.Request().Header.Get("Content-Type")) {
		return ErrMediaType
	}
	if len(bytes.TrimSpace(r.body)) == 0 {
		return invalid("", "a JSON object is needed")
	}
	d := json.NewDecoder(bytes.NewReader(r.body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return decodeError(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return invalid("", "one JSON object is needed, and nothing after it")
	}
	return nil
}

// bodyOf is the body of a request, decoded and without a mistake.
func bodyOf[B interface{ check() error }](r *request) (wanted B, err error) {
	if err := decode(r, &wanted); err != nil {
		return wanted, err
	}
	return wanted, wanted.check()
}

// isJSON takes what is JSON by its name (RFC 6839 §3.1), and what has no name.
func isJSON(contentType string) bool {
	if contentType == "" {
		return true
	}
	mediaType, _, err := mime.ParseMediaType(contentType)
	return err == nil && (mediaType == echo.MIMEApplicationJSON || strings.HasSuffix(mediaType, "+json"))
}

// decodeError words what the decoder says. It may name a member; it must not quote a value, or what may
// be one in a name's place.
func decodeError(err error) error {
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		return invalid("/"+strings.ReplaceAll(kind.Field, ".", "/"), "a JSON %s is not what belongs there", kind.Value[:wordEnd(kind.Value)])
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		if name = misspelt(strings.Trim(name, `"`)); name != "" {
			return invalid("/"+name, "there is no such member here")
		}
		return invalid("", "it has a member that is not known here, whose name looks like no name and is not repeated")
	}
	return invalid("", "it is not well-formed JSON")
}

// wordEnd is where the first word ends: "number 17" tells a value as well.
func wordEnd(s string) int {
	if i := strings.IndexByte(s, ' '); i >= 0 {
		return i
	}
	return len(s)
}

// form gathers mistakes about the members of a body.
type form struct{ mistakes []Mistake }

func (f *form) mistake(member, format string, args ...any) {
	f.mistakes = append(f.mistakes, Mistake{"/" + member, fmt.Sprintf(format, args...)})
}

// id checks a member that names something: a user, a connection, an account, a component.
func (f *form) id(member, value string, valid func(string) bool, isNeeded bool) {
	switch {
	case value == "" && isNeeded:
		f.mistake(member, "it is needed")
	case value != "" && (len(value) > inbound.IDLimit || !valid(value)):
		f.mistake(member, "it can't be an id: one of up to %d visible characters, without slashes, is needed", inbound.IDLimit)
	}
}

// short checks the length of a text for people.
func (f *form) short(member, value string, most int) {
	if len([]rune(value)) > most || strings.ContainsFunc(value, isControl) {
		f.mistake(member, "it may have %d characters, and no control characters", most)
	}
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

func (f *form) err() error {
	if len(f.mistakes) == 0 {
		return nil
	}
	return &Invalid{f.mistakes}
}
