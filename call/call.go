// Package call sends host users' requests to external services in their name. Proxy.Serve takes a
// request that a user has made below /call/{auth_id}/, and goes through with it in this order:
//
//  1. The connection is looked up, and the path is read (path.go): one that some service could read
//     as leading elsewhere goes nowhere.
//  2. The connection's rules must allow it (allow.go), and the user's rate limit.
//  3. linkedaccount.Tokens gives the fresh credential of the user's account.
//  4. The request is freed of what does not concern the service (headers.go), aimed at the
//     connection's base URL (base.go), and gets the credential. This happens in httputil's Rewrite,
//     after the hop-by-hop headers are gone, so that no client can have the credential taken out
//     again by naming it in Connection (RFC 9110 §7.6.1). A header that has no Connection passes by
//     ReverseProxy, which would copy it and find nothing.
//  5. httputil.ReverseProxy passes both bodies on as they come, in either direction at any time.
//     Redirects are passed on too and never followed.
//
// Between ReverseProxy and the connection's own transport stands an exchange (exchange.go, send.go).
// It sends the request a second time where there is a remedy for the answer (remedy.go): after a
// 401, once, another credential; after a 429 or 503 that says when to come back, waiting, if the
// caller can. For that the beginning of a body is kept while it passes (upload.go).
//
// A service that hangs or is gone must slow nobody else: each connection has its own transport,
// breaker and bound of calls under way (connection.go, breaker.go), and the time until a service
// begins to answer is bounded (patience.go). From then on an answer may take as long as it likes.
// So may the client, as long as it gets on: it is held to its progress in place of the server's
// time limits (deadlines.go).
//
// How errors become answers is handlers' business. No error here repeats a word of the service's.
package call

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"linkgate/linkedaccount"
	"linkgate/provider"
)

// DefaultHeaderTimeout is how long a service may take to begin its answer.
const DefaultHeaderTimeout = time.Minute

// Target is what a request is for.
type Target struct {
	HostUserID string
	AuthID     string
	Path       string // below the base URL, escaped as it came, beginning with a slash
	Account    string // chosen by our id or the host's; empty: the component's
	Component  string // whose account it is; empty, or none of this user's: the only one or the latest
}

// tokens are where credentials come from; linkedaccount.Tokens says how each behaves.
type tokens interface {
	For(ctx context.Context, hostUserID, authID, chosen string) (*linkedaccount.Opened, error)
	ForComponent(ctx context.Context, hostUserID, authID, componentID string) (*linkedaccount.Opened, error)
	Account(ctx context.Context, id string) (linkedaccount.Account, error)
	ByID(ctx context.Context, id string) (*linkedaccount.Opened, error)
	Rejected(ctx context.Context, o *linkedaccount.Opened) (*linkedaccount.Opened, error)
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
	Limit                Limiter                       // of calls by each host user; nil: none
	AllowPrivateNetworks bool
	RootCAs              *x509.CertPool // nil: the system's
	Log                  *slog.Logger   // nil: nowhere
	HeaderTimeout        time.Duration  // until a service begins to answer; zero: DefaultHeaderTimeout
}

// Proxy passes calls through.
type Proxy struct {
	tokens      tokens
	limit       Limiter               // nil: none
	passing     httputil.ReverseProxy // what all exchanges have in common
	connections map[string]*connection
	metrics     *metrics
	log         *slog.Logger
}

// New makes a Proxy. Connections with Problems are refused.
func New(o Options) (*Proxy, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.HeaderTimeout == 0 {
		o.HeaderTimeout = DefaultHeaderTimeout
	}
	p := &Proxy{
		tokens: o.Tokens, limit: o.Limit, log: o.Log, metrics: newMetrics(), passing: passing(),
		connections: make(map[string]*connection, len(o.Connections)),
	}
	for authID, at := range o.Connections {
		c, err := newConnection(at, o, p.metrics)
		if err != nil {
			return nil, fmt.Errorf("preparing calls of connection %q: %w", authID, err)
		}
		p.connections[authID] = c
	}
	return p, nil
}

// Serve sends r to the service in its user's name and streams the answer to w. When it returns an
// error nothing has been written to w. An answer that breaks off midway ends in a panic with
// http.ErrAbortHandler, so that the client does not take it for the whole.
//
// r comes from an HTTP server, and w leads to that server's ResponseWriter by way of Unwrap: the
// server's time limits are lifted there.
func (p *Proxy) Serve(w http.ResponseWriter, r *http.Request, to Target) error {
	c, path, err := p.admit(r.Method, to.AuthID, to.Path)
	if err != nil {
		return err
	}
	if p.limit != nil {
		if ok, err := p.limit.Allow(to.HostUserID); err != nil || !ok {
			return ErrTooMany
		}
	}
	return p.pass(w, r, c, path, func(ctx context.Context) (*linkedaccount.Opened, error) {
		return p.account(ctx, to)
	})
}

// ServeAccount is Serve for one account, by our id, on behalf of the app's own back end: with the same
// rules, those of the account's connection. Whoever calls has limited its caller; the user's own limit
// is not touched. path is as in Target.
func (p *Proxy) ServeAccount(w http.ResponseWriter, r *http.Request, accountID, path string) error {
	account, err := p.tokens.Account(r.Context(), accountID)
	if err != nil {
		return credentialFailure(err)
	}
	c, read, err := p.admit(r.Method, account.AuthID, path)
	if err != nil {
		return err
	}
	return p.pass(w, r, c, read, func(ctx context.Context) (*linkedaccount.Opened, error) {
		return p.tokens.ByID(ctx, accountID)
	})
}

// admit reads a path and holds it to the connection's rules.
func (p *Proxy) admit(method, authID, below string) (*connection, path, error) {
	c, known := p.connections[authID]
	if !known {
		return nil, path{}, ErrUnknownConnection
	}
	read, err := readPath(below)
	if err != nil {
		return nil, path{}, err
	}
	if !c.rules.allow(method, read) {
		return nil, path{}, &NotAllowedError{AuthID: authID, Rule: ruleFor(method, read)}
	}
	return c, read, nil
}

// pass goes through with what is admitted, with the credential that get gives.
func (p *Proxy) pass(w http.ResponseWriter, r *http.Request, c *connection, to path, get func(context.Context) (*linkedaccount.Opened, error)) error {
	if !c.enter() {
		return &UnavailableError{System: theService, RetryAfter: busyPause, Err: errBusy}
	}
	defer c.leave()
	account, err := get(r.Context())
	if err != nil {
		return credentialFailure(err)
	}
	e := &exchange{connection: c, tokens: p.tokens, log: p.log, path: to, account: account}
	return e.serve(p.passing, w, r)
}

// account is the one that a call is made as, with its credential.
func (p *Proxy) account(ctx context.Context, to Target) (*linkedaccount.Opened, error) {
	if to.Account == "" && to.Component != "" {
		return p.tokens.ForComponent(ctx, to.HostUserID, to.AuthID, to.Component)
	}
	return p.tokens.For(ctx, to.HostUserID, to.AuthID, to.Account)
}

// Wait returns when no call and no stream is under way, or when ctx ends.
func (p *Proxy) Wait(ctx context.Context) error {
	for _, c := range p.connections {
		for c.underWay.Load() > 0 {
			select {
			case <-ctx.Done():
				return fmt.Errorf("waiting for calls to end: %w", ctx.Err())
			case <-time.After(waitPoll):
			}
		}
	}
	return nil
}

const waitPoll = 20 * time.Millisecond

// Collector tells how long services take.
func (p *Proxy) Collector() prometheus.Collector { return p.metrics.duration }
