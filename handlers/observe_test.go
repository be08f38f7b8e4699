package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"linkgate/connect"
	"linkgate/handlers/inbound"
)

// lines are the log's records.
func (b *bench) lines(t *testing.T) []map[string]any {
	t.Helper()
	var lines []map[string]any
	d := json.NewDecoder(b.log)
	for d.More() {
		var line map[string]any
		if err := d.Decode(&line); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	return lines
}

func TestOneLogLinePerRequest(t *testing.T) {
	for _, tc := range []struct {
		name, method, path string
		host               bool
		prepare            func(*bench)
		level, route       string
		status             float64
	}{
		{"host, well", "POST", "/auth/gh", true, nil, "DEBUG", "/auth/:auth_id", 200},
		{"host, refused", "POST", "/auth/gh", false, nil, "INFO", "/auth/:auth_id", 401},
		{"host, our fault", "POST", "/auth/gh", true, func(b *bench) { b.err = errors.New("why") }, "ERROR", "/auth/:auth_id", 500},
		{"page", "GET", "/connect/" + aTicket, false, nil, "INFO", "/connect/:ticket", 200},
		{"callback", "GET", "/callback/gh?code=the-code&state=" + aState, false, nil, "INFO", "/callback/:auth_id", 303},
		{"expired", "GET", "/connect/" + aTicket + "/result", false, func(b *bench) { b.err = connect.ErrExpired }, "INFO", "/connect/:ticket/result", 410},
		{"panic", "GET", "/connect/" + aTicket, false, func(b *bench) { b.panic = "boom" }, "ERROR", "/connect/:ticket", 500},
		{"nowhere", "GET", "/nowhere/" + aTicket, false, nil, "INFO", "other", 404},
		{"method", "PUT", "/connect/" + aTicket, false, nil, "INFO", "other", 405},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t)
			if tc.prepare != nil {
				tc.prepare(b)
			}
			do := b.asBrowser
			if tc.host {
				do = func(method, path string) *httptest.ResponseRecorder { return b.asHost(method, path, "") }
			}
			w := do(tc.method, tc.path)
			for _, hidden := range []string{aTicket, aState, aBrowser, "the-code", proxySecret} {
				if strings.Contains(b.log.String(), hidden) {
					t.Errorf("got %q in the log: %s", hidden, b.log)
				}
			}
			lines := b.lines(t)
			if len(lines) != 1 {
				t.Fatalf("got %d lines, want 1", len(lines))
			}
			got := lines[0]
			want := map[string]any{"level": tc.level, "method": tc.method, "route": tc.route, "status": tc.status,
				"request_id": w.Header().Get(requestIDHeader)}
			for key, value := range want {
				if diff := cmp.Diff(value, got[key]); diff != "" {
					t.Errorf("%s (-want +got):\n%s", key, diff)
				}
			}
			if _, ok := got["error"]; ok != (tc.status >= 400) {
				t.Errorf("got error %v with status %v", got["error"], tc.status)
			}
		})
	}
}

// TestClientsThatLeave: nothing went wrong here, whatever the work was in the middle of.
func TestClientsThatLeave(t *testing.T) {
	gone, leave := context.WithCancel(t.Context())
	leave()
	for _, tc := range []struct {
		name   string
		err    error
		ctx    context.Context
		status int
		level  string
	}{
		{"left", context.Canceled, gone, 499, "INFO"},
		{"left while we waited for another", &connect.UnavailableError{System: "Redis", Err: context.Canceled}, gone, 499, "INFO"},
		{"left, and our fault besides", errors.New("why"), gone, 500, "ERROR"},
		{"still there", context.Canceled, t.Context(), 503, "ERROR"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t)
			b.err = tc.err
			for _, path := range []string{"/auth/gh", "/connect/" + aTicket} {
				r := httptest.NewRequestWithContext(tc.ctx, "POST", path, nil)
				r.Header.Set("blink-auth-proxysecret", proxySecret)
				r.Header.Set("blink-auth-userid", "alice")
				w := httptest.NewRecorder()
				b.handler.ServeHTTP(w, r)
				if w.Code != tc.status {
					t.Errorf("%s: got %d, want %d", path, w.Code, tc.status)
				}
				if answered := w.Body.Len() > 0; answered != (tc.status != 499) {
					t.Errorf("%s: got an answer: %v", path, answered)
				}
			}
			for _, line := range b.lines(t) {
				if line["level"] != tc.level || line["error"] == nil {
					t.Errorf("got %v, want level %s and the error", line, tc.level)
				}
			}
		})
	}
}

func TestRequestIDsAreOurs(t *testing.T) {
	b := newBench(t)
	first := b.do("GET", "/nowhere", "", requestIDHeader, "theirs").Header().Get(requestIDHeader)
	second := b.do("GET", "/nowhere", "", requestIDHeader, "theirs").Header().Get(requestIDHeader)
	if len(first) < 20 || first == second || first == "theirs" {
		t.Errorf("got %q and %q, want two of our own", first, second)
	}
}

