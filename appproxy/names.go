package appproxy

import (
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// What the app gets, in Go's canonical spelling.
const (
	userHeader       = "Linkgate-User-Id"
	tokenHeader      = "Linkgate-Token-"
	tokenErrorHeader = "Linkgate-Token-Error-"
)

// flat is a header's name in the one spelling to which servers and frameworks reduce it, or another
// like it: they compare without case (RFC 9110 §5.1), and those that make variables of headers (RFC
// 3875 §4.1.18) tell neither an underscore nor some other signs from a hyphen.
func flat(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, name)
}

// isForgeable tells whether a header of a client could be taken for one of ours or of the host's, or
// for what a proxy says of where a request comes from, who sent it, and where it was to go.
func isForgeable(name string) bool {
	name = flat(name)
	for _, prefix := range [...]string{"blink-", "linkgate-", "webhook-", "forwarded-", "x-forwarded-"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	switch name {
	case "forwarded", "x-forwarded", "x-original-forwarded-for",
		"x-real-ip", "client-ip", "x-client-ip", "x-cluster-client-ip", "true-client-ip", "fastly-client-ip",
		"fly-client-ip", "cf-connecting-ip", "cf-connecting-ipv6", "x-azure-clientip", "x-appengine-user-ip",
		"x-envoy-external-address", "x-originating-ip", "x-remote-ip", "x-remote-addr",
		"remote-user", "x-remote-user",
		"x-host", "x-http-host-override", "x-original-host", "x-original-url", "x-rewrite-url":
		return true
	}
	return false
}

// isOurs tells whether a header of the app's answer could be taken for one of Linkgate's.
func isOurs(name string) bool { return strings.HasPrefix(flat(name), "linkgate-") }

func drop(h http.Header, unwanted func(name string) bool) {
	for name := range h {
		if unwanted(name) {
			delete(h, name)
		}
	}
}

// dropUpgrade leaves no protocol to switch to but WebSocket. With h2c a client would speak to the app
// past us, and say in the next request whatever it liked.
func dropUpgrade(h http.Header) {
	if strings.EqualFold(h.Get("Upgrade"), "websocket") {
		return
	}
	h.Del("Upgrade")
	h.Del("Connection")
	h.Del("Http2-Settings")
}

// isValue tells whether s arrives at the app as it is sent.
func isValue(s string) bool {
	return s != "" && s == strings.TrimSpace(s) && httpguts.ValidHeaderFieldValue(s)
}
