package appproxy

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
)

// shortTimeout is what a server of impatient gives a whole request.
const shortTimeout = 40 * time.Millisecond

// impatient is the front of a world whose app is answer, with a server's timeouts made short.
func impatient(t *testing.T, answer http.HandlerFunc) *httptest.Server {
	t.Helper()
	w := newWorld(t, "", answer)
	s := httptest.NewUnstartedServer(w.front.Config.Handler)
	s.Config.ReadHeaderTimeout = 10 * time.Second
	s.Config.ReadTimeout, s.Config.WriteTimeout = shortTimeout, shortTimeout
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// TestServerTimeoutsDoNotCutStreams: both ways go on for longer than the server gives a request.
func TestServerTimeoutsDoNotCutStreams(t *testing.T) {
	const parts = 6
	front := impatient(t, func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("reading the body: %v", err)
		}
		for range parts {
			time.Sleep(shortTimeout / 2)
			io.WriteString(rw, "y")
			http.NewResponseController(rw).Flush()
		}
		rw.Write(body)
	})
	body, sending := io.Pipe()
	go func() {
		defer sending.Close()
		for range parts {
			time.Sleep(shortTimeout / 2)
			io.WriteString(sending, "x")
		}
	}()
	response, err := http.Post(front.URL, "text/plain", body)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	if want := strings.Repeat("y", parts) + strings.Repeat("x", parts); string(got) != want || err != nil {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}

// TestServerTimeoutsDoNotCutLateAnswers that come all at once.
func TestServerTimeoutsDoNotCutLateAnswers(t *testing.T) {
	const length = 4 << 20
	front := impatient(t, func(rw http.ResponseWriter, _ *http.Request) {
		time.Sleep(2 * shortTimeout)
		rw.Header().Set("Content-Length", strconv.Itoa(length))
		rw.Write(make([]byte, length))
	})
	response, err := http.Get(front.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if got, err := io.Copy(io.Discard, response.Body); got != length || err != nil {
		t.Errorf("got %d bytes, %v; want %d", got, err, length)
	}
}

// TestServerTimeoutsDoNotHoldHeadersBack, which a stream sends long before its first byte.
func TestServerTimeoutsDoNotHoldHeadersBack(t *testing.T) {
	arrived := make(chan struct{})
	front := impatient(t, func(rw http.ResponseWriter, r *http.Request) {
		time.Sleep(2 * shortTimeout)
		http.NewResponseController(rw).Flush()
		select {
		case <-arrived:
		case <-r.Context().Done():
		}
	})
	response, err := http.Get(front.URL)
	if err != nil {
		t.Fatal(err)
	}
	close(arrived)
	response.Body.Close()
}

// TestServerTimeoutsDoNotHideErrors: the answer that tells of one is written after them.
func TestServerTimeoutsDoNotHideErrors(t *testing.T) {
	front := impatient(t, func(http.ResponseWriter, *http.Request) {
		time.Sleep(2 * shortTimeout)
		panic(http.ErrAbortHandler)
	})
	response, err := http.Get(front.URL)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != 599 {
		t.Errorf("got %d", response.StatusCode)
	}
}
