package call

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"linkgate/provider"
)

// TestUploadAgain: a further attempt gets the whole body from its beginning, and the one before
// nothing more.
func TestUploadAgain(t *testing.T) {
	const text = "a body of some words"
	u := newUpload(strings.NewReader(text), http.NewResponseController(httptest.NewRecorder()), stallTimeout)
	first, ok := u.again()
	if !ok {
		t.Fatal("not even once")
	}
	read(t, first, "a body")
	second, ok := u.again()
	if !ok {
		t.Fatal("not again")
	}
	if n, err := first.Read(make([]byte, 100)); err == nil {
		t.Errorf("the first attempt gets %d bytes more", n)
	}
	if u.whole() || u.failed() {
		t.Error("the end has come too early")
	}
	read(t, second, text)
	if n, err := second.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("then got %d bytes and %v", n, err)
	}
	if !u.whole() || u.failed() {
		t.Error("the end has not come")
	}
	u.end()
	if third, ok := u.again(); ok {
		if n, err := third.Read(make([]byte, 100)); err == nil {
			t.Errorf("after the exchange %d bytes can be read", n)
		}
	}
}

// TestUploadWaitsForNoClient: while a client is waited for, its body can't be had again.
func TestUploadWaitsForNoClient(t *testing.T) {
	body, sending := io.Pipe()
	u := newUpload(body, http.NewResponseController(httptest.NewRecorder()), stallTimeout)
	first, _ := u.again()
	done := make(chan struct{})
	go func() {
		defer close(done)
		io.ReadAll(first)
	}()
	io.WriteString(sending, "a piece")
	for u.reading.TryLock() { // until more is waited for
		u.reading.Unlock()
		time.Sleep(time.Millisecond)
	}
	if _, ok := u.again(); ok || u.whole() || u.failed() {
		t.Error("the client is not waited for")
	}
	sending.Close()
	<-done
	if _, ok := u.again(); !ok {
		t.Error("the body can't be had again, though it has come")
	}
}

// TestDeadConnection: a connection that was kept and proves dead is the service's right, and no
// fault of a request that may be sent twice.
func TestDeadConnection(t *testing.T) {
	for method, test := range map[string]struct {
		status int
		want   error
	}{"OPTIONS": {http.StatusOK, nil}, "POST": {failed, ErrBroken}} {
		t.Run(method, func(t *testing.T) {
			w := newWorld(t, nil, func(_ *Options, c *provider.Connection) { c.Calls.BaseURL = "http://" + fickle(t) }).start()
			w.want(http.StatusOK, nil, "GET", "/", "")
			_, text := w.want(test.status, test.want, method, "/", "body")
			if test.want == nil && text != "body" {
				t.Errorf("got %q", text)
			}
		})
	}
}

// fickle is a service that answers with the body, and cuts its first connection at the second request.
func fickle(t *testing.T) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for accepted := 1; ; accepted++ {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serveSome(conn, accepted)
		}
	}()
	return listener.Addr().String()
}

func serveSome(conn net.Conn, most int) {
	defer conn.Close()
	requests := bufio.NewReader(conn)
	for served := 0; ; served++ {
		r, err := http.ReadRequest(requests)
		if err != nil {
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil || served == most {
			return
		}
		answer := &http.Response{ProtoMajor: 1, ProtoMinor: 1, StatusCode: 200, ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(string(body)))}
		if answer.Write(conn) != nil {
			return
		}
	}
}

// TestHangsWithinRejection: an answer that is to be discarded is not waited for without end.
func TestHangsWithinRejection(t *testing.T) {
	var asked atomic.Int64
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		if asked.Add(1) > 1 {
			return
		}
		rw.Header().Set("Content-Length", "100")
		rw.WriteHeader(http.StatusUnauthorized)
		http.NewResponseController(rw).Flush()
		<-r.Context().Done()
	}, nil).start()
	w.tokens.rejected = renews
	w.want(http.StatusOK, nil, "GET", "/", "")
	if asked.Load() != 2 {
		t.Errorf("%d requests, want 2", asked.Load())
	}
}

// TestBadBody: a body that is not well formed is the client's mistake.
func TestBadBody(t *testing.T) {
	w := newWorld(t, reads, nil).start()
	conn, answers := w.dial()
	io.WriteString(conn, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\nnonsense\r\n")
	if err := w.err(); !errors.Is(err, ErrBadBody) {
		t.Errorf("got %v, want ErrBadBody", err)
	}
	if res, err := http.ReadResponse(answers, nil); err != nil || res.StatusCode != failed {
		t.Errorf("the client got %v and %v", res, err)
	}
}
