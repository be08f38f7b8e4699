package handlers

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"linkgate/appproxy"
	"linkgate/call"
	"linkgate/connect"
	v1 "linkgate/handlers/v1"
	"linkgate/provider"
	"linkgate/secret"
	"linkgate/templates"
)

// Server is what the routes need. Every field without "may be" in its comment must be set. Make
// the handlers with Public and Operator, once each.
type Server struct {
	Connect      useCases
	Calls        caller
	API          *v1.API // for back ends; may be nil: there is none
	App          app     // the owner's own, behind us; may be nil: there is none
	Pages        *templates.Pages
	ProxySecrets []secret.Text // any of them proves the host; empty ones prove nothing
	PublicURL    string        // ours, an origin: decides cookie, HSTS and what counts as cross-origin
	Log          *slog.Logger
	Metrics      *prometheus.Registry // ours are registered there; /metrics shows all of it
	Ready        []Check              // what /readyz asks; may be empty

	draining atomic.Bool
}

// Check is one thing that must work before this process should get requests.
type Check struct {
	Name string
	Run  func(context.Context) error
}

// Drain makes /readyz answer 503 from now on, so that no new requests are sent here while those
// under way are finished.
func (s *Server) Drain() {
	s.draining.Store(true)
	if s.API != nil {
		s.API.Drain()
	}
}

// beginner starts a session for the host.
type beginner interface {
	Begin(ctx context.Context, hostUserID, authID string) (authorizationURL string, err error)
}

// finisher takes the host's relay of a finish token.
type finisher interface {
	Finish(ctx context.Context, hostUserID, authID string, token secret.Text) (connect.Result, error)
}

// disconnector takes a linked account back.
type disconnector interface {
	Disconnect(ctx context.Context, hostUserID, linkedAccountID string) (connect.Disconnected, error)
}

// remover takes a service's word that a user has removed the app there.
type remover interface {
	Removed(ctx context.Context, authID string, proof secret.Text, account func(path string) (string, error)) (int, error)
}

// sessions are what a browser does with its ticket.
type sessions interface {
	Open(ctx context.Context, ticket, browser string) (connect.View, error)
	Continue(ctx context.Context, ticket, browser string, values map[string]secret.Text) (redirectURL string, err error)
	ContinueByCode(ctx context.Context, ticket, browser string, values map[string]secret.Text) (redirectURL string, err error)
	Code(ctx context.Context, ticket, browser string) (connect.CodeView, error)
	Result(ctx context.Context, ticket, browser string) (connect.Result, error)
}

// follower tells a page what has become of the window that it has opened.
type follower interface {
	Follow(ctx context.Context, ticket string) (connect.Following, error)
	MayFollow(origin string) bool
}

// completer takes what the service sent back through the browser.
type completer interface {
	Complete(ctx context.Context, authID, browser, state string, cb provider.Callback) (ticket string, err error)
}

type useCases interface {
	beginner
	finisher
	disconnector
	remover
	sessions
	follower
	completer
}

// caller sends a user's request to a service in that user's name.
type caller interface {
	Serve(w http.ResponseWriter, r *http.Request, to call.Target) error
}

// app takes the requests that are not for us.
type app interface {
	Serve(w http.ResponseWriter, r *http.Request, hostUserID string) error
}

var (
	_ useCases = (*connect.Service)(nil)
	_ caller   = (*call.Proxy)(nil)
	_ app      = (*appproxy.Proxy)(nil)
)

// HTTPServer serves h at addr, with limits that slow or greedy clients run into. WriteTimeout is
// longer than anybody waits for a service's answer to a callback, which is the slowest request of
// those that we answer ourselves; what passes through sets deadlines of its own.
func HTTPServer(addr string, h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Addr:              addr,
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      75 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug), // mostly clients that hang up
	}
}
