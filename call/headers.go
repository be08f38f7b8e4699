package call

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"linkgate/secret"
)

// stripRequest takes out of a user's request what must not reach the service: other credentials,
// what the host tells us, where the request has been on its way, and what would make another
// request of it than the one that was allowed.
func stripRequest(h http.Header, ours string) {
	for name := range h {
		if !passes(name, ours) {
			delete(h, name)
		}
	}
}

// passRequest is stripRequest for a header that says nothing of the hop (isOfNoHop).
func passRequest(to, from http.Header, ours string) {
	for name, values := range from {
		if passes(name, ours) && !isOfHop(name) {
			to[name] = values
		}
	}
}

// passes tells a header of a request that the service gets. ours is where the credential goes, in
// small letters; empty: Authorization.
func passes(name, ours string) bool {
	if ours == "" && isHarmless(name) {
		return true
	}
	if strings.HasPrefix(name, "Blink-") { // every request has some, and those below spell them anew
		return false
	}
	n := strings.ToLower(name)
	return n != ours && isPlainName(n) && !isDroppedFromRequest(n)
}

// isOfNoHop tells a header that names no other in Connection, and asks for nothing that ReverseProxy
// keeps of this hop for the next (RFC 9110 §7.6.1).
func isOfNoHop(h http.Header) bool { return len(h["Connection"]) == 0 && len(h["Te"]) == 0 }

// isOfHop knows the headers that are for this hop even where Connection does not name them, spelt as
// net/http does.
func isOfHop(name string) bool {
	switch name {
	case "Keep-Alive", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	return false // those that begin with Proxy never pass
}

// isHarmless knows names that almost every request or answer has and that are never dropped, spelt as
// net/http does. It spares them the closer look, which no other name may be spared.
func isHarmless(name string) bool {
	switch name {
	case "Accept", "Accept-Encoding", "Accept-Language", "Accept-Ranges", "Age", "Cache-Control", "Content-Encoding",
		"Content-Language", "Content-Length", "Content-Type", "Date", "Etag", "Expires", "If-Match", "If-Modified-Since",
		"If-None-Match", "Last-Modified", "Pragma", "Range", "Server", "User-Agent", "Vary", "X-Request-Id":
		return true
	}
	return false
}

// isPlainName tells a name that no service takes for another: CGI and its heirs hold X_Real_IP and
// X-Real-IP for the same. Proxies commonly drop such names too.
func isPlainName(name string) bool {
	return !strings.ContainsFunc(name, func(r rune) bool {
		return r != '-' && (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
}

func isDroppedFromRequest(name string) bool {
	switch name {
	// Credentials. Ours is put in later.
	case "authorization", "cookie", "cookie2":
		return true
	// The page of the host's that the user was on. The service would learn what the user does there,
	// and might refuse a call as coming from a foreign site, when it comes from no site at all.
	case "origin", "referer":
		return true
	// Where the request came by. Services trust some of these for the address of the client.
	case "forwarded", "via", "host", "x-forwarded", "x-real-ip", "x-client-ip", "x-cluster-client-ip",
		"true-client-ip", "client-ip", "fastly-client-ip", "x-remote-ip", "x-remote-addr", "x-originating-ip",
		"x-host", "x-original-host", "x-original-forwarded-for", "x-url-scheme", "x-remote-user", "remote-user",
		"cdn-loop":
		return true
	// Another method or path than the one that the rules have allowed. Destination and the copy
	// sources are second paths, and the rules know only the first.
	case "x-http-method-override", "x-http-method", "x-method-override", "x-original-method",
		"x-original-url", "x-original-uri", "x-original-path", "x-rewrite-url", "x-override-url",
		"x-envoy-original-path", "destination", "x-amz-copy-source", "x-goog-copy-source", "x-ms-copy-source":
		return true
	}
	return hasAnyPrefix(name, "blink-", "linkgate-", "proxy", "x-forwarded-", "cf-", "fly-", "sec-fetch-")
}

func hasAnyPrefix(s string, prefixes ...string) bool {
	return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(s, prefix) })
}

// passAnswer passes a service's header on, without what the client must not be told.
func passAnswer(to, from http.Header, accessToken secret.Text) {
	token := accessToken.Reveal()
	for name, values := range from {
		if isTold(name, values, token) && !isOfHop(name) {
			to[name] = values
		}
	}
	guardAnswer(to)
}

// stripAnswer takes out of a header what the client must not be told.
func stripAnswer(h http.Header, accessToken secret.Text) {
	token := accessToken.Reveal()
	maps.DeleteFunc(h, func(name string, values []string) bool { return !isTold(name, values, token) })
}

// isTold tells what of a service's answer the client gets: not what is meant for the service's own
// origin, for a browser may meet the answer at the host's, and nothing that repeats the access token.
func isTold(name string, values []string, token string) bool {
	for _, value := range values {
		if repeats(value, token) {
			return false
		}
	}
	return isHarmless(name) || !isDroppedFromAnswer(strings.ToLower(name))
}

// guardAnswer keeps an answer from what a browser or a cache would make of it.
func guardAnswer(h http.Header) {
	h["X-Content-Type-Options"] = noSniff // the host must not take an answer for a page or script
	keepPrivate(h)
}

// Nobody changes these: they are in many headers at once.
var (
	noSniff = []string{"nosniff"}
	private = []string{"private"}
)

// isDroppedFromAnswer: a cookie or policy would hold for the host's origin, reports would go to
// the service, who may read across origins is the host's to say, what is for a proxy is not for the
// client, and the last few are orders to a web server on the way (nginx and others) to send something else.
func isDroppedFromAnswer(name string) bool {
	switch name {
	case "set-cookie", "set-cookie2", "clear-site-data", "strict-transport-security", "alt-svc",
		"public-key-pins", "public-key-pins-report-only", "expect-ct", "service-worker-allowed",
		"nel", "report-to", "reporting-endpoints",
		"proxy-authenticate", "proxy-authorization", "proxy-connection",
		"x-sendfile", "x-lighttpd-send-file", "x-litespeed-location", "x-reproxy-url":
		return true
	}
	plain := strings.Map(dashed, name)
	return hasAnyPrefix(plain, "blink-", "linkgate-", "access-control-", "x-accel-")
}

// repeats tells that a header's value has the token in it, as it is or encoded for a URL.
func repeats(value, token string) bool {
	if token == "" || len(value) < len(token) { // encoding makes it longer
		return false
	}
	for range maxDecodings {
		if strings.Contains(value, token) {
			return true
		}
		if !strings.Contains(value, "%") {
			return false
		}
		value = unescape(value)
	}
	return strings.Contains(value, token)
}

// dashed spells a header's name in one way.
func dashed(r rune) rune {
	if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' {
		return r
	}
	return '-'
}

// keepPrivate keeps one user's answer from another. A cache between us and the user does not see that
// the request was authorised by a credential, which would have told it so (RFC 9111 §3.5).
func keepPrivate(h http.Header) {
	values := h["Cache-Control"]
	if len(values) == 0 {
		h["Cache-Control"] = private
		return
	}
	said := strings.ToLower(strings.Join(values, ","))
	for _, directive := range []string{"private", "no-store", "public", "must-revalidate", "s-maxage"} {
		if strings.Contains(said, directive) {
			return
		}
	}
	h.Add("Cache-Control", "private")
}
