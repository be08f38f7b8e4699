package appproxy

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestWhatTheAppGets: the request as the client sent it, its path behind the one of the URL.
func TestWhatTheAppGets(t *testing.T) {
	for _, tc := range []struct{ base, target, want string }{
		{"", "/", "/"},
		{"/", "/x", "/x"},
		{"", "/cards/7/click?x=1&x=2", "/cards/7/click?x=1&x=2"},
		{"/base", "/", "/base/"},
		{"/base/", "/x/", "/base/x/"},
		{"/ba%2Fse", "/x%2Fy%20z/%C3%A9", "/ba%2Fse/x%2Fy%20z/%C3%A9"},
		{"/base", "//auth/x", "/base//auth/x"},
		{"", "//host.example/x", "//host.example/x"},
		{"", "/AUTH/x;y=1", "/AUTH/x;y=1"},
		{"", "/x?", "/x?"},
		{"", "/x?a;b=%zz&q=%20+", "/x?a;b=%zz&q=%20+"}, // httputil would clean it
		{"", "/x?u=https://other.example/../y", "/x?u=https://other.example/../y"},
		{"", "http://other.example/x?y", "/x?y"},
		{"", "/...", "/..."},
		{"", "/%41%7e", "/%41%7e"},
	} {
		t.Run(tc.base+" "+tc.target, func(t *testing.T) {
			w := newWorld(t, tc.base, nil)
			if response, body := w.get(tc.target); response.StatusCode != 200 || body != "ok" {
				t.Fatalf("got %d %q, want 200 ok; %v", response.StatusCode, body, w.errors)
			}
			if got := w.one(); got.target != tc.want || got.host != w.proxy.base.Host {
				t.Errorf("got %q at host %q, want %q at %q", got.target, got.host, tc.want, w.proxy.base.Host)
			}
		})
	}
}

func TestMethodHeadersAndBodyStay(t *testing.T) {
	w := newWorld(t, "", nil)
	w.raw("BREW /pot HTTP/1.1\r\nHost: h\r\nAuthorization: Basic eA==\r\nCookie: a=b\r\nX-Custom: 1\r\nX-Custom: 2\r\n" +
		"Content-Type: text/x\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
	got := w.one()
	if got.method != "BREW" || got.body != "hello" {
		t.Errorf("got %s %q, want BREW hello", got.method, got.body)
	}
	for name, want := range map[string][]string{
		"Authorization": {"Basic eA=="}, "Cookie": {"a=b"}, "X-Custom": {"1", "2"}, "Content-Type": {"text/x"},
		"Linkgate-User-Id": {"alice"}, "User-Agent": nil, "X-Forwarded-For": nil, "Accept-Encoding": nil,
	} {
		if diff := cmp.Diff(want, got.header[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestRefusedRequests(t *testing.T) {
	for _, tc := range []struct {
		line string
		want error
	}{
		{"GET /.. HTTP/1.1", ErrBadPath},
		{"GET /../secrets HTTP/1.1", ErrBadPath},
		{"GET /x/../../secrets HTTP/1.1", ErrBadPath},
		{"GET /x/%2e%2E/y HTTP/1.1", ErrBadPath},
		{"GET /x%2f..%2fy HTTP/1.1", ErrBadPath},
		{"GET /x/./y HTTP/1.1", ErrBadPath},
		{`GET /x\..\y HTTP/1.1`, ErrBadPath},
		{"GET /x%5c..%5cy HTTP/1.1", ErrBadPath},
		{"GET /x/..;v=1/y HTTP/1.1", ErrBadPath},
		{`GET /a"b%2fc HTTP/1.1`, ErrBadPath}, // Go would decode the slash
		{"GET /a#b HTTP/1.1", ErrBadPath},
		{"GET http://other.example HTTP/1.1", ErrBadPath},
		{"GET http://other.example/../x HTTP/1.1", ErrBadPath},
		{"GET mailto:x HTTP/1.1", ErrBadPath},
		{"GET * HTTP/1.1", ErrBadPath},
		{"TRACE / HTTP/1.1", ErrMethod},
		{"CONNECT /x HTTP/1.1", ErrMethod},
		{"CONNECT 127.0.0.1:22 HTTP/1.1", ErrMethod},
		{"GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: \xe9", ErrBadRequest},
	} {
		t.Run(tc.line, func(t *testing.T) {
			w := newWorld(t, "/base", nil)
			response, _ := w.raw(tc.line + "\r\nHost: h\r\n\r\n")
			if len(w.seen) > 0 {
				t.Errorf("got %d requests at the app, want none", len(w.seen))
			}
			if tc.want == nil { // net/http refuses it before us
				if response.StatusCode != http.StatusBadRequest {
					t.Errorf("got %d, want 400", response.StatusCode)
				}
				return
			}
			if err := w.err(); !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
		})
	}
}

func TestAppsThatFail(t *testing.T) {
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	abort := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	for _, tc := range []struct {
		name   string
		app    http.HandlerFunc
		change func(*Options)
		want   error
	}{
		{"nobody listens", nil, func(o *Options) { o.URL = "http://" + closedAddress(t) }, ErrUnavailable},
		{"no such name", nil, func(o *Options) { o.URL = "http://app.invalid" }, ErrUnavailable},
		{"not TLS", nil, func(o *Options) { o.URL = strings.Replace(o.URL, "http:", "https:", 1) }, ErrUnavailable},
		{"breaks off", abort, nil, ErrUnavailable},
		{"speaks no HTTP", func(rw http.ResponseWriter, r *http.Request) {
			conn, _, _ := http.NewResponseController(rw).Hijack()
			io.WriteString(conn, r.Header.Get("Linkgate-User-Id")+"-said-the-app\r\n\r\n")
			conn.Close()
		}, nil, ErrUnavailable},
		{"hangs", func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-hang:
			case <-r.Context().Done():
			}
		}, func(o *Options) { o.HeaderTimeout = 50 * time.Millisecond }, ErrTimeout},
		{"switches unasked", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Upgrade", "spdy")
			w.WriteHeader(http.StatusSwitchingProtocols)
		}, nil, ErrUnavailable},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, "", tc.app, func(o *Options) {
				if tc.change != nil {
					tc.change(o)
				}
			})
			if response, body := w.get("/x"); response.StatusCode != 599 || body != "" || len(response.Header["Server"]) > 0 {
				t.Errorf("got %d %q, want nothing written by the proxy", response.StatusCode, body)
			}
			if err := w.err(); !errors.Is(err, tc.want) || strings.Contains(err.Error(), "alice") {
				t.Errorf("got %v, want %v and no word of the app's", err, tc.want)
			}
		})
	}
}

