package call

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"linkgate/provider"
)

const (
	maxUnderWay = 1024        // calls of one connection; what is beyond would only queue at the service
	busyPause   = time.Second // to come back after when there are as many
	maxIdle     = 256         // idle connections to a service: fewer than callers means handshakes
)

// errNoApplier: a provider that can't use the credentials it has obtained.
var errNoApplier = errors.New("the provider can't put a credential into a request")

// connection is a provider.Connection made ready for calls. Nothing in it is shared with another.
type connection struct {
	settings         provider.Connection
	rules            rules // none: nothing is allowed
	base             base
	headers          fixedHeaders
	applier          provider.Applier
	credentialHeader string // in small letters; empty: Authorization
	transport        http.RoundTripper
	breakers         *breakers
	series           series
	patience         time.Duration // until the service begins to answer
	stall            time.Duration // a client that gets nowhere for so long is given up
	underWay         atomic.Int64
}

func newConnection(of *provider.Provider, o Options, m *metrics) (*connection, error) {
	settings := of.Connection
	c := &connection{settings: settings, applier: of.Applier, series: m.series(settings.AuthID), patience: o.HeaderTimeout, stall: stallTimeout}
	if settings.Calls.BaseURL == "" {
		return c, nil
	}
	if c.applier == nil {
		return nil, errNoApplier
	}
	if problems := Problems(settings); len(problems) > 0 {
		return nil, problems[0]
	}
	c.credentialHeader = strings.ToLower(settings.Credential.Header)
	c.base, _ = parseBase(settings.Calls.BaseURL)
	c.rules, _ = parseRules(settings.Calls.Allow)
	c.headers = newFixedHeaders(settings.Calls.Headers)
	c.transport = newTransport(o)
	c.breakers = newBreakers(o.Log, settings.AuthID, strings.Contains(c.base.host, "{"))
	return c, nil
}

// newTransport is provider's, tuned for many calls at once. What a service has compressed stays so.
func newTransport(o Options) *http.Transport {
	t := provider.NewTransport(provider.Deps{AllowPrivateNetworks: o.AllowPrivateNetworks, RootCAs: o.RootCAs})
	t.MaxIdleConns = maxIdle
	t.MaxIdleConnsPerHost = maxIdle
	t.ExpectContinueTimeout = time.Second
	t.DisableCompression = true
	t.ResponseHeaderTimeout = o.HeaderTimeout // from the end of the request; patience bounds its way there
	// One HTTP/2 connection carries all calls: it is asked now and then whether it is still there.
	t.HTTP2 = &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 10 * time.Second}
	return t
}

// enter takes a place among the calls under way, if there is one; leave gives it back.
func (c *connection) enter() bool {
	if c.underWay.Add(1) > maxUnderWay {
		c.leave()
		return false
	}
	return true
}

func (c *connection) leave() { c.underWay.Add(-1) }
