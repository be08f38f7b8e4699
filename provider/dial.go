package provider

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"time"

	"code.dny.dev/ssrf"
)

const (
	dialTimeout = 5 * time.Second
	idleTimeout = 30 * time.Second // shorter than most services', so that we seldom meet a dead connection
)

// NewDialer dials public addresses alone, unless private ones are allowed. The check sits where
// the socket is about to connect: behind every name, every answer of that name, and every
// spelling of an address. IsPrivateAddress tells its refusals.
func NewDialer(allowPrivate bool) *net.Dialer {
	dialer := &net.Dialer{Timeout: dialTimeout}
	if !allowPrivate {
		guard := ssrf.New(
			ssrf.WithAnyPort(), // services of one's own run on odd ports
			// A public address that leads to the machine's own cloud host (Azure's WireServer).
			ssrf.WithDeniedV4Prefixes(netip.MustParsePrefix("168.63.129.16/32")),
		)
		dialer.Control = guard.Safe
	}
	return dialer
}

// IsPrivateAddress tells that a dialer of NewDialer has refused an address, as not public.
func IsPrivateAddress(err error) bool {
	return errors.Is(err, ssrf.ErrProhibitedIP) || errors.Is(err, ssrf.ErrProhibitedNetwork)
}

// NewTransport carries every leg, and for package call every call. It is a bare RoundTripper: it
// follows no redirect and keeps no cookie. The environment's proxy is not used, for a proxy would
// dial past the guard. Of d it takes what concerns addresses and certificates.
func NewTransport(d Deps) *http.Transport {
	return &http.Transport{
		Proxy:                  nil,
		DialContext:            NewDialer(d.AllowPrivateNetworks).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: d.RootCAs},
		TLSHandshakeTimeout:    dialTimeout,
		ForceAttemptHTTP2:      true, // a DialContext of one's own switches it off
		MaxIdleConnsPerHost:    16,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: 64 << 10,
	}
}
