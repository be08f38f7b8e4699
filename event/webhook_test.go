package event_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"linkgate/database"
	"linkgate/database/databasetest"
	"linkgate/event"
	"linkgate/outbox"
	"linkgate/provider"
	"linkgate/secret"
)

// TestReceiverIsDownForAnHour: everything arrives once it is back, what has happened meanwhile too,
// in order for each account. The receiver verifies each attempt with both secrets.
func TestReceiverIsDownForAnHour(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		const accounts = 6
		w := newWorld(t, db)
		w.fail.Store(http.StatusServiceUnavailable)
		round := func() {
			for i := range accounts {
				w.append(t, refreshed(fmt.Sprint("acc_", i)))
			}
		}
		round()
		w.run(t)
		for passed := time.Duration(0); passed < time.Hour; passed += 5 * time.Minute {
			before := w.failed.Load()
			w.forward(t, time.Minute, func() bool { return w.failed.Load() > before })
			round()
		}
		if n := len(w.arrived()); n != 0 {
			t.Fatalf("%d have arrived", n)
		}
		w.fail.Store(0)
		w.forward(t, time.Minute, func() bool { return len(w.arrived()) == len(w.logged(t)) })
		w.wantInOrder(t)
	})
}

// TestDeadAfterThreeDays: a dead letter keeps the later ones waiting no more, and can be replayed.
func TestDeadAfterThreeDays(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.fail.Store(http.StatusInternalServerError)
		w.append(t, refreshed("acc_1"))
		begin := w.now()
		w.run(t)
		isDead := func() bool { _, dead := w.owed(t); return dead == 1 }
		w.forward(t, 20*time.Minute, isDead)
		// The clock runs ahead of a busy machine; but it is not a week, as for other promises.
		if after := w.now().Sub(begin); after < 72*time.Hour || after > 6*24*time.Hour {
			t.Errorf("given up after %v", after)
		}
		w.fail.Store(0)
		w.append(t, refreshed("acc_1"))
		w.forward(t, 0, func() bool { return len(w.arrived()) == 1 })
		first := w.logged(t)[0].ID
		if err := w.log.Replay(t.Context(), w.box, []string{first}); err != nil {
			t.Fatal(err)
		}
		w.forward(t, 0, func() bool { return len(w.arrived()) == 2 })
		if got := w.arrived()[1].ID; got != first {
			t.Errorf("replayed %s, want %s", got, first)
		}
	})
}

// TestReplay sends once more what had arrived, in order and under the same ids.
func TestReplay(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		for range 5 {
			w.append(t, refreshed("acc_1"))
		}
		w.run(t)
		w.forward(t, 0, func() bool { return len(w.arrived()) == 5 })
		w.forward(t, 0, func() bool { pending, _ := w.owed(t); return pending == 0 })
		all := w.logged(t)
		w.forget()
		if err := w.log.Replay(t.Context(), w.box, []string{all[3].ID, "evt_none"}); !errors.Is(err, event.ErrNotFound) {
			t.Errorf("an unknown id: %v", err)
		}
		if err := w.log.Replay(t.Context(), w.box, []string{all[3].ID, all[1].ID, all[3].ID}); err != nil {
			t.Fatal(err)
		}
		w.forward(t, 0, func() bool { return len(w.arrived()) == 2 })
		if got := w.arrived(); got[0].ID != all[1].ID || got[1].ID != all[3].ID {
			t.Errorf("replayed %v", got)
		}
		w.forward(t, 0, func() bool { pending, _ := w.owed(t); return pending == 0 })
		w.forget()
		if n, err := w.log.CountSince(t.Context(), all[0].At); n != 5 || err != nil {
			t.Errorf("%d since then, %v", n, err)
		}
		if n, err := w.log.ReplaySince(t.Context(), w.box, all[0].At); n != 5 || err != nil {
			t.Errorf("replayed %d, %v", n, err)
		}
		w.forward(t, 0, func() bool { return len(w.arrived()) == 5 })
		w.wantInOrder(t)
	})
}

func newWebhook(t *testing.T, o event.WebhookOptions) *event.Webhook {
	t.Helper()
	o.Secrets = []secret.Text{secret.New(oldSecret)}
	w, err := event.NewWebhook(o)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

var private = provider.Deps{AllowPrivateNetworks: true}

// TestAnswers: 2xx is done, and nothing else is; a redirect is not followed.
func TestAnswers(t *testing.T) {
	t.Parallel()
	var followed atomic.Bool
	mux := http.NewServeMux()
	mux.HandleFunc("/elsewhere", func(http.ResponseWriter, *http.Request) { followed.Store(true) })
	mux.HandleFunc("/{status}", func(w http.ResponseWriter, r *http.Request) {
		var status int
		_, _ = fmt.Sscan(r.PathValue("status"), &status)
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(strings.Repeat("a long story ", 50_000)))
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	for status, done := range map[string]bool{
		"200": true, "201": true, "202": true, "299": true, "301": false, "307": false, "308": false, "400": false, "404": false, "410": false, "429": false, "500": false,
	} {
		w := newWebhook(t, event.WebhookOptions{URL: server.URL + "/" + status, Network: private})
		err := w.Deliver(t.Context(), outbox.Message{ID: "evt_1", Payload: []byte("{}")})
		if (err == nil) != done {
			t.Errorf("%s: %v", status, err)
		}
		if err != nil && err.Error() != "the webhook answered "+status {
			t.Errorf("%s is told as %q", status, err)
		}
	}
	if followed.Load() {
		t.Error("a redirect was followed")
	}
}

// TestRetryAfter: the receiver says when it is to be asked again.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	db := databasetest.Open(t, database.Options{DataDir: t.TempDir()})
	w := newWorld(t, db)
	var answered atomic.Int64
	w.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Retry-After", "2400")
		rw.WriteHeader(http.StatusServiceUnavailable)
		answered.Add(1)
	})
	w.append(t, refreshed("acc_1"))
	w.run(t)
	w.forward(t, 0, func() bool {
		owed, err := w.box.OwedOf(t.Context(), event.Kind)
		return err == nil && owed[0].LastError != ""
	})
	owed, err := w.box.OwedOf(t.Context(), event.Kind)
	if wait := owed[0].DueAt.Sub(w.now()); err != nil || wait < 39*time.Minute || wait > 45*time.Minute {
		t.Errorf("asked again in %v, %v", wait, err)
	}
	if n := answered.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

// TestUnreachable: what went wrong is told without the address, which may have a secret in its path.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	open := httptest.NewServer(http.NotFoundHandler())
	defer open.Close()
	for want, o := range map[string]event.WebhookOptions{
		"the webhook can't be reached: connection refused":  {URL: closed.URL + "/hunter2", Network: private},
		"the webhook can't be reached: address not allowed": {URL: open.URL + "/hunter2"},
	} {
		err := newWebhook(t, o).Deliver(t.Context(), outbox.Message{ID: "evt_1", Payload: []byte("{}")})
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestSecretsAreRead(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "hunter2", "whsec_", "aHVudGVyMg=="} {
		_, err := event.NewWebhook(event.WebhookOptions{URL: "https://example.com", Secrets: []secret.Text{secret.New(oldSecret), secret.New(s)}})
		if err == nil || s != "" && strings.Contains(err.Error(), s) {
			t.Errorf("%q: %v", s, err)
		}
	}
	if _, err := event.NewWebhook(event.WebhookOptions{URL: "https://example.com"}); err == nil {
		t.Error("without a secret nothing is signed")
	}
}
