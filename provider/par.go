package provider

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
)

// PARDiscover as par_url of an oidc connection: the request is pushed, wherever the issuer says.
const PARDiscover = "discover"

const opPush = "pushing the authorization request"

// maxRequestURI is far longer than a reference to a request needs to be.
const maxRequestURI = 2048

// push sends an authorization request directly, with client authentication, and returns what takes
// its place in the browser: a reference (RFC 9126 §2, §4).
func (s authServer) push(ctx context.Context, endpoint string, request url.Values) (url.Values, error) {
	var reference string
	err := s.postForm(ctx, posting{op: opPush, endpoint: endpoint, form: request}, func(ans answer) (err error) {
		reference, err = s.readReference(ans)
		return err
	})
	if err != nil {
		// access_denied is a refusal: the user has not been asked yet.
		return nil, reclassify(err, func(e *Error) bool { return errors.Is(e, ErrDenied) }, ErrRefused)
	}
	return url.Values{"client_id": {s.conn.ClientID}, "request_uri": {reference}}, nil
}

// readReference reads an answer of RFC 9126 §2.2.
func (s authServer) readReference(ans answer) (string, error) {
	var pushed struct {
		RequestURI string          `json:"request_uri"`
		ExpiresIn  json.RawMessage `json:"expires_in"`
	}
	now := s.client.now()
	senseless := func(what string) error {
		return &Error{Op: opPush, Kind: ErrUnavailable, Code: what, Status: ans.status}
	}
	switch {
	case ans.status != http.StatusCreated:
		return "", senseless("answer is not 201")
	case json.Unmarshal(ans.body, &pushed) != nil:
		return "", senseless("answer is not the JSON expected")
	case !isToken(pushed.RequestURI) || len(pushed.RequestURI) > maxRequestURI:
		return "", senseless("no usable request_uri")
	case after(pushed.ExpiresIn, now).IsZero():
		return "", senseless("no usable expires_in")
	}
	return pushed.RequestURI, nil
}

// pushedTo is where an oidc connection pushes its requests; empty: nowhere. A request that must be
// pushed (RFC 9126 §5) never goes through the browser instead.
func (c Connection) pushedTo(m *metadata) (string, error) {
	switch {
	case c.PARURL != "" && c.PARURL != PARDiscover:
		return c.PARURL, nil
	case c.PARURL == "" && !m.PushRequired:
		return "", nil
	case m.PushEndpoint == "":
		return "", &Error{Op: opPush, Kind: ErrRefused, Code: "no endpoint for it is published"}
	}
	return m.PushEndpoint, nil
}

func (c Connection) parProblems() []Problem {
	switch {
	case c.PARURL != PARDiscover:
		return c.templateProblem("par_url", c.PARURL, optional)
	case c.protocol() != "oidc":
		return []Problem{{"par_url", "is discover, and only an oidc connection has discovery", "write the address from the service's documentation"}}
	}
	return nil
}
