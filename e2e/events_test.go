package e2e

import (
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"linkgate/demo"
	"linkgate/event"
	"linkgate/outbox"
)

const webhookSecret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"

// backEnd takes events. Its doing says with which status to answer.
type backEnd struct {
	mu    sync.Mutex
	doing func(nth int) int
	calls int
	taken []event.Event // those it has answered with 200, each once
}

func (b *backEnd) do(doing func(nth int) int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.doing, b.calls = doing, 0
}

func (b *backEnd) take(t *testing.T, w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // Linkgate was killed while it sent
	}
	check, _ := standardwebhooks.NewWebhook(webhookSecret)
	if err := check.Verify(body, r.Header); err != nil {
		t.Errorf("an event that does not verify: %v", err)
	}
	e, err := event.Of(outbox.Message{Payload: body})
	if err != nil {
		t.Error(err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls++
	status := b.doing(b.calls)
	if status == http.StatusOK && !slices.ContainsFunc(b.taken, func(had event.Event) bool { return had.ID == e.ID }) {
		b.taken = append(b.taken, e)
	}
	w.WriteHeader(status)
}

func (b *backEnd) of(accountID string) (types []event.Type) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.taken {
		if e.AccountID == accountID {
			types = append(types, e.Type)
		}
	}
	return types
}

// TestEventsSurviveKill: Linkgate is killed while its back end is down, and again in the middle of a
// delivery; in the end every event has arrived, in order for each account.
func TestEventsSurviveKill(t *testing.T) {
	t.Parallel()
	b := &backEnd{}
	b.do(func(int) int { return http.StatusServiceUnavailable })
	url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { b.take(t, w, r) }))
	w := newWorld(t, with("WEBHOOK_URL", url+"/events"), with("WEBHOOK_SECRET", webhookSecret))
	account := w.linked(t, "ada", demo.NotesOIDC, "ada")
	w.linked(t, "grace", demo.NotesOIDC, "grace")
	if err := w.Host.Disconnect(t.Context(), "ada", account.ID); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the back end has been asked", func() bool { b.mu.Lock(); defer b.mu.Unlock(); return b.calls > 0 })
	w.Linkgate.Kill()

	dying := make(chan struct{})
	b.do(func(nth int) int {
		if nth == 1 {
			close(dying)
		}
		return http.StatusServiceUnavailable
	})
	w.Linkgate.Start()
	<-dying // its request is under way, or has just been answered
	w.Linkgate.Kill()
	b.do(func(int) int { return http.StatusOK })
	w.Linkgate.Start()

	logged, err := (&event.Log{DB: w.open(t)}).After(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]event.Type{}
	for _, e := range logged {
		want[e.AccountID] = append(want[e.AccountID], e.Type)
	}
	if len(want) != 2 || len(logged) != 3 {
		t.Errorf("the log has %d events of %d accounts, want two links and a disconnect", len(logged), len(want))
	}
	for id, types := range want {
		eventually(t, "all events of "+id+" have arrived", func() bool { return len(b.of(id)) == len(types) })
		if got := b.of(id); !slices.Equal(got, types) {
			t.Errorf("%s: %v have arrived, want %v", id, got, types)
		}
	}
}
