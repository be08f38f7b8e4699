package appproxy

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// TestAnswersStream: the first part is read before the app has written the second.
func TestAnswersStream(t *testing.T) {
	for _, length := range []string{"", "13"} {
		t.Run("length "+length, func(t *testing.T) { testAnswerStreams(t, length) })
	}
}

func testAnswerStreams(t *testing.T, length string) {
	second := make(chan struct{})
	w := newWorld(t, "", func(rw http.ResponseWriter, _ *http.Request) {
		if length != "" {
			rw.Header().Set("Content-Length", length)
		}
		io.WriteString(rw, "first\n")
		http.NewResponseController(rw).Flush()
		<-second
		io.WriteString(rw, "second\n")
	})
	response, err := http.Get(w.front.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	lines := bufio.NewReader(response.Body)
	if line, err := lines.ReadString('\n'); line != "first\n" {
		t.Fatalf("got %q, %v", line, err)
	}
	close(second)
	if line, err := lines.ReadString('\n'); line != "second\n" {
		t.Errorf("got %q, %v", line, err)
	}
}

// TestBodiesStream: the app reads the first part before the client has sent the second.
func TestBodiesStream(t *testing.T) {
	read := make(chan string)
	w := newWorld(t, "", func(rw http.ResponseWriter, r *http.Request) {
		lines := bufio.NewReader(r.Body)
		for range 2 {
			line, _ := lines.ReadString('\n')
			read <- line
		}
	})
	body, sending := io.Pipe()
	go func() {
		defer sending.Close()
		io.WriteString(sending, "first\n")
		if got := <-read; got != "first\n" {
			t.Errorf("got %q", got)
		}
		io.WriteString(sending, "second\n")
		if got := <-read; got != "second\n" {
			t.Errorf("got %q", got)
		}
	}()
	response, err := http.Post(w.front.URL, "text/plain", body)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
}

// duplex notes that its server has been told not to read bodies away.
type duplex struct {
	http.ResponseWriter
	enabled atomic.Bool
}

func (d *duplex) EnableFullDuplex() error {
	d.enabled.Store(true)
	return http.NewResponseController(d.ResponseWriter).EnableFullDuplex()
}

func (d *duplex) Unwrap() http.ResponseWriter { return d.ResponseWriter }

// TestBothWaysAtOnce: the client gets an answer to the first part before it sends the second.
func TestBothWaysAtOnce(t *testing.T) {
	w := newWorld(t, "", func(rw http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(rw)
		c.EnableFullDuplex()
		rw.WriteHeader(http.StatusOK)
		c.Flush()
		lines := bufio.NewReader(r.Body)
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				return
			}
			io.WriteString(rw, "echo "+line)
			c.Flush()
		}
	})
	between := &duplex{}
	front := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		between.ResponseWriter = rw
		w.front.Config.Handler.ServeHTTP(between, r)
	}))
	defer front.Close()
	body, sending := io.Pipe()
	defer sending.Close()
	go io.WriteString(sending, "first\n")
	response, err := http.Post(front.URL, "text/plain", body)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	lines := bufio.NewReader(response.Body)
	for _, part := range []string{"first\n", "second\n", "third\n"} {
		if part != "first\n" {
			io.WriteString(sending, part)
		}
		if got, err := lines.ReadString('\n'); got != "echo "+part {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	if !between.enabled.Load() {
		t.Error("the server was not told")
	}
}

// TestAnswerBeforeTheBodyEnds: what is left of the body is neither taken for another request nor waited
// for.
func TestAnswerBeforeTheBodyEnds(t *testing.T) {
	w := newWorld(t, "", func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Connection", "close") // so that the app's server does not wait for the body either
		rw.WriteHeader(http.StatusRequestEntityTooLarge)
	})
	conn, err := net.Dial("tcp", w.front.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	const smuggled = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
	io.WriteString(conn, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n"+smuggled)
	answers, err := io.ReadAll(conn)
	if got := string(answers); !strings.HasPrefix(got, "HTTP/1.1 413 ") || strings.Count(got, "HTTP/1.1") != 1 {
		t.Errorf("got %q, want one answer", got)
	}
	if err != nil && !errors.Is(err, syscall.ECONNRESET) { // what was not read makes it a reset
		t.Errorf("got %v, want the connection's end", err)
	}
}

func TestNoTypeIsGuessed(t *testing.T) {
	w := newWorld(t, "", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header()["Content-Type"] = nil
		io.WriteString(rw, "<html>")
	})
	if response, _ := w.get("/"); len(response.Header["Content-Type"]) > 0 {
		t.Errorf("got %v, which the app has not said", response.Header["Content-Type"])
	}
}

func TestInterimAnswers(t *testing.T) {
	w := newWorld(t, "", func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Link", "</style.css>; rel=preload")
		rw.WriteHeader(http.StatusEarlyHints)
		body, _ := io.ReadAll(r.Body) // makes net/http send 100 first
		rw.Write(body)
	})
	var interim []int
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, _ textproto.MIMEHeader) error {
		interim = append(interim, code)
		return nil
	}})
	r, _ := http.NewRequestWithContext(ctx, "POST", w.front.URL, strings.NewReader("hello"))
	r.Header.Set("Expect", "100-continue")
	client := &http.Client{Transport: &http.Transport{ExpectContinueTimeout: 10 * time.Second}}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, _ := io.ReadAll(response.Body); string(body) != "hello" || response.StatusCode != 200 {
		t.Errorf("got %d %q", response.StatusCode, body)
	}
	if len(interim) != 2 || interim[0] != 103 || interim[1] != 100 {
		t.Errorf("got interim answers %v, want 103 and 100", interim)
	}
}

