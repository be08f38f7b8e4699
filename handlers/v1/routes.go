package v1

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"linkgate/apikey"
)

// Route is one line of the table, for the parent's.
type Route struct {
	Method, Path string // AnyMethod is every method
	Through      bool   // somebody else's answer passes through
	Handler      echo.HandlerFunc
}

// AnyMethod is every method, those that nobody has heard of included.
const AnyMethod = "any"

// line is a route with the scope that it needs, what it takes in the query, and what answers it: one of
// the two.
type line struct {
	method, path string
	scope        apikey.Scope
	query        func(*query) params // anything else is refused; nil: it is passed on as it is
	answers      func(*request) (answer, error)
	streams      func(*request) error
}

func (a *API) lines() []line {
	return []line{
		{http.MethodGet, "/v1/connections", apikey.AccountsRead, none, a.listConnections, nil},

		{http.MethodGet, "/v1/accounts", apikey.AccountsRead, accountFilter, a.listAccounts, nil},
		{http.MethodPost, "/v1/accounts", apikey.AccountsWrite, importFlags, a.importAccount, nil},
		{http.MethodGet, "/v1/accounts/:account_id", apikey.AccountsRead, none, a.getAccount, nil},
		{http.MethodPatch, "/v1/accounts/:account_id", apikey.AccountsWrite, none, a.updateAccount, nil},
		{http.MethodDelete, "/v1/accounts/:account_id", apikey.AccountsWrite, none, a.deleteAccount, nil},
		{http.MethodPost, "/v1/accounts/:account_id/test", apikey.AccountsRead, none, a.testAccount, nil},
		{http.MethodPost, "/v1/accounts/:account_id/token", apikey.TokensRead, none, a.getToken, nil},
		{http.MethodGet, "/v1/accounts/:account_id/components", apikey.AccountsRead, paging, a.listAccountComponents, nil},
		{AnyMethod, "/v1/accounts/:account_id/call/*", apikey.CallsWrite, nil, nil, a.call},

		{http.MethodGet, "/v1/components/:component_id/account", apikey.AccountsRead, none, a.getComponentAccount, nil},
		{http.MethodPut, "/v1/components/:component_id/account", apikey.AccountsWrite, none, a.bindComponent, nil},
		{http.MethodDelete, "/v1/components/:component_id/account", apikey.AccountsWrite, none, a.unbindComponent, nil},

		{http.MethodPost, "/v1/sessions", apikey.SessionsWrite, none, a.openSession, nil},
		{http.MethodGet, "/v1/sessions/:session_id", apikey.SessionsWrite, longPoll, nil, a.followSession},
		{http.MethodPost, "/v1/sessions/:session_id/finish", apikey.SessionsWrite, none, a.finishSession, nil},

		{http.MethodDelete, "/v1/users/:user_id/accounts", apikey.UsersDelete, none, a.offboardUser, nil},
		{http.MethodGet, "/v1/events", apikey.AccountsRead, eventPaging, a.listEvents, nil},
	}
}

// Routes is the table. passing makes an answer's writer of one that somebody else's answer can pass.
func (a *API) Routes(passing func(*echo.Response) http.ResponseWriter) []Route {
	a.passing, a.drained = passing, make(chan struct{})
	var routes []Route
	for _, l := range a.lines() {
		routes = append(routes, Route{Method: l.method, Path: l.path, Through: l.method == AnyMethod, Handler: a.guarded(l)})
	}
	return routes
}
