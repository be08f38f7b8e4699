package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestLoadSendsDistinctUsers(t *testing.T) {
	var mu sync.Mutex
	seen := make(map[string]int)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen[r.Header.Get("blink-auth-userid")]++
		if r.Method != http.MethodPost || r.URL.Path != "/auth/bench" || r.Header.Get("blink-auth-proxysecret") != proxySecret {
			w.WriteHeader(http.StatusTeapot)
		}
		_, _ = io.WriteString(w, `{}`)
	}))
	defer server.Close()
	var g generator
	r, err := g.load(t.Context(), server.Listener.Addr().String(), 3, 50*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if r.requests == 0 || r.requests != len(seen) || r.requests != len(r.latencies) {
		t.Errorf("%d requests, %d latencies, %d users: want as many of each", r.requests, len(r.latencies), len(seen))
	}
}

func TestLoadStopsAtAnError(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	if _, err := new(generator).load(context.Background(), server.Listener.Addr().String(), 2, time.Minute); err == nil {
		t.Error("a 404 counts as an answer")
	}
}

func TestReadAnswer(t *testing.T) {
	for _, test := range []struct {
		name, answer, want string
		fails              bool
	}{
		{"good", "HTTP/1.1 200 OK\r\nX: y\r\ncontent-length: 2\r\n\r\n{}HTTP", "{}", false},
		{"another status", "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\n{}", "", true},
		{"no length", "HTTP/1.1 200 OK\r\n\r\n{}", "", true},
		{"too short", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}", "", true},
		{"nothing", "", "", true},
	} {
		got, err := readAnswer(bufio.NewReader(strings.NewReader(test.answer)))
		if string(got) != test.want || (err != nil) != test.fails {
			t.Errorf("%s: got %q, %v, want %q, an error: %v", test.name, got, err, test.want, test.fails)
		}
	}
}

func TestParseCPU(t *testing.T) {
	const stat = "42 (a (b) c) S 1 42 42 0 -1 4194560 500 0 0 0 150 25 0 0 20 0 8 0 100 1000 200"
	if got, err := parseCPU(stat); err != nil || got != 1750*time.Millisecond {
		t.Errorf("got %v, %v, want 1.75s", got, err)
	}
	if _, err := parseCPU("42 (short) S 1"); err == nil {
		t.Error("a short line is read")
	}
}

func TestParseMemory(t *testing.T) {
	if got, err := parseMemory("Name:\tx\nVmRSS:\t   2048 kB\nThreads:\t1\n"); err != nil || got != 2<<20 {
		t.Errorf("got %d, %v, want 2 MiB", got, err)
	}
	if _, err := parseMemory("Name:\tx\n"); err == nil {
		t.Error("a status without VmRSS is read")
	}
}

func TestTableComparesRoundByRound(t *testing.T) {
	var tab table
	// The machine was twice as fast in the second round, and four times in the third.
	tab.add("speed", "%.0f", [3][]float64{linkgate: {90, 180, 360}, bare: {100, 200, 400}, control: {101, 202, 404}})
	want := "| | Linkgate | bare Echo | ratio | A/A |\n|---|---:|---:|---:|---:|\n| speed | 180 | 200 | 0.90 | 1.01 |\n"
	if got := tab.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