func TestWebSocket(t *testing.T) {
	w := newWorld(t, "", func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Linkgate-User-Id") != "alice" {
			t.Errorf("got user %q", r.Header.Get("Linkgate-User-Id"))
		}
		conn, err := websocket.Accept(rw, r, nil)
		if err != nil {
			t.Errorf("accepting: %v", err)
			return
		}
		defer conn.CloseNow()
		for {
			kind, message, err := conn.Read(r.Context())
			if err != nil {
				return
			}
			conn.Write(r.Context(), kind, message)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, w.front.URL+"/echo", &websocket.DialOptions{HTTPHeader: http.Header{"Linkgate-User-Id": {"bob"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	for _, message := range []string{"hello", strings.Repeat("x", 30_000)} {
		if err := conn.Write(ctx, websocket.MessageText, []byte(message)); err != nil {
			t.Fatal(err)
		}
		if _, got, err := conn.Read(ctx); string(got) != message || err != nil {
			t.Fatalf("got %d bytes, %v", len(got), err)
		}
	}
	ended, stop := context.WithTimeout(t.Context(), 60*time.Millisecond)
	defer stop()
	if err := w.proxy.Wait(ended); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v while a WebSocket is open", err)
	}
	conn.Close(websocket.StatusNormalClosure, "")
	if err := w.proxy.Wait(ctx); err != nil {
		t.Errorf("got %v after it is closed", err)
	}
}

// TestCutAnswerIsSeen: a client must not take half an answer for a whole one.
func TestCutAnswerIsSeen(t *testing.T) {
	w := newWorld(t, "", func(rw http.ResponseWriter, _ *http.Request) {
		io.WriteString(rw, "half")
		http.NewResponseController(rw).Flush()
		panic(http.ErrAbortHandler)
	})
	response, err := http.Get(w.front.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); string(body) != "half" || err == nil {
		t.Errorf("got %q, %v; want half and an error", body, err)
	}
	if err := w.proxy.Wait(t.Context()); err != nil {
		t.Errorf("still under way: %v", err)
	}
}
