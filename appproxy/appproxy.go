package appproxy

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"linkgate/linkedaccount"
	"linkgate/secret"
)

// tokens are where credentials come from; linkedaccount.Tokens says how each behaves.
type tokens interface {
	For(ctx context.Context, hostUserID, authID, chosen string) (*linkedaccount.Opened, error)
}

var _ tokens = (*linkedaccount.Tokens)(nil)

// DefaultHeaderTimeout is how long the app may take until it begins to answer.
const DefaultHeaderTimeout = time.Minute

// Options is what a Proxy needs.
type Options struct {
	URL           string      // APP_URL: http or https, a host, maybe a path that requests' paths are put behind
	Secret        secret.Text // base64 of 24 bytes or more, "whsec_" before it or not; the app has the same
	Tokens        tokens
	Inject        []string // auth ids whose access tokens the app gets
	Log           *slog.Logger
	HeaderTimeout time.Duration    // until the app begins to answer; zero: DefaultHeaderTimeout
	Now           func() time.Time // nil: time.Now
}

// Proxy passes requests on to the app.
type Proxy struct {
	base     *url.URL
	webhook  *standardwebhooks.Webhook
	tokens   tokens
	inject   []injection
	passing  httputil.ReverseProxy // what is the same for every request
	stall    time.Duration         // a client that gets nowhere for so long is given up
	log      *slog.Logger
	now      func() time.Time
	underWay atomic.Int64 // requests and streams
}

// New makes a Proxy. What is wrong with o is an error that quotes no secret.
func New(o Options) (*Proxy, error) {
	base, err := parseBase(o.URL)
	if err != nil {
		return nil, err
	}
	webhook, err := newWebhook(o.Secret)
	if err != nil {
		return nil, err
	}
	inject, err := injections(o.Inject)
	if err != nil {
		return nil, err
	}
	if o.HeaderTimeout <= 0 {
		o.HeaderTimeout = DefaultHeaderTimeout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Proxy{
		base: base, webhook: webhook, tokens: o.Tokens, inject: inject, passing: passing(o.HeaderTimeout),
		stall: stallTimeout, log: o.Log, now: o.Now,
	}, nil
}

// Serve sends r to the app in its user's name and streams the answer to w. When it returns an error
// nothing has been written to w, unless protocols have been switched (WebSocket). An answer that breaks
// off midway ends in a panic with http.ErrAbortHandler, as httputil.ReverseProxy has it.
//
// w leads to its server's ResponseWriter by way of Unwrap: a client is held to its progress there, in
// place of the server's time limits for a whole request.
func (p *Proxy) Serve(w http.ResponseWriter, r *http.Request, hostUserID string) error {
	if err := passable(r); err != nil {
		return err
	}
	p.underWay.Add(1)
	defer p.underWay.Add(-1)
	t := &passage{
		proxy: p, user: hostUserID, tokens: p.tokenFields(r.Context(), hostUserID),
		answer: answer{ResponseWriter: w, client: client{http.NewResponseController(w), p.stall}},
	}
	defer t.end()
	proxy := p.passing
	proxy.Rewrite, proxy.ModifyResponse, proxy.ErrorHandler = t.rewrite, t.modify, t.fail
	proxy.ServeHTTP(&t.answer, r)
	return t.err
}

const waitPoll = 20 * time.Millisecond

// Wait returns when no request and no stream is under way, or when ctx ends.
func (p *Proxy) Wait(ctx context.Context) error {
	for p.underWay.Load() > 0 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(waitPoll):
		}
	}
	return nil
}

// parseBase reads APP_URL. The path it may have ends without a slash: paths begin with one.
func parseBase(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return nil, errors.New("the app's URL can't be read") // the parser quotes it, and it may hold a password
	case u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "":
		return nil, errors.New("the app's URL is not http:// or https:// with a host")
	case u.User != nil, u.RawQuery != "", u.ForceQuery, u.Fragment != "":
		return nil, errors.New("the app's URL has more than a host and a path")
	}
	base := &url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.EscapedPath()}
	for strings.HasSuffix(base.RawPath, "/") {
		base.Path, base.RawPath = strings.TrimSuffix(base.Path, "/"), strings.TrimSuffix(base.RawPath, "/")
	}
	if base.Path != "" && ambiguous(base) {
		return nil, errors.New("the path of the app's URL can be read in more than one way")
	}
	return base, nil
}
