package call

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/coder/websocket"

	"linkgate/provider"
)

// echoSocket sends back what comes over a WebSocket, if the credential is right.
func echoSocket(rw http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+theToken {
		rw.WriteHeader(http.StatusForbidden)
		return
	}
	rw.Header().Set("X-Request-Id", "theirs")
	rw.Header().Set("Set-Cookie", "a=b")
	rw.Header().Set("X-Debug", "got "+theToken)
	socket, err := websocket.Accept(rw, r, &websocket.AcceptOptions{Subprotocols: []string{"chat"}})
	if err != nil {
		return
	}
	defer socket.CloseNow()
	for {
		kind, message, err := socket.Read(r.Context())
		if err != nil || socket.Write(r.Context(), kind, message) != nil {
			return
		}
	}
}

// TestWebSocket passes through, longer than any call may take to be answered, and is waited for.
func TestWebSocket(t *testing.T) {
	overTLS := httptest.NewUnstartedServer(http.HandlerFunc(echoSocket))
	overTLS.EnableHTTP2 = true // and yet HTTP/1.1 is spoken for this
	overTLS.StartTLS()
	t.Cleanup(overTLS.Close)
	impatient := func(o *Options, _ *provider.Connection) { o.HeaderTimeout = 400 * time.Millisecond }
	for name, w := range map[string]*world{
		"plain": newWorld(t, echoSocket, impatient),
		"TLS":   worldBefore(t, overTLS, trusting(overTLS, impatient)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w.front.Config.ReadTimeout, w.front.Config.WriteTimeout = 400*time.Millisecond, 400*time.Millisecond
			w.start()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			socket, res, err := websocket.Dial(ctx, w.front.URL, &websocket.DialOptions{Subprotocols: []string{"chat"}})
			if err != nil {
				t.Fatal(err)
			}
			defer socket.CloseNow()
			if socket.Subprotocol() != "chat" || !slices.Equal(res.Header["X-Request-Id"], []string{"ours"}) ||
				res.Header["Set-Cookie"] != nil || res.Header["X-Debug"] != nil {
				t.Errorf("got subprotocol %q and header %v", socket.Subprotocol(), res.Header)
			}
			for i := range 3 {
				want := fmt.Sprint("message ", i)
				if err := socket.Write(ctx, websocket.MessageText, []byte(want)); err != nil {
					t.Fatal(err)
				}
				if _, got, err := socket.Read(ctx); err != nil || string(got) != want {
					t.Fatalf("got %q and %v, want %q", got, err, want)
				}
				time.Sleep(300 * time.Millisecond) // past the server's limits and the service's
			}
			short, end := context.WithTimeout(ctx, 10*time.Millisecond)
			defer end()
			if err := w.proxy.Wait(short); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Wait with a stream under way: %v", err)
			}
			socket.Close(websocket.StatusNormalClosure, "")
			if err := w.proxy.Wait(ctx); err != nil {
				t.Errorf("Wait after it: %v", err)
			}
			if err := w.err(); err != nil {
				t.Errorf("Serve: %v", err)
			}
		})
	}
}

// TestOtherUpgrades: the service is not asked to speak another protocol than WebSocket, and what it
// does unasked is no answer.
func TestOtherUpgrades(t *testing.T) {
	for name, test := range map[string]struct {
		method   string
		body     string
		protocol []string
	}{
		"h2c":                  {"GET", "", []string{"h2c"}},
		"h2c besides":          {"GET", "", []string{"websocket, h2c"}},
		"h2c in another field": {"GET", "", []string{"websocket", "h2c"}},
		"with POST":            {"POST", "", []string{"websocket"}},
		"with a body":          {"GET", "body", []string{"websocket"}},
		"unprintable":          {"GET", "", []string{"web\x80socket"}},
	} {
		t.Run(name, func(t *testing.T) {
			var seen http.Header
			w := newWorld(t, func(_ http.ResponseWriter, r *http.Request) { seen = r.Header.Clone() }, nil).start()
			headers := []string{"Connection", "Upgrade, HTTP2-Settings", "Http2-Settings", "AAMAAABkAAQAAP__"}
			for _, protocol := range test.protocol {
				headers = append(headers, "Upgrade", protocol)
			}
			w.want(http.StatusOK, nil, test.method, "/", test.body, headers...)
			for _, name := range []string{"Upgrade", "Connection", "Http2-Settings"} {
				if values := seen[name]; values != nil {
					t.Errorf("the service saw %s: %q", name, values)
				}
			}
		})
	}
	t.Run("unasked", func(t *testing.T) {
		w := newWorld(t, raw("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"), nil).start()
		w.want(failed, ErrBroken, "GET", "/", "")
	})
	t.Run("another than asked for", func(t *testing.T) {
		w := newWorld(t, raw("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"), nil).start()
		w.want(failed, ErrBroken, "GET", "/", "", "Connection", "Upgrade", "Upgrade", "websocket")
	})
	t.Run("refused", func(t *testing.T) {
		w := newWorld(t, status(http.StatusForbidden), nil).start()
		w.want(http.StatusForbidden, nil, "GET", "/", "", "Connection", "Upgrade", "Upgrade", "websocket")
	})
}

