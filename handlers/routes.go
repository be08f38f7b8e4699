package handlers

import (
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	pages "linkgate/browser"
	v1 "linkgate/handlers/v1"
)

// route is one line of the public listener's table.
type route struct {
	method, path string
	audience     audience
	handler      echo.HandlerFunc
}

// anyMethod is every method, those that nobody has heard of included.
const anyMethod = v1.AnyMethod

// routes is the public listener's table. A HEAD is answered without a use case: link previews and
// scanners send it, and it must neither bind a session nor use up a callback.
func (s *site) routes() []route {
	return append(s.backEndRoutes(), []route{
		{http.MethodPost, "/auth/:auth_id", host, s.begin},
		{http.MethodPost, "/auth/:auth_id/finish", host, s.finish},
		{http.MethodDelete, "/linked-accounts/:linked_account_id", host, s.disconnect},
		{anyMethod, "/call/:auth_id/*", through, s.call},

		{http.MethodGet, "/hooks/:auth_id/removed", host, s.removed},
		{http.MethodPost, "/hooks/:auth_id/removed", host, s.removed},
		{http.MethodGet, "/hooks/:auth_id/:secret/removed", host, s.removed},
		{http.MethodPost, "/hooks/:auth_id/:secret/removed", host, s.removed},

		{http.MethodGet, "/connect/:ticket", browser, s.ticket},
		{http.MethodHead, "/connect/:ticket", browser, head},
		{http.MethodPost, "/connect/:ticket", browser, s.carryOn},
		{http.MethodPost, "/connect/:ticket/code", browser, s.carryOnByCode},
		{http.MethodGet, "/connect/:ticket/code", browser, s.code},
		{http.MethodHead, "/connect/:ticket/code", browser, head},
		{http.MethodGet, "/connect/:ticket/result", browser, s.result},
		{http.MethodHead, "/connect/:ticket/result", browser, head},
		{http.MethodGet, "/connect/:ticket/status", ownersPage, s.status},
		{http.MethodGet, "/callback/:auth_id", browser, s.callback},
		{http.MethodHead, "/callback/:auth_id", browser, head},
		{http.MethodPost, "/callback/:auth_id", browser, s.callbackPosted},

		{http.MethodGet, "/linkgate.js", ownersPage, file(pages.Script())},
		{http.MethodHead, "/linkgate.js", ownersPage, file(pages.Script())},
		{http.MethodGet, "/linkgate.d.ts", ownersPage, file(pages.Types())},
		{http.MethodHead, "/linkgate.d.ts", ownersPage, file(pages.Types())},
		{http.MethodGet, "/openapi.json", browser, s.document},
		{http.MethodHead, "/openapi.json", browser, s.document},
		{http.MethodGet, "/docs", browser, s.docs},
		{http.MethodHead, "/docs", browser, s.docs},
	}...)
}

// backEndRoutes are those of the accounts API, which has a table of its own.
func (s *site) backEndRoutes() []route {
	if s.API == nil {
		return nil
	}
	var routes []route
	for _, r := range s.API.Routes(func(r *echo.Response) http.ResponseWriter { return passing{r} }) {
		to := backEnd
		if r.Through {
			to = backEndThrough
		}
		routes = append(routes, route{r.Method, r.Path, to, r.Handler})
	}
	return routes
}

// Public is the handler for the host and for browsers.
func (s *Server) Public() (http.Handler, error) {
	site, err := newSite(s)
	if err != nil {
		return nil, err
	}
	e := echo.New()
	for _, r := range site.routes() {
		method := r.method
		if method == anyMethod {
			method = echo.RouteNotFound // echo's own Any leaves out methods that it does not know
		}
		e.Add(method, r.path, site.observed(r))
	}
	e.HTTPErrorHandler = site.unmatched()
	return e, nil
}

// Operator is the handler for whoever runs the process. It belongs on a listener of its own.
func (s *Server) Operator() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.health)
	mux.HandleFunc("GET /readyz", s.ready)
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.Metrics, promhttp.HandlerOpts{}))
	return mux
}

// site is a Server made ready to answer the public listener.
type site struct {
	*Server
	guard   guard
	cookies cookies
	forms   *http.CrossOriginProtection
	headers pageHeaders
	metrics *metrics
}

func newSite(s *Server) (*site, error) {
	forms := http.NewCrossOriginProtection()
	if err := forms.AddTrustedOrigin(s.PublicURL); err != nil {
		return nil, fmt.Errorf("public URL: %w", err)
	}
	m, err := newMetrics(s.Metrics)
	if err != nil {
		return nil, err
	}
	return &site{
		Server:  s,
		guard:   newGuard(s.ProxySecrets),
		cookies: newCookies(s.PublicURL),
		forms:   forms,
		headers: newPageHeaders(s.PublicURL, s.Pages),
		metrics: m,
	}, nil
}