func TestWhyThereIsNoConnection(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	for _, cause := range []error{syscall.ECONNREFUSED, os.ErrDeadlineExceeded} {
		p := &passage{sent: true}
		p.fail(nil, r, &net.OpError{Op: "dial", Net: "tcp", Err: cause})
		if !errors.Is(p.err, ErrUnavailable) || !errors.Is(p.err, cause) {
			t.Errorf("got %v, want ErrUnavailable: the app has not begun to do anything; and %v", p.err, cause)
		}
	}
}

func TestUntrustedCertificateIsNamed(t *testing.T) {
	app := httptest.NewUnstartedServer(http.NotFoundHandler())
	app.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	app.StartTLS()
	defer app.Close()
	w := newWorld(t, "", nil, func(o *Options) { o.URL = app.URL })
	w.get("/")
	if err := w.err(); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("got %v", err)
	}
}

// closedAddress is one where nobody listens.
func closedAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestBrokenBodyIsNotTheAppsFault(t *testing.T) {
	for _, body := range []string{"5\r\nhello\r\nnonsense\r\n", "5\r\nhello\r\n0\r\nnonsense\r\n\r\n"} {
		w := newWorld(t, "", nil)
		w.raw("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
		if err := w.err(); !errors.Is(err, ErrBadRequest) || strings.Contains(err.Error(), "nonsense") {
			t.Errorf("got %v, want ErrBadRequest and no word of the client's", err)
		}
	}
}

func TestClientThatLeaves(t *testing.T) {
	arrived := make(chan struct{})
	w := newWorld(t, "", func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	r, _ := http.NewRequestWithContext(ctx, "GET", w.front.URL, nil)
	if _, err := http.DefaultClient.Do(r); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want to have left", err)
	}
	if err := w.proxy.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.front.Close() // waits for the handler
	if err := w.err(); !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v, want that the client has left", err)
	}
}

func TestRedirectsAreReturned(t *testing.T) {
	w := newWorld(t, "", func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, "http://other.example/", http.StatusTemporaryRedirect)
	})
	if response, _ := w.get("/"); response.StatusCode != 307 || response.Header.Get("Location") != "http://other.example/" {
		t.Errorf("got %d to %q", response.StatusCode, response.Header.Get("Location"))
	}
}

func TestAnswersCannotSpeakForLinkgate(t *testing.T) {
	w := newWorld(t, "", func(rw http.ResponseWriter, _ *http.Request) {
		for _, name := range []string{"Linkgate-Error", "linkgate_error", "LINKGATE-X", "Set-Cookie", "X-Request-Id"} {
			rw.Header()[name] = []string{"theirs"}
		}
		rw.WriteHeader(http.StatusTeapot)
	})
	response, _ := w.get("/")
	if response.StatusCode != http.StatusTeapot || response.Header.Get("Set-Cookie") != "theirs" || response.Header.Get("X-Request-Id") != "theirs" {
		t.Errorf("got %d %v, want the app's own answer", response.StatusCode, response.Header)
	}
	for name := range response.Header {
		if strings.Contains(strings.ToLower(name), "linkgate") {
			t.Errorf("got %s of the app's", name)
		}
	}
}

func TestWait(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	w := newWorld(t, "", func(rw http.ResponseWriter, _ *http.Request) {
		io.WriteString(rw, "first")
		http.NewResponseController(rw).Flush()
		close(arrived)
		<-release
	})
	if err := w.proxy.Wait(t.Context()); err != nil {
		t.Errorf("got %v with nothing under way", err)
	}
	response, err := http.Get(w.front.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	<-arrived
	ended, cancel := context.WithTimeout(t.Context(), 60*time.Millisecond)
	defer cancel()
	if err := w.proxy.Wait(ended); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v with an answer under way", err)
	}
	close(release)
	if err := w.proxy.Wait(t.Context()); err != nil {
		t.Errorf("got %v", err)
	}
}
