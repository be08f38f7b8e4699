package handlers

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"

	"linkgate/handlers/inbound"

	"github.com/coder/websocket"
)

// listening is a bench's handler on a real server.
type listening struct {
	*httptest.Server
	handlers sync.WaitGroup
}

// serve listens with such timeouts as ours has, but shorter.
func (b *bench) serve(t *testing.T, timeout time.Duration) *listening {
	t.Helper()
	l := &listening{}
	l.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.handlers.Add(1)
		defer l.handlers.Done()
		b.handler.ServeHTTP(w, r)
	}))
	l.Config.ReadHeaderTimeout = 10 * time.Second
	l.Config.ReadTimeout, l.Config.WriteTimeout = timeout, timeout
	l.Start()
	t.Cleanup(l.Close)
	return l
}

// settle waits for all handlers that have begun, those that have taken their connection over too.
func (l *listening) settle() { l.handlers.Wait() }

func hostRequest(ctx context.Context, method, address string, body io.Reader) *http.Request {
	r, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		panic(err)
	}
	r.Header.Set("blink-auth-proxysecret", proxySecret)
	r.Header.Set("blink-auth-userid", "alice")
	return r
}

// passThrough runs a test for calls and for the app alike: serve is what stands at the other end.
func passThrough(t *testing.T, test func(t *testing.T, b *bench, path string, serve func(http.HandlerFunc))) {
	t.Run("call", func(t *testing.T) {
		b := newBench(t)
		test(t, b, "/call/gh/x", func(h http.HandlerFunc) { b.caller.serve = h })
	})
	t.Run("app", func(t *testing.T) {
		b := newBench(t, withApp)
		test(t, b, "/x", func(h http.HandlerFunc) { b.app.serve = h })
	})
}

// TestLargeBodiesPassThrough: the limit on bodies is for those that we read.
func TestLargeBodiesPassThrough(t *testing.T) {
	passThrough(t, func(t *testing.T, b *bench, path string, serve func(http.HandlerFunc)) {
		var got int64
		serve(func(w http.ResponseWriter, r *http.Request) { got, _ = io.Copy(io.Discard, r.Body) })
		w := b.asHost("POST", path, strings.Repeat("x", 3*inbound.BodyLimit))
		if w.Code != 200 || got != 3*inbound.BodyLimit {
			t.Errorf("got %d and %d bytes", w.Code, got)
		}
	})
}

// TestDeadlinesCanBeLifted: what passes through sets the connection's deadlines by itself.
func TestDeadlinesCanBeLifted(t *testing.T) {
	const timeout = 40 * time.Millisecond
	passThrough(t, func(t *testing.T, b *bench, path string, serve func(http.HandlerFunc)) {
		serve(func(w http.ResponseWriter, r *http.Request) {
			c := http.NewResponseController(w)
			for _, err := range []error{c.SetReadDeadline(time.Time{}), c.SetWriteDeadline(time.Time{}), c.EnableFullDuplex()} {
				if err != nil {
					t.Errorf("setting: %v", err)
				}
			}
			time.Sleep(2 * timeout)
			io.WriteString(w, "first ")
			if err := c.Flush(); err != nil {
				t.Errorf("flushing: %v", err)
			}
			time.Sleep(2 * timeout)
			io.WriteString(w, "second")
		})
		s := b.serve(t, timeout)
		response, err := http.DefaultClient.Do(hostRequest(t.Context(), "GET", s.URL+path, nil))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if body, err := io.ReadAll(response.Body); string(body) != "first second" || err != nil {
			t.Errorf("got %q, %v", body, err)
		}
	})
}

// TestAnswersPassUntouched: with the status and headers that they have, and none of ours.
func TestAnswersPassUntouched(t *testing.T) {
	passThrough(t, func(t *testing.T, b *bench, path string, serve func(http.HandlerFunc)) {
		serve(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Add("X-Request-Id", "theirs")
			w.Header().Add("Cache-Control", "max-age=60")
			w.WriteHeader(http.StatusServiceUnavailable)
			io.WriteString(w, "their words")
		})
		w := b.asHost("GET", path, "")
		if w.Code != 503 || w.Body.String() != "their words" || len(w.Header()) != 2 ||
			w.Header()["X-Request-Id"][0] != "theirs" || w.Header()["Cache-Control"][0] != "max-age=60" {
			t.Errorf("got %d %q %v", w.Code, w.Body, w.Header())
		}
		line := b.lines(t)[0]
		if line["level"] != "DEBUG" || line["status"] != 503.0 || line["request_id"] == "theirs" || line["request_id"] == "" || line["error"] != nil {
			t.Errorf("got %v: an error of theirs is none of ours", line)
		}
	})
}