// goneWriter belongs to a client that leaves when protocols are switched.
type goneWriter struct{ http.ResponseWriter }

func (goneWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, other := net.Pipe()
	conn.Close()
	other.Close()
	return conn, bufio.NewReadWriter(bufio.NewReader(conn), bufio.NewWriter(conn)), nil
}

// TestClientGoneAtUpgrade: once the connection is taken over, no error can be answered.
func TestClientGoneAtUpgrade(t *testing.T) {
	w := newWorld(t, raw("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"), nil)
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "websocket")
	defer func() {
		if got := recover(); got != http.ErrAbortHandler { //nolint:errorlint // net/http compares it like this
			t.Errorf("got %v, want a panic with http.ErrAbortHandler", got)
		}
	}()
	err := w.proxy.Serve(goneWriter{httptest.NewRecorder()}, r, Target{HostUserID: theUser, AuthID: theAuthID, Path: "/"})
	t.Errorf("got %v", err)
}

// trusting has a world trust a server's certificate, besides what more says.
func trusting(server *httptest.Server, more func(*Options, *provider.Connection)) func(*Options, *provider.Connection) {
	return func(o *Options, c *provider.Connection) {
		o.RootCAs = server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
		if more != nil {
			more(o, c)
		}
	}
}

// TestHTTP2: a service that speaks it is spoken to in it, and its certificate is checked.
func TestHTTP2(t *testing.T) {
	protocols := make(chan string, 10)
	service := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		protocols <- r.Proto
		if r.Header.Get("Authorization") != "Bearer "+newToken {
			rw.WriteHeader(http.StatusUnauthorized)
			return
		}
		rw.Header().Set("Trailer", "X-Sum")
		if r.URL.Path == "/unannounced" {
			rw.Header().Set("Content-Length", "4")
		}
		io.Copy(rw, r.Body)
		rw.Header().Set("X-Sum", "4")
		rw.Header().Set(http.TrailerPrefix+"X-Debug", "got "+newToken)
	}))
	service.EnableHTTP2 = true
	service.Config.ErrorLog = quiet()
	service.StartTLS()
	t.Cleanup(service.Close)
	w := worldBefore(t, service, trusting(service, nil)).start()
	w.tokens.rejected = renews
	res, text := w.want(http.StatusOK, nil, "POST", "/", "body")
	if text != "body" || res.Trailer.Get("X-Sum") != "4" {
		t.Errorf("got %q and trailer %v", text, res.Trailer)
	}
	res, _ = w.want(http.StatusOK, nil, "POST", "/unannounced", "body")
	if values := res.Trailer["X-Debug"]; values != nil {
		t.Errorf("a trailer repeats the token: %q", values)
	}
	for range 4 {
		if got := <-protocols; got != "HTTP/2.0" {
			t.Errorf("the service was spoken to in %s", got)
		}
	}
	w = worldBefore(t, service, nil).start()
	w.want(failed, errNotTrusted, "POST", "/", "body")
	if len(protocols) != 0 {
		t.Error("a service whose certificate is not trusted got a request")
	}
}

// TestOwnHeaderStays, whatever the service sends before its answer, and in it.
func TestOwnHeaderStays(t *testing.T) {
	for name, service := range map[string]http.HandlerFunc{
		"an answer": func(rw http.ResponseWriter, _ *http.Request) { rw.Header().Set("X-Request-Id", "theirs") },
		"an answer after hints": func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("X-Request-Id", "theirs")
			rw.WriteHeader(http.StatusEarlyHints)
		},
		"nothing after hints": raw("HTTP/1.1 103 Early Hints\r\nX-Request-Id: theirs\r\n\r\n"),
		"a switch after hints": raw("HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" +
			"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Request-Id: theirs\r\n\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, service, nil).start()
			var upgrade []string
			if name == "a switch after hints" {
				upgrade = []string{"Connection", "Upgrade", "Upgrade", "websocket"}
			}
			res, _ := w.ask("GET", "/", nil, upgrade...)
			if got := res.Header["X-Request-Id"]; len(got) != 1 || got[0] != "ours" {
				t.Errorf("got X-Request-Id %q", got)
			}
		})
	}
}
