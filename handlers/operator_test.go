package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

func ask(t *testing.T, s *Server, path string) (int, readiness) {
	t.Helper()
	w := httptest.NewRecorder()
	s.Operator().ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	var answer readiness
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatalf("reading %q: %v", w.Body, err)
	}
	return w.Code, answer
}

func TestReady(t *testing.T) {
	well := Check{"Redis", func(context.Context) error { return nil }}
	broken := Check{"database", func(context.Context) error { return errors.New("locked") }}
	hanging := Check{"host", func(context.Context) error { select {} }}
	patient := Check{"issuer", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}
	for _, tc := range []struct {
		name   string
		checks []Check
		want   []readyProblem
	}{
		{"nothing to ask", nil, []readyProblem{}},
		{"all well", []Check{well, well}, []readyProblem{}},
		{"one broken", []Check{well, broken}, []readyProblem{{"database", "locked"}}},
		{"both told", []Check{broken, well, broken}, []readyProblem{{"database", "locked"}, {"database", "locked"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newBench(t).server
			s.Ready = tc.checks
			status, got := ask(t, s, "/readyz")
			want := http.StatusOK
			if len(tc.want) > 0 {
				want = http.StatusServiceUnavailable
			}
			if status != want || got.Ready != (len(tc.want) == 0) {
				t.Errorf("got %d %v, want %d", status, got.Ready, want)
			}
			if diff := cmp.Diff(tc.want, got.Problems); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("one that never answers", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // the deadline, without waiting for it
		s := &Server{Ready: []Check{hanging}}
		if diff := cmp.Diff([]readyProblem{{"host", errNoAnswer.Error()}}, s.problems(ctx)); diff != "" {
			t.Errorf("problems (-want +got):\n%s", diff)
		}
	})
	t.Run("the deadline", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			status, got := ask(t, &Server{Ready: []Check{patient}}, "/readyz")
			if status != http.StatusServiceUnavailable || len(got.Problems) != 1 {
				t.Errorf("got %d %v, want 503 for the one that waits", status, got)
			}
		})
	})
}

func TestDrain(t *testing.T) {
	s := newBench(t).server
	s.Drain()
	if status, got := ask(t, s, "/readyz"); status != 503 || got.Ready {
		t.Errorf("readyz: got %d %v, want 503", status, got.Ready)
	}
	if status, _ := ask(t, s, "/healthz"); status != 200 {
		t.Errorf("healthz: got %d, want 200: a draining process is not to be killed", status)
	}
}

func TestHealthAsksNobody(t *testing.T) {
	s := newBench(t).server
	s.Ready = []Check{{"Redis", func(context.Context) error { return errors.New("down") }}}
	if status, _ := ask(t, s, "/healthz"); status != 200 {
		t.Errorf("got %d, want 200", status)
	}
}

func TestMetricsPage(t *testing.T) {
	b := newBench(t)
	b.asHost("POST", "/auth/gh", "")
	w := httptest.NewRecorder()
	b.server.Operator().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	want := `linkgate_http_request_duration_seconds_count{method="POST",route="/auth/:auth_id",status="2xx"} 1`
	if w.Code != 200 || !strings.Contains(w.Body.String(), want) {
		t.Errorf("got %d, want %s", w.Code, want)
	}
}

func TestPublicTwiceIsAMistake(t *testing.T) {
	b := newBench(t)
	if _, err := b.server.Public(); err == nil {
		t.Error("got no error: two sets of metrics under one name")
	}
}

func TestPublicURLMustBeAnOrigin(t *testing.T) {
	b := newBench(t)
	b.server.PublicURL = "https://link.example/path"
	if _, err := newSite(b.server); err == nil {
		t.Error("got no error for an address with a path")
	}
}

// TestSlowAndGreedyClients are cut off by the server, not by a handler.
func TestSlowAndGreedyClients(t *testing.T) {
	server := HTTPServer("127.0.0.1:0", http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	for name, limit := range map[string]int64{
		"ReadHeaderTimeout": int64(server.ReadHeaderTimeout), "ReadTimeout": int64(server.ReadTimeout),
		"WriteTimeout": int64(server.WriteTimeout), "IdleTimeout": int64(server.IdleTimeout), "MaxHeaderBytes": int64(server.MaxHeaderBytes),
	} {
		if limit <= 0 {
			t.Errorf("%s: got no limit", name)
		}
	}
	listener, err := net.Listen("tcp", server.Addr)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }() // until Close
	t.Cleanup(func() { _ = server.Close() })
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+listener.Addr().String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Large", strings.Repeat("x", 64<<10))
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("got %d for 64 KiB of headers, want 431", response.StatusCode)
	}
}
