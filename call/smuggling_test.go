package call

import (
	"strings"
	"sync"
	"testing"
)

// hidden is what the attacks try to have taken for a request of its own. Sent as one, it would be
// refused: it is outside the rules. In a body it is harmless.
const hidden = "GET /base/admin/smuggled HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

// smuggling are bytes in which one server can see other requests than another (RFC 9112 §11.2).
func smuggling() map[string]string {
	post := func(headers, body string) string {
		return "POST /pub/x HTTP/1.1\r\nHost: h\r\n" + headers + "\r\n" + body
	}
	const chunked = "Transfer-Encoding: chunked\r\n"
	end := "0\r\n\r\n"
	return map[string]string{
		// Two lengths.
		"length, then chunked":             post("Content-Length: 6\r\n"+chunked, end+hidden),
		"chunked, then length":             post(chunked+"Content-Length: 6\r\n", end+hidden),
		"length of all, and chunked":       post("Content-Length: 200\r\n"+chunked, end+hidden),
		"length 0, and chunked":            post("Content-Length: 0\r\n"+chunked, end+hidden),
		"lengths that differ":              post("Content-Length: 0\r\nContent-Length: 60\r\n", hidden),
		"lengths that differ, turned":      post("Content-Length: 60\r\nContent-Length: 0\r\n", hidden),
		"lengths that agree":               post("Content-Length: 4\r\nContent-Length: 4\r\n", "body"+hidden),
		"a list of lengths":                post("Content-Length: 4, 60\r\n", "body"+hidden),
		"a list of one length":             post("Content-Length: 4, 4\r\n", "body"+hidden),
		"length with plus":                 post("Content-Length: +4\r\n", "body"+hidden),
		"length with minus":                post("Content-Length: -1\r\n", hidden),
		"length in hexadecimal":            post("Content-Length: 0x4\r\n", "body"+hidden),
		"length with underscore":           post("Content-Length: 1_0\r\n", hidden),
		"length in other digits":           post("Content-Length: ４\r\n", "body"+hidden),
		"length empty":                     post("Content-Length:\r\n", hidden),
		"length too large":                 post("Content-Length: 18446744073709551620\r\n", "body"+hidden),
		"length under another name":        post("Content_Length: 60\r\nContent-Length: 0\r\n", hidden),
		"length named in Connection":       post("Content-Length: 70\r\nConnection: Content-Length\r\n", hidden+strings.Repeat("x", 30)),
		"coding named in Connection":       post(chunked+"Connection: Transfer-Encoding\r\n", "4\r\nbody\r\n"+end+hidden),
		"length named in Connection, GET":  "GET /pub/x HTTP/1.1\r\nHost: h\r\nConnection: Content-Length\r\nContent-Length: 60\r\n\r\n" + hidden,
		"length without body, GET":         "GET /pub/x HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody" + hidden,
		"chunked GET":                      "GET /pub/x HTTP/1.1\r\nHost: h\r\n" + chunked + "\r\n4\r\nbody\r\n" + end + hidden,
		"HEAD with a body":                 "HEAD /pub/x HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody" + hidden,
		"length after a body that is none": post("", hidden),

		// Codings that one server knows and another doesn't.
		"coding twice":                   post(chunked+chunked, end+hidden),
		"coding twice, one unknown":      post(chunked+"Transfer-Encoding: x\r\n", end+hidden),
		"unknown coding":                 post("Transfer-Encoding: xchunked\r\nContent-Length: 6\r\n", end+hidden),
		"chunked, identity":              post("Transfer-Encoding: chunked, identity\r\nContent-Length: 6\r\n", end+hidden),
		"identity, chunked":              post("Transfer-Encoding: identity, chunked\r\nContent-Length: 6\r\n", end+hidden),
		"gzip, chunked":                  post("Transfer-Encoding: gzip, chunked\r\nContent-Length: 6\r\n", end+hidden),
		"coding in quotes":               post("Transfer-Encoding: \"chunked\"\r\nContent-Length: 6\r\n", end+hidden),
		"coding in capitals":             post("Transfer-Encoding: CHUNKED\r\nContent-Length: 6\r\n", end+hidden),
		"coding with a tab":              post("Transfer-Encoding:\tchunked\r\nContent-Length: 6\r\n", end+hidden),
		"coding with a vertical tab":     post("Transfer-Encoding:\x0bchunked\r\nContent-Length: 6\r\n", end+hidden),
		"coding with a NUL":              post("Transfer-Encoding: chunked\x00\r\nContent-Length: 6\r\n", end+hidden),
		"coding with a parameter":        post("Transfer-Encoding: chunked;q=1\r\nContent-Length: 6\r\n", end+hidden),
		"blank before the colon":         post("Transfer-Encoding : chunked\r\nContent-Length: 6\r\n", end+hidden),
		"blank before the name":          post(" Transfer-Encoding: chunked\r\nContent-Length: 6\r\n", end+hidden),
		"blank before the first name":    "POST /pub/x HTTP/1.1\r\n Transfer-Encoding: chunked\r\nHost: h\r\nContent-Length: 6\r\n\r\n" + end + hidden,
		"coding under another name":      post("Transfer_Encoding: chunked\r\nContent-Length: 6\r\n", end+hidden),
		"coding behind a bare CR":        post("X: y\rTransfer-Encoding: chunked\r\nContent-Length: 6\r\n", end+hidden),
		"coding behind a bare LF":        post("X: y\nTransfer-Encoding: chunked\r\nContent-Length: 6\r\n", end+hidden),
		"coding in HTTP/1.0":             "POST /pub/x HTTP/1.0\r\nHost: h\r\n" + chunked + "Content-Length: 6\r\n\r\n" + end + hidden,
		"coding announced by TE":         post("Te: chunked\r\nContent-Length: 6\r\n", end+hidden),
		"coding announced by Connection": post("Connection: keep-alive, Te\r\nTe: trailers\r\n"+chunked, end+hidden),

		// Folded lines (obs-fold).
		"folded coding":        post("Transfer-Encoding:\r\n chunked\r\nContent-Length: 6\r\n", end+hidden),
		"folded with a tab":    post("Transfer-Encoding:\r\n\tchunked\r\nContent-Length: 6\r\n", end+hidden),
		"coding in a fold":     post("X: y\r\n Transfer-Encoding: chunked\r\nContent-Length: 6\r\n", end+hidden),
		"folded length":        post("Content-Length: \r\n 4\r\n", "body"+hidden),
		"folded authorization": post("X: y\r\n Authorization: Bearer stolen\r\nContent-Length: 4\r\n", "body"+hidden),
		"folded host":          "POST /pub/x HTTP/1.1\r\nHost: h\r\n evil.example\r\nContent-Length: 4\r\n\r\nbody" + hidden,

		// Chunks.
		"chunk extension":                   post(chunked, "4;a=b\r\nbody\r\n"+end+hidden),
		"chunk extension in quotes":         post(chunked, "4;a=\"\r\n0\r\n\r\n\"\r\nbody\r\n"+end+hidden),
		"chunk extension with a bare LF":    post(chunked, "4;a\nbody\r\n"+end+hidden),
		"chunk extension with a bare CR":    post(chunked, "4;a\rx\r\nbody\r\n"+end+hidden),
		"chunk extension without end":       post(chunked, "4;"+strings.Repeat("x", 20_000)+"\r\nbody\r\n"+end+hidden),
		"extension of the last chunk":       post(chunked, "4\r\nbody\r\n0;a=b\r\n\r\n"+hidden),
		"chunk size too large":              post(chunked, "10000000000000004\r\nbody\r\n"+end+hidden),
		"chunk size with minus":             post(chunked, "-4\r\nbody\r\n"+end+hidden),
		"chunk size with plus":              post(chunked, "+4\r\nbody\r\n"+end+hidden),
		"chunk size with 0x":                post(chunked, "0x4\r\nbody\r\n"+end+hidden),
		"chunk size with a blank":           post(chunked, "4 \r\nbody\r\n"+end+hidden),
		"chunk size with underscore":        post(chunked, "0_4\r\nbody\r\n"+end+hidden),
		"chunk size with zeros":             post(chunked, "00000000000000004\r\nbody\r\n"+end+hidden),
		"chunk size ends in a bare LF":      post(chunked, "4\nbody\r\n"+end+hidden),
		"chunk size ends in a bare CR":      post(chunked, "4\rbody\r\n"+end+hidden),
		"chunk longer than its size":        post(chunked, "4\r\nbodyXX\r\n"+end+hidden),
		"chunk shorter than its size":       post(chunked, "9\r\nbody\r\n"+end+hidden),
		"chunk ends in a bare LF":           post(chunked, "4\r\nbody\n"+end+hidden),
		"last chunk ends in a bare LF":      post(chunked, "4\r\nbody\r\n0\n\n"+hidden),
		"no last chunk":                     post(chunked, "4\r\nbody\r\n"+hidden),
		"a request for a chunk":             post(chunked, hidden),
		"trailers that frame":               post(chunked+"Trailer: Content-Length\r\n", "4\r\nbody\r\n0\r\nContent-Length: 60\r\n\r\n"+hidden),
		"trailers that authorise":           post(chunked+"Trailer: Authorization, X-Http-Method-Override\r\n", "4\r\nbody\r\n0\r\nAuthorization: Bearer stolen\r\nX-Http-Method-Override: DELETE\r\n\r\n"+hidden),
		"trailers that nobody has promised": post(chunked, "4\r\nbody\r\n0\r\nAuthorization: Bearer stolen\r\nBlink-Auth-Userid: u2\r\n\r\n"+hidden),
		"trailers that fold":                post(chunked+"Trailer: X\r\n", "4\r\nbody\r\n0\r\nX: y\r\n Authorization: Bearer stolen\r\n\r\n"+hidden),
		"trailers without end":              post(chunked, "4\r\nbody\r\n0\r\nX: y\r\n"+hidden),

		// Requests behind requests.
		"pipelined":                 post("Content-Length: 4\r\n", "body"+hidden),
		"pipelined to the same":     post("Content-Length: 4\r\n", "body") + post("Content-Length: 4\r\n", "body"),
		"expected and sent at once": post("Expect: 100-continue\r\nContent-Length: 4\r\n", "body"+hidden),
		"expected and not sent":     post("Expect: 100-continue\r\nContent-Length: 60\r\n", ""),
		"expects something else":    post("Expect: 200-ok\r\nContent-Length: 4\r\n", "body"+hidden),
		"upgrade to h2c":            "GET /pub/x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHttp2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + hidden,
		"upgrade that is refused":   "GET /pub/x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-Websocket-Version: 777\r\n\r\n" + hidden,
		"upgrade with a length":     "GET /pub/x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 60\r\n\r\n" + hidden,
		"preface of HTTP/2":         "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + hidden,
		"HTTP/0.9":                  "GET /pub/x\r\n" + hidden,
		"HTTP/1.2":                  "GET /pub/x HTTP/1.2\r\nHost: h\r\n\r\n" + hidden,
		"HTTP/1.1 and more":         "GET /pub/x HTTP/1.1 HTTP/1.1\r\nHost: h\r\n\r\n" + hidden,
		"request line in the path":  "GET /pub/x%20HTTP/1.1%0d%0aHost:%20x%0d%0a%0d%0aGET%20/admin HTTP/1.1\r\nHost: h\r\n\r\n" + hidden,
		"request line in the query": "GET /pub/x?a=%20HTTP/1.1%0d%0a%0d%0aGET%20/base/admin/smuggled HTTP/1.1\r\nHost: h\r\n\r\n" + hidden,
		"request line in a header":  "GET /pub/x HTTP/1.1\r\nHost: h\r\nX: y\r\r\n\rGET /base/admin/smuggled HTTP/1.1\r\n\r\n",
		"bare line feeds":           "GET /pub/x HTTP/1.1\nHost: h\n\n" + hidden,
		"empty lines first":         "\r\n\r\nGET /pub/x HTTP/1.1\r\nHost: h\r\n\r\n" + hidden,
		"two hosts":                 "GET /pub/x HTTP/1.1\r\nHost: h\r\nHost: evil.example\r\n\r\n" + hidden,
		"no host":                   "GET /pub/x HTTP/1.1\r\n\r\n" + hidden,
		"host with a path":          "GET /pub/x HTTP/1.1\r\nHost: h/admin\r\n\r\n" + hidden,
		"host with a blank":         "GET /pub/x HTTP/1.1\r\nHost: h evil.example\r\n\r\n" + hidden,
		"no name before the colon":  "GET /pub/x HTTP/1.1\r\nHost: h\r\n: y\r\n\r\n" + hidden,
		"no colon":                  "GET /pub/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding chunked\r\n\r\n" + hidden,
		"a NUL in a header":         "GET /pub/x HTTP/1.1\r\nHost: h\r\nX: y\x00z\r\n\r\n" + hidden,
	}
}

