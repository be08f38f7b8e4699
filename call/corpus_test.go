package call

import (
	"io"
	"net"
	"os"
	stdpath "path"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tripwire listens where nobody has any business.
type tripwire struct {
	listener net.Listener
	touched  atomic.Int64
}

func newTripwire(t *testing.T) *tripwire {
	t.Helper()
	w := &tripwire{listener: listen(t)}
	go func() {
		for {
			conn, err := w.listener.Accept()
			if err != nil {
				return
			}
			w.touched.Add(1)
			conn.Close()
		}
	}()
	return w
}

func (w *tripwire) host() string { return w.listener.Addr().String() }

// check fails if anybody has been there, and if it would not notice.
func (w *tripwire) check(t *testing.T) {
	t.Helper()
	if n := w.touched.Load(); n != 0 {
		t.Errorf("another host got %d connections", n)
	}
	conn, err := net.Dial("tcp", w.host())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.ReadAll(conn) // until it has been accepted and closed
	if w.touched.Load() == 0 {
		t.Error("the tripwire does not notice a connection")
	}
}

// lastOf are the ways to say that a request is the last of its connection. Without Connection in its
// header a request takes another way through ReverseProxy.
var lastOf = []struct{ version, header string }{{"HTTP/1.1", "Connection: close\r\n"}, {"HTTP/1.0", ""}}

// TestCorpusOfPaths sends every path of the corpus, by itself and below what is allowed, as a path
// and as the address of another host. Nothing but what is allowed arrives, and that as it was sent.
func TestCorpusOfPaths(t *testing.T) {
	service, elsewhere := newRawService(t, nil), newTripwire(t)
	w := service.before(t, "GET /pub/**")
	arrived := 0
	for _, e := range corpus(t, "paths.txt", 150) {
		verdict, rest, _ := strings.Cut(e.text, " ")
		escaped, _ := quotedPrefix(t, e, rest)
		for _, front := range []string{"", "/pub", "http://" + elsewhere.host(), "http://" + elsewhere.host() + "/pub", "http://user:hunter2@" + elsewhere.host() + "/pub"} {
			for _, last := range lastOf {
				w.raw("GET " + front + escaped + " " + last.version + "\r\nHost: " + elsewhere.host() + "\r\n" + last.header + "\r\n")
				requests := service.take()
				arrived += len(requests)
				for _, r := range requests {
					checkAllowed(t, r)
				}
				if verdict == "ok" && strings.HasSuffix(front, "/pub") && (len(requests) != 1 || requests[0].target != "/base/pub"+escaped) {
					t.Errorf("line %d: GET %s%s arrives as %q", e.line, front, escaped, requests)
				}
			}
		}
	}
	if arrived < 200 {
		t.Errorf("%d requests have arrived: this tests little", arrived)
	}
	elsewhere.check(t)
}

// checkAllowed holds a request to the rules, whatever a service makes of its path.
func checkAllowed(t *testing.T, r rawRequest) {
	t.Helper()
	for _, text := range understandings(r.target) {
		if clean := stdpath.Clean(text); !under(clean, "/base/pub") {
			t.Errorf("%s %s arrives, which can be taken for %s", r.method, r.target, clean)
		}
	}
	if diff := cmp.Diff([]string{"Bearer " + theToken}, r.header["Authorization"]); diff != "" {
		t.Errorf("%s: credential (-want +got):\n%s", r.target, diff)
	}
}

// TestMethodsAndTargets: forms of a request line other than the usual one, and methods.
func TestMethodsAndTargets(t *testing.T) {
	service, elsewhere := newRawService(t, nil), newTripwire(t)
	w := service.before(t, "GET /pub/**", "* /any/**")
	for line, want := range map[string]string{
		"GET /pub/x":                           "GET /base/pub/x",
		"HEAD /pub/x":                          "HEAD /base/pub/x",
		"PROPFIND /any/x":                      "PROPFIND /base/any/x",
		"GET /pub/x?a#b":                       "",
		"GET /pub/x?a=1&_method=DELETE&b=%20":  "GET /base/pub/x?a=1&b=%20",
		"GET /pub/x?_%6dethod=DELETE":          "GET /base/pub/x",
		"GET /pub/x?b=2;c&a=%zz":               "GET /base/pub/x?b=2;c&a=%zz",
		"POST /pub/x":                          "",
		"get /pub/x":                           "",
		"OPTIONS *":                            "",
		"OPTIONS /pub/x":                       "",
		"OPTIONS http://evil.example":          "",
		"CONNECT " + elsewhere.host():          "",
		"CONNECT /any/x":                       "",
		"TRACE /any/x":                         "",
		"trace /any/x":                         "",
		"TRACK /pub/x":                         "",
		"PRI *":                                "",
		"GET pub/x":                            "",
		"GET //" + elsewhere.host() + "/pub/x": "",
		"GET " + elsewhere.host() + "/pub/x":   "",
		"GET https://" + elsewhere.host():      "",
		"GET file:///pub/x":                    "GET /base/pub/x", // with no path but this
		"GET mailto:/pub/x":                    "GET /base/pub/x",
		"GET @" + elsewhere.host() + "/pub/x":  "",
		"GET /pub/x HTTP/1.1 /any":             "",
		"GET  /pub/x":                          "",
		"GET\t/pub/x":                          "",
	} {
		w.raw(line + " HTTP/1.1\r\nHost: " + elsewhere.host() + "\r\nConnection: close\r\n\r\n")
		got := ""
		for _, r := range service.take() {
			got += r.method + " " + r.target
		}
		if got != want {
			t.Errorf("%q: want %q at the service, got %q", line, want, got)
		}
	}
	elsewhere.check(t)
}

// TestCorpusOfHeaders sends every header of the corpus that must not reach the service, with
// Connection headers that name it, the credential's own and what frames the message.
func TestCorpusOfHeaders(t *testing.T) {
	const stolen = "st0len-by-the-client"
	service, elsewhere := newRawService(t, nil), newTripwire(t)
	w := service.before(t, "GET /pub/**", "POST /pub/**")
	arrived := 0
	for _, set := range headerSets(t, "request_headers.txt", 60) {
		for name := range set.given {
			if _, stays := set.want[name]; stays || set.credential != "" || strings.EqualFold(name, "Host") {
				continue
			}
			for _, connection := range connectionTricks(name) {
				for _, last := range lastOf {
					if last.header == "" && strings.Contains(connection, "onnection: keep-alive") {
						continue // it would not be the last
					}
					w.raw("POST /pub/x " + last.version + "\r\nHost: " + elsewhere.host() + "\r\n" + name + ": " + stolen + "\r\n" +
						connection + "\r\nContent-Length: 4\r\n" + last.header + "\r\nbody")
					requests := service.take()
					arrived += len(requests)
					checkClean(t, name+" with "+connection+" in "+last.version, stolen, requests)
				}
			}
		}
	}
	if arrived < 800 {
		t.Errorf("%d requests have arrived: this tests little", arrived)
	}
	elsewhere.check(t)
}

func connectionTricks(name string) []string {
	return []string{
		"X-Nothing: x",
		"Keep-Alive: " + name + "\r\nUpgrade: h2c\r\nTrailer: Authorization\r\nProxy-Connection: Authorization",
		"Connection: " + name,
		"Connection: Authorization, Host, Content-Length, Transfer-Encoding, " + name,
		"connection:\tauthorization\r\nCONNECTION: ,,authorization ,",
		"Keep-Alive: timeout=5\r\nConnection: keep-alive, Authorization\r\nTe: trailers, chunked\r\nProxy-Connection: Authorization",
	}
}

// checkClean: a request may be refused for its form; if it arrives, then whole, with our credential
// and nothing of the client's.
func checkClean(t *testing.T, what, stolen string, requests []rawRequest) {
	t.Helper()
	if len(requests) > 1 {
		t.Errorf("%s: arrives %d times", what, len(requests))
	}
	for _, r := range requests {
		checkAllowed(t, r)
		if strings.Contains(r.head, stolen) || r.body != "body" {
			t.Errorf("%s: arrives as %q with %q", what, r.head, r.body)
		}
	}
}

// TestCorporaAreWhole: each corpus is read by a test; one that nobody reads tests nothing.
func TestCorporaAreWhole(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	sources, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, source := range sources {
		text, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	for _, file := range files {
		if !strings.Contains(all.String(), `"`+filepath.Base(file)+`"`) {
			t.Errorf("no test reads %s", file)
		}
	}
}