func TestPanics(t *testing.T) {
	b := newBench(t)
	b.panic = "a secret reason"
	if w := b.asHost("POST", "/auth/gh", ""); w.Code != 500 || strings.Contains(w.Body.String(), "secret reason") {
		t.Errorf("host: got %d %s", w.Code, w.Body)
	}
	if w := b.asBrowser("GET", "/connect/"+aTicket); w.Code != 500 || !isPage(w) || strings.Contains(w.Body.String(), "secret reason") {
		t.Errorf("browser: got %d %s", w.Code, w.Body)
	}
	lines := b.lines(t)
	if stack, _ := lines[0]["stack"].(string); !strings.Contains(stack, "handlers") {
		t.Errorf("got no stack in the log: %v", lines[0])
	}
}

func TestAbortGoesThrough(t *testing.T) {
	b := newBench(t)
	b.panic = http.ErrAbortHandler
	defer func() {
		if got, _ := recover().(error); !errors.Is(got, http.ErrAbortHandler) {
			t.Errorf("got %v, want the abort to reach net/http", got)
		}
		if line := b.lines(t)[0]; line["status"] != 499.0 || line["level"] != "INFO" {
			t.Errorf("got %v", line)
		}
		if diff := cmp.Diff(map[string]uint64{"GET /connect/:ticket 4xx": 1}, observedRoutes(t, b)); diff != "" {
			t.Errorf("metrics (-want +got):\n%s", diff)
		}
	}()
	b.asBrowser("GET", "/connect/"+aTicket)
}

// TestUnmatched: an envelope for the host's paths and for whoever brings the host's header.
func TestUnmatched(t *testing.T) {
	for _, tc := range []struct {
		method, path string
		secret       bool
		status       int
		page         bool
		allow        string
	}{
		{"GET", "/", false, 404, true, ""},
		{"GET", "/", true, 404, false, ""},
		{"PATCH", "/cards/7/click", true, 404, false, ""},
		{"GET", "/auth", false, 404, true, ""},
		{"GET", "/auth/gh", false, 405, false, "POST"},
		{"GET", "/call/gh", false, 404, false, ""},
		{"GET", "/call", false, 404, true, ""},
		{"GET", "/auth/gh/x/y", false, 404, false, ""},
		{"POST", "/linked-accounts/1", false, 405, false, "DELETE"},
		{"DELETE", "/connect/" + aTicket, true, 405, true, "GET, POST"},
		{"GET", "/connect/a/b/c", true, 404, true, ""},
		{"PUT", "/callback/gh", false, 405, true, "GET, POST"},
	} {
		t.Run(tc.method+" "+tc.path, func(t *testing.T) {
			b := newBench(t)
			var headers []string
			if tc.secret {
				headers = []string{"blink-auth-proxysecret", "anything"}
			}
			w := b.do(tc.method, tc.path, "", headers...)
			if w.Code != tc.status || isPage(w) != tc.page {
				t.Errorf("got %d, page %v; want %d, page %v", w.Code, isPage(w), tc.status, tc.page)
			}
			if !tc.page {
				decode(t, w)
			}
			for _, method := range strings.Split(tc.allow, ", ") {
				if !strings.Contains(w.Header().Get("Allow"), method) {
					t.Errorf("got Allow %q, want %q in it", w.Header().Get("Allow"), method)
				}
			}
		})
	}
}

func TestMetrics(t *testing.T) {
	b := newBench(t, withApp)
	b.asHost("POST", "/auth/gh", "")
	b.asHost("POST", "/auth/other", "")
	b.do("POST", "/auth/gh", "")
	b.do("BREW", "/nowhere/"+aTicket, "")
	b.asHost("BREW", "/call/gh/private", "")
	b.asHost("GET", "/call/other/private/too", "")
	b.do("GET", "/call/gh/private", "")
	b.asHost("BREW", "/private", "")
	b.asHost("GET", "/", "")
	b.do("GET", "/private", "", "blink-auth-proxysecret", "wrong")
	want := map[string]uint64{
		"POST /auth/:auth_id 2xx":  2,
		"POST /auth/:auth_id 4xx":  1,
		"any /call/:auth_id/* 2xx": 2,
		"any /call/:auth_id/* 4xx": 1,
		"any app 2xx":              2,
		"any app 4xx":              1,
		"other other 4xx":          1,
	}
	if diff := cmp.Diff(want, observedRoutes(t, b)); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}

// observedRoutes are how many requests were counted, by method, route and status class.
func observedRoutes(t *testing.T, b *bench) map[string]uint64 {
	t.Helper()
	families, err := b.server.Metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]uint64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			if n := m.GetHistogram().GetSampleCount(); n > 0 {
				got[strings.Join(labels, " ")] = n
			}
		}
	}
	return got
}

func TestLargeBodiesAreRefused(t *testing.T) {
	b := newBench(t)
	w := b.doBody("/auth/gh", strings.Repeat("x", inbound.BodyLimit+1), false)
	if code, _ := decode(t, w); w.Code != 413 || code != "PAYLOAD_TOO_LARGE" || len(b.calls) > 0 {
		t.Errorf("got %d %s, calls %v; want 413 and none", w.Code, code, b.calls)
	}
}