// TestSmuggling: whatever is sent, the service sees requests without fault, none outside the rules,
// each with our credential, and no more of them than have been allowed.
func TestSmuggling(t *testing.T) {
	type attack struct {
		name, payload string
		service       *rawService
		world         *world
	}
	var attacks []attack
	for name, payload := range smuggling() {
		service := newRawService(t, nil)
		attacks = append(attacks, attack{name, payload, service, service.before(t, "GET /pub/**", "POST /pub/**", "HEAD /pub/**")})
	}
	var sending sync.WaitGroup
	for _, a := range attacks {
		sending.Go(func() { a.world.raw(a.payload) }) // all at once, for some servers wait for more
	}
	sending.Wait()
	arrived := 0
	for _, a := range attacks {
		a.world.front.Close() // waits for what is under way
		requests := a.service.take()
		arrived += len(requests)
		if served := len(a.world.errs); len(requests) > served || len(requests) > strings.Count(a.payload, " /pub/x") {
			t.Errorf("%s: %d requests arrive, and %d were served", a.name, len(requests), served)
		}
		for _, r := range requests {
			checkAllowed(t, r)
			checkUnsmuggled(t, a.name, r)
		}
	}
	if arrived < 30 {
		t.Errorf("%d requests have arrived: this tests little", arrived)
	}
}

// checkUnsmuggled looks for what an attack has tried to bring in.
func checkUnsmuggled(t *testing.T, attack string, r rawRequest) {
	t.Helper()
	if path, _, _ := strings.Cut(r.target, "?"); path != "/base/pub/x" {
		t.Errorf("%s: arrives at %q", attack, path)
	}
	for name, values := range r.header {
		// A fold is undone, and makes one value of two lines (RFC 9112 §5.2).
		if value := strings.Join(values, ", "); strings.Contains(value, "stolen") && name != "X" {
			t.Errorf("%s: arrives with %s: %s", attack, name, value)
		}
	}
	for name, values := range r.trailer {
		if value := strings.Join(values, ", "); name != "X" && value != "" {
			t.Errorf("%s: arrives with %s: %s behind the body", attack, name, value)
		}
	}
}
