package main

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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
	g := generator{target: click()}
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

func TestLoadTakesUsersInTurn(t *testing.T) {
	var mu sync.Mutex
	seen := make(map[string]int)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen[r.Header.Get("blink-auth-userid")]++
	}))
	defer server.Close()
	g := generator{target: target{method: http.MethodGet, path: "/", users: 2}}
	r, err := g.load(t.Context(), server.Listener.Addr().String(), 1, 50*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(seen) != 2 || seen[userID(1)]-seen[userID(0)] != r.requests%2 {
		t.Errorf("%d requests of %v: want two users by turns", r.requests, seen)
	}
}

func TestLoadStopsAtAnError(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	g := generator{target: click()}
	if _, err := g.load(t.Context(), server.Listener.Addr().String(), 2, time.Minute); err == nil {
		t.Error("a 404 counts as an answer")
	}
}

func TestAsk(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Method+" "+r.URL.Path+" "+r.Header.Get("Content-Length"))
	}))
	defer server.Close()
	for _, test := range []struct {
		name   string
		target target
		want   string
		fails  bool
	}{
		{"without a body", target{method: http.MethodGet, path: "/a"}, "GET /a ", false},
		{"with an empty body", target{method: http.MethodPost, path: "/b"}, "POST /b 0", false},
		{"right size", target{method: http.MethodGet, path: "/c", size: 7}, "GET /c ", false},
		{"another size", target{method: http.MethodGet, path: "/d", size: 8}, "", true},
	} {
		c, err := dial(t.Context(), server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.ask(test.target, 0)
		if string(got) != test.want || (err != nil) != test.fails {
			t.Errorf("%s: got %q, %v, want %q, an error: %v", test.name, got, err, test.want, test.fails)
		}
		c.conn.Close()
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

func TestCPUCountsChildren(t *testing.T) {
	const busy = "exec 3<&0; (i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo done; read x <&3) & wait"
	command := exec.CommandContext(t.Context(), "sh", "-c", busy)
	stdin, err := command.StdinPipe() // keeps the child alive
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	used, err := (&process{command: command}).cpu()
	if err != nil || used == 0 {
		t.Errorf("got %v, %v, want what the child has used", used, err)
	}
	stdin.Close()
	_ = command.Wait()
}

func TestChosenParts(t *testing.T) {
	for _, test := range []struct {
		only string
		want map[string]bool // nil: an error
	}{
		{"call", map[string]bool{"call": true}},
		{"auth,size", map[string]bool{"auth": true, "size": true}},
		{strings.Join(parts(), ","), map[string]bool{"auth": true, "start": true, "memory": true, "size": true, "call": true}},
		{"calls", nil},
		{"", nil},
		{"call,", nil},
	} {
		got, err := chosenParts(test.only)
		if diff := cmp.Diff(test.want, got); diff != "" || (err != nil) != (test.want == nil) {
			t.Errorf("%q: %v, want minus got:\n%s", test.only, err, diff)
		}
	}
}

func TestTableComparesRoundByRound(t *testing.T) {
	// The machine was twice as fast in the second round, and four times in the third.
	figures := [][]float64{linkgate: {90, 180, 360}, bare: {100, 200, 400}, control: {101, 202, 404}, other: {180, 360, 720}}
	for _, test := range []struct {
		names []string
		want  string
	}{
		{[]string{"Linkgate", "bare Echo"},
			"| | Linkgate | bare Echo | ratio | A/A |\n|---|---:|---:|---:|---:|\n| speed | 180 | 200 | 0.90 | 1.01 |\n\n"},
		{[]string{"Linkgate", "bare proxy", "nginx"},
			"| | Linkgate | bare proxy | ratio | A/A | nginx | ratio |\n|---|---:|---:|---:|---:|---:|---:|\n" +
				"| speed | 180 | 200 | 0.90 | 1.01 | 360 | 0.50 |\n\n"},
	} {
		tab := table{names: test.names}
		tab.add("speed", "%.0f", figures[:len(test.names)+1])
		if got := tab.String(); got != test.want {
			t.Errorf("got\n%swant\n%s", got, test.want)
		}
	}
	if got := (table{names: []string{"Linkgate", "bare Echo"}}).String(); got != "" {
		t.Errorf("a table without rows: got %q", got)
	}
}
