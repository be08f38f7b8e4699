package v1

import (
	"errors"
	"strings"

	"github.com/labstack/echo/v4"

	"linkgate/apikey"
	"linkgate/connect"
	"linkgate/handlers/inbound"
	"linkgate/secret"
)

// request is one that a key has been proven for.
type request struct {
	echo.Context
	key  apikey.Key
	body []byte // all of it, but for what streams

	query params // what the route's line takes
	id    string // the one in the path; empty: it has none
}

// guarded wraps a line's handler in what every request needs: a key with the scope, and a POST that
// can be repeated.
func (a *API) guarded(l line) echo.HandlerFunc {
	return func(c echo.Context) error {
		key, err := a.authenticate(c)
		if err != nil {
			return err
		}
		if !key.Allows(l.scope) {
			return &ScopeError{l.scope}
		}
		r := &request{Context: c, key: key}
		if l.streams != nil {
			if err := l.bind(r); err != nil {
				return err
			}
			return l.streams(r)
		}
		if r.body, err = readBody(c); err != nil {
			return err
		}
		return a.onceOnly(r, l)
	}
}

// bind reads the query, whose mistakes it tells all at once, and the id in the path: what can't be one
// is like one that is not there.
func (l line) bind(r *request) error {
	if l.query != nil {
		q := readQuery(r.Request().URL.RawQuery)
		r.query = l.query(q)
		if err := q.err(); err != nil {
			return err
		}
	}
	names := r.ParamNames() // the id's, then those of what is called
	if len(names) == 0 {
		return nil
	}
	var ok bool
	if r.id, ok = inbound.Segment(r.Context, names[0], inbound.IDLimit); !ok {
		return connect.ErrNotFound
	}
	return nil
}

// authenticate finds the key that the request shows (RFC 6750 §2.1). Two are none: which one counts
// would be anybody's guess.
func (a *API) authenticate(c echo.Context) (apikey.Key, error) {
	shown := c.Request().Header["Authorization"]
	if len(shown) != 1 {
		return apikey.Key{}, ErrUnauthorized
	}
	scheme, token, found := strings.Cut(shown[0], " ")
	if !found || !strings.EqualFold(scheme, "Bearer") {
		return apikey.Key{}, ErrUnauthorized
	}
	key, err := a.Keys.Authenticate(c.Request().Context(), secret.New(strings.TrimSpace(token)))
	switch {
	case errors.Is(err, apikey.ErrUnknown), errors.Is(err, apikey.ErrMalformed):
		return apikey.Key{}, errors.Join(ErrUnauthorized, err)
	case errors.Is(err, apikey.ErrTooMany):
		return apikey.Key{}, errors.Join(ErrTooMany, err)
	}
	return key, err
}
