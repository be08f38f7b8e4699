package event_test

import (
	"context"
	"database/sql"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"linkgate/database"
	"linkgate/event"
	"linkgate/outbox"
	"linkgate/provider"
	"linkgate/secret"
)

// Secrets of 24 bytes: that of before, and that which replaces it.
const (
	oldSecret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
	newSecret = "GBkaGxwdHh8gISIjJCUmJygpKissLS4v"
)

// receiver is a back end that takes events, or fails to.
type receiver struct {
	*httptest.Server
	now    func() time.Time
	fail   atomic.Int64 // the status with which it fails; 0: it takes them
	failed atomic.Int64 // how often it has
	mu     sync.Mutex
	got    []event.Event // in the order in which they arrived for the first time
	seen   map[string]bool
}

func newReceiver(t *testing.T, now func() time.Time) *receiver {
	r := &receiver{now: now, seen: map[string]bool{}}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) { r.take(t, w, q) }))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) take(t *testing.T, w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		t.Error(err)
	}
	for _, s := range []string{oldSecret, newSecret} {
		check, err := standardwebhooks.NewWebhook(s)
		if err != nil {
			t.Error(err)
		} else if err := check.VerifyIgnoringTimestamp(body, q.Header); err != nil { // of the clock below
			t.Errorf("with one of the secrets: %v", err)
		}
	}
	sent, err := strconv.ParseInt(q.Header.Get("Webhook-Timestamp"), 10, 64)
	if age := r.now().Sub(time.Unix(sent, 0)); err != nil || age.Abs() > time.Hour+5*time.Minute { // three steps of the longest test
		t.Errorf("the timestamp is %v old, %v", age, err)
	}
	if status := r.fail.Load(); status != 0 {
		r.failed.Add(1)
		w.WriteHeader(int(status))
		return
	}
	id := q.Header.Get("Webhook-Id")
	e, err := event.Of(outbox.Message{ID: id, Payload: body})
	if err != nil || e.ID != id {
		t.Errorf("the body has the id %q, the header %q, %v", e.ID, id, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.seen[id] {
		r.seen[id] = true
		r.got = append(r.got, e)
	}
}

func (r *receiver) arrived() []event.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]event.Event{}, r.got...)
}

func (r *receiver) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got, r.seen = nil, map[string]bool{}
}

// world is a log whose events are delivered to a receiver, by a clock that the test sets.
type world struct {
	*receiver
	log   *event.Log
	box   *outbox.Box
	ahead atomic.Int64 // nanoseconds
}

func newWorld(t *testing.T, db *database.DB) *world {
	w := &world{log: &event.Log{DB: db, Deliver: true}}
	now := func() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }
	w.receiver = newReceiver(t, now)
	w.log.Now = now
	webhook, err := event.NewWebhook(event.WebhookOptions{
		URL: w.URL + "/events", Secrets: []secret.Text{secret.New(newSecret), secret.New(oldSecret)},
		Network: provider.Deps{AllowPrivateNetworks: true}, Now: now,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.box = &outbox.Box{
		DB: db, Log: slog.New(slog.DiscardHandler), Now: now, Interval: 5 * time.Millisecond,
		Handlers: map[string]outbox.Handler{event.Kind: webhook.Deliver},
		Patience: map[string]outbox.Patience{event.Kind: event.Patience()},
	}
	return w
}

// forward moves the clock until cond holds, a step at a time, and waits after each step until the
// outbox has looked.
func (w *world) forward(t *testing.T, step time.Duration, cond func() bool) {
	t.Helper()
	for range 5000 {
		if cond() {
			return
		}
		w.ahead.Add(int64(step))
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("it never happened")
}

// run works the outbox off until the test ends.
func (w *world) run(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var ended sync.WaitGroup
	ended.Go(func() { _ = w.box.Run(ctx) })
	t.Cleanup(func() { stop(); ended.Wait() })
}

func (w *world) append(t *testing.T, events ...event.Event) {
	t.Helper()
	err := w.log.DB.InTx(t.Context(), func(ctx context.Context, tx *sql.Tx) error { return w.log.Append(ctx, tx, events) })
	if err != nil {
		t.Fatal(err)
	}
}

func refreshed(account string) event.Event {
	return event.Event{
		Type: event.AccountRefreshed, AccountID: account, HostUserID: "user-1", AuthID: "7f3c", Data: map[string]string{"status": "linked"},
	}
}

func (w *world) logged(t *testing.T) []event.Event {
	t.Helper()
	events, err := w.log.After(t.Context(), 0, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func (w *world) owed(t *testing.T) (pending, dead int) {
	t.Helper()
	owed, err := w.box.OwedOf(t.Context(), event.Kind)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range owed {
		if m.DeadAt.IsZero() {
			pending++
		} else {
			dead++
		}
	}
	return pending, dead
}

// wantInOrder: of each account every event has arrived, in the order of the log.
func (w *world) wantInOrder(t *testing.T) {
	t.Helper()
	got, want := map[string][]int64{}, map[string][]int64{}
	for _, e := range w.arrived() {
		got[e.AccountID] = append(got[e.AccountID], e.Sequence)
	}
	for _, e := range w.logged(t) {
		want[e.AccountID] = append(want[e.AccountID], e.Sequence)
	}
	diff(t, want, got)
}
