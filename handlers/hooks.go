package handlers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"linkgate/handlers/inbound"
	"linkgate/secret"
)

// removed takes a service's word that a user has removed the app there. Services call such an address
// each in their own way: the secret is a segment of the path or the parameter `secret`, the account
// is named in the query, a form or JSON, and the method is GET or POST. The answer is the host's
// envelope, with the number of accounts that are disconnected by it; 0, and 200, for an account that
// is not here (any more): a service would only repeat it. 401 without the right secret, whether or
// not there is such an auth id.
func (s *site) removed(c echo.Context) error {
	authID, _ := inbound.Segment(c, "auth_id", inbound.IDLimit) // what is none of ours is answered like a wrong secret
	account := func(path string) (string, error) { return accountNamed(c, path) }
	n, err := s.Connect.Removed(c.Request().Context(), authID, removalSecret(c), account)
	if err != nil {
		return err
	}
	return writeOK(c, struct {
		Accounts int `json:"accounts"`
	}{n})
}

const removalSecretParam = "secret"

// removalSecret is the one secret that a request has; empty when there is none, or more than one.
func removalSecret(c echo.Context) secret.Text {
	query, err := url.ParseQuery(c.Request().URL.RawQuery)
	if err != nil {
		return secret.Text{}
	}
	found := query[removalSecretParam]
	if c.Param("secret") != "" {
		value, _ := inbound.Segment(c, "secret", tokenLimit)
		found = append(found, value)
	}
	if len(found) != 1 || len(found[0]) > tokenLimit {
		return secret.Text{}
	}
	return secret.New(found[0])
}

// accountNames are where services name the account if the connection does not say: each a parameter,
// or a path into JSON. The second to the last are what Sunshine Conversations calls an app in its
// messages, in either version of its API.
func accountNames() []string { return []string{"external_account_id", "appId", "app.id", "app._id"} }

// accountNamed is the external id of the account that a request is about, by path or by the usual
// names. It may be said more than once; but it can be one account only.
func accountNamed(c echo.Context, path string) (string, error) {
	names := accountNames()
	if path != "" {
		names = []string{path}
	}
	r := c.Request()
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return "", fmt.Errorf("query: %w", inbound.ErrMalformed)
	}
	body, err := io.ReadAll(http.MaxBytesReader(c.Response(), r.Body, inbound.BodyLimit))
	if err != nil {
		return "", inbound.BodyError(err)
	}
	told, err := tellers(query, r.Header.Get("Content-Type"), body)
	if err != nil {
		return "", err
	}
	var found []string
	for _, name := range names {
		for _, tell := range told {
			found = append(found, tell(name)...)
		}
	}
	return theOne(found)
}

// theOne is what all of found say.
func theOne(found []string) (string, error) {
	if len(found) == 0 {
		return "", fmt.Errorf("it names no account: %w", inbound.ErrMalformed)
	}
	for _, id := range found {
		if id != found[0] || !validExternalID(id) {
			return "", fmt.Errorf("it names no account clearly: %w", inbound.ErrMalformed)
		}
	}
	return found[0], nil
}

func validExternalID(id string) bool {
	return id != "" && len(id) <= inbound.IDLimit && utf8.ValidString(id) && !strings.ContainsFunc(id, unicode.IsControl)
}

// teller finds what a part of a request has under a name.
type teller func(name string) []string

// tellers are the query and the body. A body is what its type says; JSON if that is not a form's, for
// services are careless about it.
func tellers(query url.Values, contentType string, body []byte) ([]teller, error) {
	told := []teller{func(name string) []string { return query[name] }}
	if len(bytes.TrimSpace(body)) == 0 {
		return told, nil
	}
	if mediaType, _, _ := mime.ParseMediaType(contentType); mediaType == "application/x-www-form-urlencoded" {
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, fmt.Errorf("form: %w", inbound.ErrMalformed)
		}
		return append(told, func(name string) []string { return form[name] }), nil
	}
	var document any
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber() // a float64 would make neighbours of two large ids the same account
	if decoder.Decode(&document) != nil {
		return nil, fmt.Errorf("body: %w", inbound.ErrMalformed)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("body: %w", inbound.ErrMalformed)
	}
	return append(told, func(name string) []string { return textAt(document, name) }), nil
}

// textAt follows a path of names and indexes to a text or a number.
func textAt(value any, path string) []string {
	for step := range strings.SplitSeq(path, ".") {
		switch container := value.(type) {
		case map[string]any:
			value = container[step]
		case []any:
			i, err := strconv.ParseUint(step, 10, 31)
			if err != nil || int(i) >= len(container) {
				return nil
			}
			value = container[i]
		default:
			return nil
		}
	}
	switch text := value.(type) {
	case string:
		return []string{text}
	case json.Number:
		return []string{text.String()}
	}
	return nil
}
