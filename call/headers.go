package call

import (
	"net/http"
	"slices"
	"strings"

	"linkgate/provider"
)

// stripRequest takes out of a user's request what must not reach the service: other credentials,
// what the host tells us, where the request has been on its way, and what would make another
// request of it than the one that was allowed.
func stripRequest(h http.Header, c provider.Connection) {
	ours := strings.ToLower(c.Credential.Header)
	for name := range h {
		if isHarmless(name) && ours == "" {
			continue
		}
		if n := strings.ToLower(name); n == ours || !isPlainName(n) || isDroppedFromRequest(n) {
			delete(h, name)
		}
	}
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

// stripAnswer takes out of a service's answer what is meant for the service's own origin, for a
// browser may meet the answer at the host's, and whatever repeats the access token.
func stripAnswer(h http.Header, credential provider.Credential) {
	token := credential.AccessToken.Reveal()
	for name, values := range h {
		repeated := slices.ContainsFunc(values, func(value string) bool { return repeats(value, token) })
		if repeated || !isHarmless(name) && isDroppedFromAnswer(strings.ToLower(name)) {
			delete(h, name)
		}
	}
	h["X-Content-Type-Options"] = []string{"nosniff"} // the host must not take an answer for a page or script
}

// isDroppedFromAnswer: a cookie or policy would hold for the host's origin, reports would go to
// the service, who may read across origins is the host's to say, and the last few are orders to a
// web server on the way (nginx and others) to send something else.
func isDroppedFromAnswer(name string) bool {
	switch name {
	case "set-cookie", "set-cookie2", "clear-site-data", "strict-transport-security", "alt-svc",
		"public-key-pins", "public-key-pins-report-only", "expect-ct", "service-worker-allowed",
		"nel", "report-to", "reporting-endpoints",
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
	said := strings.ToLower(strings.Join(h["Cache-Control"], ","))
	for _, directive := range []string{"private", "no-store", "public", "must-revalidate", "s-maxage"} {
		if strings.Contains(said, directive) {
			return
		}
	}
	h.Add("Cache-Control", "private")
}
