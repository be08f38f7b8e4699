package v1_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"linkgate/demo"
	"linkgate/secret"
)

const inBrowser = "the browser's cookie"

// opened opens a session of u_ada's.
func (w *world) opened() (id, ticket string) {
	w.t.Helper()
	answer := w.wants(http.StatusCreated, "", "POST", "/v1/sessions", `{"user_id":"u_ada","auth_id":"vault"}`)
	_, ticket, _ = strings.Cut(answer.text(w.t, "authorization_url"), "/connect/")
	return answer.text(w.t, "id"), ticket
}

// typed has u_ada type a key in her window.
func (w *world) typed(ticket, key string) {
	w.t.Helper()
	if _, err := w.connect.Open(w.t.Context(), ticket, inBrowser); err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.connect.Continue(w.t.Context(), ticket, inBrowser, map[string]secret.Text{"api_key": secret.New(key)}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) somebodyWaits() bool { return w.connect.waiting.Load() > 0 }
func (w *world) nobodyWaits() bool   { return w.connect.waiting.Load() == 0 }

func TestLongPoll(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, ticket := w.opened()
	if got := w.wants(http.StatusOK, "", "GET", "/v1/sessions/"+id, "").text(t, "status"); got != "open" {
		t.Errorf("at once: %q", got)
	}
	if got := w.wants(http.StatusOK, "", "GET", "/v1/sessions/"+id+"?wait=1ms", "").text(t, "status"); got != "open" {
		t.Errorf("after a millisecond: %q", got)
	}
	answered := make(chan got)
	go func() { answered <- w.ask("GET", "/v1/sessions/"+id+"?wait=60s", "") }()
	eventually(t, "it waits", w.somebodyWaits)
	w.typed(ticket, demo.VaultAdaKey)
	ended := <-answered
	if ended.text(t, "status") != "linked" || ended.text(t, "account_id") == "" {
		t.Errorf("got %s", ended.body)
	}
	if got := w.ask("GET", "/v1/sessions/no-such-session?wait=60s", ""); got.status != http.StatusGone {
		t.Errorf("a session that never was: %d", got.status)
	}
}

func TestLongPollHangsUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.api.SetHeartbeat(time.Hour) // or writing to nobody would end the stream
	id, _ := w.opened()
	for _, accept := range []string{"application/json", "text/event-stream"} {
		ctx, hangUp := context.WithCancel(t.Context())
		gone := make(chan error)
		go func() {
			answer, err := w.send(ctx, "GET", "/v1/sessions/"+id+"?wait=60s", nil, "Accept", accept)
			if err == nil {
				_, err = io.Copy(io.Discard, answer.Body)
				answer.Body.Close()
			}
			gone <- err
		}()
		eventually(t, accept+": it waits", w.somebodyWaits)
		hangUp()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", accept, err)
		}
		eventually(t, accept+": nobody waits for a client that has left", w.nobodyWaits)
	}
	if strings.Contains(w.log.String(), "level=ERROR") {
		t.Errorf("a client that leaves is nobody's fault:\n%s", w.log)
	}
}

// stream is a session's events, line by line.
func (w *world) stream(id string) (lines *bufio.Scanner, done func()) {
	w.t.Helper()
	answer, err := w.send(w.t.Context(), "GET", "/v1/sessions/"+id, nil, "Accept", "text/event-stream, */*;q=0.1")
	if err != nil {
		w.t.Fatal(err)
	}
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "text/event-stream" || answer.Header.Get("Cache-Control") != "no-store" {
		w.t.Fatalf("got %d %v", answer.StatusCode, answer.Header)
	}
	return bufio.NewScanner(answer.Body), func() { answer.Body.Close() }
}

// until reads lines up to one with the text, and tells whether it came.
func until(lines *bufio.Scanner, text string) bool {
	for lines.Scan() {
		if strings.Contains(lines.Text(), text) {
			return true
		}
	}
	return false
}

func TestStream(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.api.SetHeartbeat(20 * time.Millisecond)
	id, ticket := w.opened()
	lines, done := w.stream(id)
	defer done()
	if !lines.Scan() || lines.Text() != "event: status" || !until(lines, `"status":"open"`) {
		t.Fatalf("the first event: %q", lines.Text())
	}
	for range 2 {
		if !until(lines, ": still here") {
			t.Fatal("the heart does not go on beating")
		}
	}
	w.typed(ticket, demo.VaultAdaKey)
	if !until(lines, `"status":"linked"`) {
		t.Fatal("its end is not told")
	}
	for lines.Scan() {
		if lines.Text() != "" {
			t.Errorf("after its end: %q", lines.Text())
		}
	}
	if err := lines.Err(); err != nil {
		t.Errorf("the stream broke off: %v", err)
	}
	if got := w.ask("GET", "/v1/sessions/no-such-session", "", "Accept", "text/event-stream"); got.status != http.StatusGone {
		t.Errorf("a session that never was: %d", got.status)
	}
}

// TestDrain: who only waits does not keep the process.
func TestDrain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, _ := w.opened()
	answered := make(chan got)
	go func() { answered <- w.ask("GET", "/v1/sessions/"+id+"?wait=60s", "") }()
	eventually(t, "a long poll waits", w.somebodyWaits)
	lines, done := w.stream(id)
	defer done()
	if !until(lines, `"status":"open"`) {
		t.Fatal("no event")
	}
	eventually(t, "both wait", func() bool { return w.connect.waiting.Load() == 2 })
	w.server.Drain()
	if g := <-answered; g.status != http.StatusOK || g.text(t, "status") != "open" {
		t.Errorf("the long poll: %d %s", g.status, g.body)
	}
	if until(lines, "event:") || lines.Err() != nil {
		t.Errorf("the stream: %q, %v; want its end", lines.Text(), lines.Err())
	}
}
