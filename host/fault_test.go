package host_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"linkgate/host"
)

// Broken in every way that TCP and HTTP offer; every operation comes back, as unavailable.
func TestBrokenHosts(t *testing.T) {
	raw := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				panic(err)
			}
			defer conn.Close()
			io.WriteString(conn, text)
		}
	}
	flood := func(head string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, head)
			chunk := []byte(strings.Repeat("a", 32<<10))
			for r.Context().Err() == nil {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		}
	}
	faults := map[string]http.HandlerFunc{
		"drop":           raw(""),
		"half a header":  raw("HTTP/1.1 200 OK\r\nContent-"),
		"not http":       raw("at-secret 220 smtp ready\r\n"),
		"short body":     raw("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"code\":"),
		"endless body":   flood(`{"code":"OK","data":"`),
		"endless spaces": flood(""),
		"huge header":    raw("HTTP/1.1 200 OK\r\nX-Big: " + strings.Repeat("x", 1<<20) + "\r\n\r\n{}"),
		"not really gzip": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Write([]byte("no"))
		},
		"hang": hang,
		"hang in the body": func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, `{"code":`)
			w.(http.Flusher).Flush()
			hang(w, r)
		},
	}
	for fault, handler := range faults {
		for op, run := range operations() {
			t.Run(fault+" "+op, func(t *testing.T) {
				t.Parallel()
				server := httptest.NewServer(handler)
				t.Cleanup(server.Close)
				c := host.New(host.Options{BaseURL: server.URL, Timeout: 300 * time.Millisecond, RetryWait: time.Microsecond})
				err := run(t.Context(), c)
				if got := kind(err); got != "unavailable" {
					t.Errorf("got %s, want unavailable", got)
				}
				checkSilent(t, err)
			})
		}
	}
}

// hang answers nothing until the caller is gone, which the server notices once the body is read.
func hang(_ http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

// A hanging host is not asked again: the caller has waited long enough.
func TestTimeoutIsNotRepeated(t *testing.T) {
	var calls atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		hang(w, r)
	}))
	defer server.Close()
	c := host.New(host.Options{BaseURL: server.URL, Timeout: 50 * time.Millisecond, RetryWait: time.Microsecond})
	if _, err := c.List(t.Context(), "u1"); kind(err) != "unavailable" {
		t.Errorf("got %v, want unavailable", err)
	}
	if got := calls.Load(); got != 1 {
		t.Errorf("sent %d times, want 1", got)
	}
}

func TestCallerGivesUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	if _, err := c.List(ctx, "u1"); !errors.Is(err, context.Canceled) || kind(err) != "unavailable" {
		t.Errorf("err = %v, want unavailable because of context.Canceled", err)
	}
}

func TestNobodyListens(t *testing.T) {
	server := httptest.NewServer(nil)
	server.Close()
	for _, base := range []string{server.URL, "http://[::1", "ftp://127.0.0.1"} {
		c := host.New(host.Options{BaseURL: base, RetryWait: time.Microsecond})
		if err := c.Delete(t.Context(), "u1", "la1"); kind(err) != "unavailable" {
			t.Errorf("%s: err = %v, want unavailable", base, err)
		}
	}
}

// A redirect takes neither the API key nor the body anywhere.
func TestRedirectsAreNotFollowed(t *testing.T) {
	var mu sync.Mutex
	var leaked []string
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		leaked = append(leaked, r.Method+" "+r.Header.Get("Authorization"))
		answer(w, 200, oneAccount)
	}))
	defer elsewhere.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		for op, run := range operations() {
			c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, elsewhere.URL+"/caught", status)
			})
			if got := kind(run(t.Context(), c)); got != "unavailable" {
				t.Errorf("%d %s: got %s, want unavailable", status, op, got)
			}
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(leaked) > 0 {
		t.Errorf("requests reached another server: %v", leaked)
	}
}

// An answer that is in order but for its size.
func TestSizes(t *testing.T) {
	padded := func(size int) string {
		const frame = `{"code":"OK","data":{"id":"la1","pad":""}}`
		return `{"code":"OK","data":{"id":"la1","pad":"` + strings.Repeat("x", size-len(frame)) + `"}}`
	}
	zipped := func(text string) []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		io.WriteString(z, text)
		z.Close()
		return b.Bytes()
	}
	tests := []struct {
		name, header, encoding string
		body                   []byte
		want                   string
	}{
		{"1 MiB", "", "", []byte(padded(1 << 20)), "ok"},
		{"a byte more", "", "", []byte(padded(1<<20 + 1)), "unavailable"},
		{"1 MiB zipped", "", "gzip", zipped(padded(1 << 20)), "ok"},
		{"a byte more zipped", "", "gzip", zipped(padded(1<<20 + 1)), "unavailable"},
		{"header of 10 kB", strings.Repeat("h", 10_000), "", []byte(padded(100)), "ok"},
		{"header of 100 kB", strings.Repeat("h", 100_000), "", []byte(padded(100)), "unavailable"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
				if tt.encoding != "" {
					w.Header().Set("Content-Encoding", tt.encoding)
				}
				w.Header().Set("X-Header", tt.header)
				w.Write(tt.body)
			})
			if _, err := c.Get(t.Context(), "u1", "la1"); kind(err) != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{oneAccount, `{"code":"OK","data":[]}`, `{}`, `[]`, `null`, `"`, `{"code":"OK","data":[null]}`, `{"code":1}`} {
		f.Add(200, []byte(seed))
		f.Add(403, []byte(seed))
	}
	var status int
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		w.Write(body)
	}))
	f.Cleanup(server.Close)
	c := host.New(host.Options{BaseURL: server.URL, RetryWait: time.Nanosecond})
	f.Fuzz(func(t *testing.T, s int, b []byte) {
		if s < 200 || s > 599 {
			return
		}
		status, body = s, b
		added, err := c.Add(t.Context(), "u1", host.LinkedAccount{}, "k")
		if (err == nil) != (added.ID != "") {
			t.Errorf("got id %q with error %v", added.ID, err)
		}
		all, err := c.List(t.Context(), "u1")
		for _, a := range all {
			if a.ID == "" || err != nil {
				t.Errorf("got %+v with error %v", a, err)
			}
		}
	})
}