func TestInterimAnswersPass(t *testing.T) {
	passThrough(t, func(t *testing.T, b *bench, path string, serve func(http.HandlerFunc)) {
		serve(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusTeapot)
		})
		var interim []int
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, _ textproto.MIMEHeader) error {
			interim = append(interim, code)
			return nil
		}})
		s := b.serve(t, time.Minute)
		response, err := http.DefaultClient.Do(hostRequest(ctx, "GET", s.URL+path, nil))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		s.settle()
		if response.StatusCode != http.StatusTeapot || len(interim) != 1 || interim[0] != 103 || b.lines(t)[0]["status"] != 418.0 {
			t.Errorf("got %d after %v", response.StatusCode, interim)
		}
	})
}

func TestErrorAfterInterimAnswer(t *testing.T) {
	b := newBench(t)
	b.caller.serve = func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		panic("why")
	}
	s := b.serve(t, time.Minute)
	response, err := http.DefaultClient.Do(hostRequest(t.Context(), "GET", s.URL+"/call/gh/x", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, _ := io.ReadAll(response.Body); response.StatusCode != 500 || !strings.Contains(string(body), "INTERNAL") {
		t.Errorf("got %d %s", response.StatusCode, body)
	}
}

func TestWebSocketPasses(t *testing.T) {
	passThrough(t, func(t *testing.T, b *bench, path string, serve func(http.HandlerFunc)) {
		serve(func(w http.ResponseWriter, r *http.Request) {
			conn, err := websocket.Accept(w, r, nil)
			if err != nil {
				t.Errorf("accepting: %v", err)
				return
			}
			defer conn.CloseNow()
			kind, message, err := conn.Read(r.Context())
			if err != nil {
				t.Errorf("reading: %v", err)
			}
			conn.Write(r.Context(), kind, message)
			conn.Close(websocket.StatusNormalClosure, "")
		})
		s := b.serve(t, time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		conn, _, err := websocket.Dial(ctx, s.URL+path, &websocket.DialOptions{HTTPHeader: hostRequest(ctx, "GET", s.URL, nil).Header})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.CloseNow()
		conn.Write(ctx, websocket.MessageText, []byte("hello"))
		if _, got, err := conn.Read(ctx); string(got) != "hello" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		conn.Read(ctx) // the close
		s.settle()
		if line := b.lines(t)[0]; line["status"] != 101.0 || line["level"] != "DEBUG" {
			t.Errorf("got %v", line)
		}
	})
}

// TestErrorAfterSwitch: nothing can be answered on a connection that somebody has taken over.
func TestErrorAfterSwitch(t *testing.T) {
	b := newBench(t)
	b.caller.serve = func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Errorf("hijacking: %v", err)
			return
		}
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
		conn.Close()
		panic(errors.New("why"))
	}
	s := b.serve(t, time.Minute)
	response, err := http.DefaultClient.Do(hostRequest(t.Context(), "GET", s.URL+"/call/gh/x", nil))
	if err != nil {
		t.Fatal(err)
	}
	rest, _ := io.ReadAll(response.Body)
	response.Body.Close()
	s.settle()
	if response.StatusCode != 101 || len(rest) > 0 {
		t.Errorf("got %d and %q after it", response.StatusCode, rest)
	}
	line := b.lines(t)[0]
	if message, _ := line["error"].(string); line["status"] != 101.0 || !strings.Contains(message, "after the answer began") {
		t.Errorf("got %v", line)
	}
}

// TestCutAnswersAreCountedAndLogged, and the client sees that they are cut.
func TestCutAnswersAreCountedAndLogged(t *testing.T) {
	passThrough(t, func(t *testing.T, b *bench, path string, serve func(http.HandlerFunc)) {
		serve(func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "half")
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		})
		s := b.serve(t, time.Minute)
		response, err := http.DefaultClient.Do(hostRequest(t.Context(), "GET", s.URL+path, nil))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if body, err := io.ReadAll(response.Body); string(body) != "half" || err == nil {
			t.Errorf("got %q, %v; want half and an error", body, err)
		}
		s.settle()
		line := b.lines(t)[0]
		if message, _ := line["error"].(string); line["status"] != 200.0 || line["level"] != "INFO" || !strings.Contains(message, "broke off") {
			t.Errorf("got %v", line)
		}
		if got := observedRoutes(t, b); len(got) != 1 {
			t.Errorf("got metrics %v, want one request", got)
		}
	})
}
