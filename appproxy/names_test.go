package appproxy

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// spellings are ways to write a header's name that some server or framework takes for the same.
func spellings(name string) []string {
	all := map[string]bool{}
	for _, cased := range []string{name, strings.ToUpper(name), http.CanonicalHeaderKey(name), alternating(name, 0), alternating(name, 1)} {
		for _, sign := range "-_.~!#$%&'*+^`|" {
			all[strings.ReplaceAll(cased, "-", string(sign))] = true
			all[strings.Replace(cased, "-", string(sign), 1)] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

func alternating(s string, odd int) string {
	b := []byte(strings.ToLower(s))
	for i := odd; i < len(b); i += 2 {
		b[i] = strings.ToUpper(string(b[i]))[0]
	}
	return string(b)
}

// cgi is what CGI (RFC 3875 §4.1.18) and its heirs make of a header's name.
func cgi(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, strings.ToUpper(name))
}

// TestForgedHeaders sends each name in every spelling, and none may be seen by the app.
func TestForgedHeaders(t *testing.T) {
	w := newWorld(t, "", nil, func(o *Options) { o.Inject = []string{"7f3c"} })
	total := 0
	for _, name := range []string{
		"blink-auth-proxysecret", "blink-auth-userid", "blink-anything", "linkgate-user-id", "linkgate-token-7f3c",
		"linkgate-token-error-7f3c", "linkgate-token-other", "linkgate-account", "webhook-id", "webhook-timestamp",
		"webhook-signature", "forwarded", "x-forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto",
		"x-forwarded-user", "x-forwarded-prefix", "forwarded-for", "x-real-ip", "true-client-ip", "cf-connecting-ip",
		"x-cluster-client-ip", "client-ip", "x-original-url", "x-rewrite-url", "remote-user",
	} {
		all := spellings(name)
		total += len(all)
		lines := make([]string, 0, len(all))
		for _, spelling := range all {
			lines = append(lines, spelling+": forged-value")
		}
		for chunk := range slices.Chunk(lines, 40) {
			if response, _ := w.get("/", chunk...); response.StatusCode != 200 {
				t.Fatalf("%s: got %d", name, response.StatusCode)
			}
		}
	}
	if total < 500 || len(w.seen) < 27 {
		t.Fatalf("only %d spellings in %d requests", total, len(w.seen))
	}
	for _, got := range w.seen {
		for name, values := range got.header {
			if slices.ContainsFunc(values, func(v string) bool { return strings.Contains(v, "forged") }) {
				t.Errorf("the app got %s: %v", name, values)
			}
		}
		if !slices.Equal(got.header["Linkgate-User-Id"], []string{"alice"}) ||
			!slices.Equal(got.header["Linkgate-Token-7f3c"], []string{"token-of-alice-at-7f3c"}) || len(got.header["Webhook-Id"]) != 1 {
			t.Errorf("got %v, want what is true", got.header)
		}
	}
}

// TestTheProxySecretNeverReachesTheApp: in no spelling of its header, in no trailer.
func TestTheProxySecretNeverReachesTheApp(t *testing.T) {
	const hush = "proxy-secret-of-the-host"
	w := newWorld(t, "", nil)
	all := spellings("blink-auth-proxysecret")
	if len(all) < 60 {
		t.Fatalf("only %d spellings", len(all))
	}
	for _, name := range all {
		w.raw("POST / HTTP/1.1\r\nHost: h\r\n" + name + ": " + hush + "\r\nTransfer-Encoding: chunked\r\nTrailer: " + name + ", X-Sum\r\n" +
			"Connection: close, " + name + "\r\n\r\n1\r\nx\r\n0\r\n" + name + ": " + hush + "\r\nX-Sum: 7\r\n\r\n")
	}
	if len(w.seen) != len(all) {
		t.Fatalf("the app has seen %d requests of %d: %v", len(w.seen), len(all), w.errors)
	}
	for i, got := range w.seen {
		if everything := fmt.Sprint(got); strings.Contains(everything, hush) {
			t.Errorf("%s: the app got the secret: %s", all[i], everything)
		}
		if got.trailer.Get("X-Sum") != "7" {
			t.Errorf("%s: got trailers %v, want X-Sum", all[i], got.trailer)
		}
	}
}

// TestConnectionCannotDrop: a client names in Connection what the app must get.
func TestConnectionCannotDrop(t *testing.T) {
	w := newWorld(t, "", nil, func(o *Options) { o.Inject = []string{"7f3c"} })
	w.get("/", "Connection: Linkgate-User-Id, webhook-id, webhook-timestamp, webhook-signature, linkgate-token-7f3c, X-Hop", "X-Hop: 1",
		"Keep-Alive: 5", "Proxy-Authorization: Basic eA==", "TE: gzip", "Proxy-Connection: close")
	got := w.one().header
	for _, name := range []string{"Linkgate-User-Id", "Linkgate-Token-7f3c", "Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"} {
		if len(got[name]) != 1 {
			t.Errorf("got %s %v, want it once", name, got[name])
		}
	}
	for _, name := range []string{"X-Hop", "Keep-Alive", "Proxy-Authorization", "Proxy-Connection", "Te"} {
		if len(got[name]) > 0 {
			t.Errorf("got %s %v, which is for one hop", name, got[name])
		}
	}
}

// TestOnlyWebSocketIsSwitchedTo: in an h2c connection a client could say anything to the app.
func TestOnlyWebSocketIsSwitchedTo(t *testing.T) {
	for _, tc := range []struct {
		lines []string
		want  bool
	}{
		{[]string{"Connection: Upgrade", "Upgrade: websocket"}, true},
		{[]string{"Connection: upgrade", "Upgrade: WebSocket"}, true},
		{[]string{"Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"}, false},
		{[]string{"Connection: Upgrade", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"}, false},
		{[]string{"Connection: Upgrade", "Upgrade: websocket, h2c"}, false},
		{[]string{"Connection: Upgrade", "Upgrade: h2c", "Upgrade: websocket"}, false},
		{[]string{"Connection: Upgrade", "Upgrade: TLS/1.3"}, false},
		{[]string{"Connection: Upgrade", "Upgrade: foo"}, false},
		{[]string{"Upgrade: h2c"}, false},
	} {
		w := newWorld(t, "", nil)
		w.raw("GET / HTTP/1.1\r\nHost: h\r\n" + strings.Join(tc.lines, "\r\n") + "\r\n\r\n")
		got := w.one().header
		if asked := len(got["Upgrade"]) > 0 || len(got["Connection"]) > 0 || len(got["Http2-Settings"]) > 0; asked != tc.want {
			t.Errorf("%q: got %v, want an upgrade %v", tc.lines, got, tc.want)
		}
	}
}

// FuzzForgeable: nothing that CGI takes for one of ours gets through.
func FuzzForgeable(f *testing.F) {
	for _, seed := range []string{"Linkgate-User-Id", "linkgate_user_id", "Blink.Auth-Userid", "X-Forwarded-For", "Accept", "X-Linkgate"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		reserved := false
		for _, prefix := range []string{"BLINK_", "LINKGATE_", "WEBHOOK_", "X_FORWARDED_"} {
			reserved = reserved || strings.HasPrefix(cgi(name), prefix)
		}
		if reserved && !isForgeable(name) {
			t.Errorf("%q gets through", name)
		}
	})
}
