package handlers

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
)

// unmatched answers what no route takes. What the host sends to any path but ours is for the owner's
// app, if there is one. The rest is an error: told by the path if it is the host's or a browser's,
// else with a page unless the request comes with the host's header.
func (s *site) unmatched() echo.HTTPErrorHandler {
	toHost := s.watch(route{method: "other", path: "other", audience: host})
	toBrowser := s.watch(route{method: "other", path: "other", audience: browser})
	toBackEnd := s.watch(route{method: "other", path: "other", audience: backEnd})
	toApp := toHost
	if s.App != nil {
		toApp = s.watch(route{method: anyMethod, path: "app", audience: through})
	}
	return func(err error, c echo.Context) {
		r := c.Request()
		fail := func(echo.Context) error { return err }
		switch {
		case s.App != nil && saysHost(r) && !isOurs(r.URL.Path):
			toApp(c, s.app)
		case audienceOf(r) == host:
			toHost(c, fail)
		case audienceOf(r) == backEnd:
			toBackEnd(c, fail)
		default:
			toBrowser(c, fail)
		}
	}
}

// app passes a request on to the owner's app. How often a user may ask it is its own business.
func (s *site) app(c echo.Context) error {
	user, err := s.guard.user(c.Request().Header)
	if err != nil {
		return err
	}
	return s.App.Serve(passing{c.Response()}, c.Request(), user)
}

// isOurs tells whether a decoded path is Linkgate's, or kept for what Linkgate will be able to do:
// such a path is never the app's, whatever the method. Paths have one spelling: /AUTH and //auth are
// the app's.
func isOurs(path string) bool {
	for _, root := range [...]string{"/auth", "/linked-accounts", "/connect", "/callback", "/call", "/v1", "/hooks"} {
		if below, ok := strings.CutPrefix(path, root); ok && (below == "" || below[0] == '/') {
			return true
		}
	}
	return path == "/openapi.json" || path == "/docs" || path == "/linkgate.js" || path == "/linkgate.d.ts"
}

func audienceOf(r *http.Request) audience {
	switch path := r.URL.Path; {
	case strings.HasPrefix(path, "/auth/"), strings.HasPrefix(path, "/linked-accounts/"), strings.HasPrefix(path, "/call/"), strings.HasPrefix(path, "/hooks/"):
		return host
	case strings.HasPrefix(path, "/connect/"), strings.HasPrefix(path, "/callback/"):
		return browser
	case strings.HasPrefix(path, "/v1/"):
		return backEnd
	}
	if saysHost(r) {
		return host
	}
	return browser
}

// saysHost tells whether a request comes with the host's header, whether or not it is right.
func saysHost(r *http.Request) bool { return len(r.Header[secretHeader]) > 0 }
