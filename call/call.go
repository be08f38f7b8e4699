// Package call sends host users' requests to external services in their name.
package call

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"linkgate/linkedaccount"
	"linkgate/provider"
)

// Why a request was not sent, or has no answer. Every error of Serve is one of them, or unexpected.
var (
	ErrUnknownConnection = errors.New("no connection has this auth id")
	ErrNotConnected      = errors.New("the user has no such account at this connection")
	ErrReauthRequired    = errors.New("the user must sign in at the service again")
	ErrBadPath           = errors.New("the path can be read in more than one way")
	ErrNotAllowed        = errors.New("the connection does not allow this call") // *NotAllowedError
	ErrTooMany           = errors.New("too many calls by this user")
	ErrRefused           = errors.New("the service refuses Linkgate's client")
	ErrUnavailable       = errors.New("the service, or a system we depend on, does not answer") // *UnavailableError
	ErrTimeout           = errors.New("the service has not begun to answer in time")
	ErrBroken            = errors.New("the service has broken the connection off")
)

// NotAllowedError wraps ErrNotAllowed and names the rule that is missing.
type NotAllowedError struct {
	AuthID string
	Rule   string // as it would stand in calls.allow: "GET /user"
}

// UnavailableError wraps ErrUnavailable and says when to come back.
type UnavailableError struct {
	System     string // "the service", "the database"
	RetryAfter time.Duration
	Err        error
}

// Target is what a request is for.
type Target struct {
	HostUserID string
	AuthID     string
	Path       string // below the base URL, escaped as it came, beginning with a slash
	Account    string // chosen by our id or the host's; empty: the only one or the latest
}

// tokens are where credentials come from; linkedaccount.Tokens says how each behaves.
type tokens interface {
	For(ctx context.Context, hostUserID, authID, chosen string) (linkedaccount.Opened, error)
	Rejected(ctx context.Context, o linkedaccount.Opened) (linkedaccount.Opened, error)
}

var _ tokens = (*linkedaccount.Tokens)(nil)

// Limiter says whether id may do once more what is limited.
type Limiter interface {
	Allow(id string) (bool, error)
}

// Options is what a Proxy needs.
type Options struct {
	Tokens               tokens
	Connections          map[string]*provider.Provider // by auth id
	Limit                Limiter                       // of calls by each host user
	AllowPrivateNetworks bool
	Log                  *slog.Logger
	HeaderTimeout        time.Duration    // until a service begins to answer; zero: DefaultHeaderTimeout
	Now                  func() time.Time // nil: time.Now
}

// Proxy passes calls through.
type Proxy struct{}

// New makes a Proxy. Connections with Problems are refused.
func New(o Options) (*Proxy, error) { panic("unwritten") }

// Serve sends r to the service in its user's name and streams the answer to w. When it returns an
// error nothing has been written to w. An answer that breaks off midway ends in a panic with
// http.ErrAbortHandler, as httputil.ReverseProxy has it.
func (p *Proxy) Serve(w http.ResponseWriter, r *http.Request, to Target) error { panic("unwritten") }

// Wait returns when no call and no stream is under way, or when ctx ends.
func (p *Proxy) Wait(ctx context.Context) error { panic("unwritten") }
