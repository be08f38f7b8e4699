// Package handlers is the HTTP in front of the use cases. It owns the two listeners' routes
// (routes.go is all of them), what a request must look like before a use case is called, and how
// an outcome is told; what is done, and in which order, is in connect.
//
// Three audiences share the public listener. The host proxies its users' clicks: it proves itself
// with the proxy secret, names the user in a header (guard.go), and is always answered with the
// envelope {"code","message","data"}. A user's browser holds a ticket and its session's cookie (browser.go,
// cookie.go), and is always answered with a page, whatever goes wrong. meanings.go is the one table
// of what an error means to each of them. A third are the back ends of the accounts API, which
// package v1 below serves; their errors are problem details (problem.go).
//
// The host's requests that are for somebody else pass through as streams: below /call to a service in
// the user's name (call.go), and every path that is not Linkgate's own to the owner's app
// (unmatched.go). Their answers stay as they are (passing.go); only where we can't ask anybody is the
// answer ours, and then the header Linkgate-Error says so.
//
// A handler reads the request, makes one call and renders. What every request needs besides, a
// request id, recovery, one log line and metrics, is wrapped around it in observe.go.
package handlers
