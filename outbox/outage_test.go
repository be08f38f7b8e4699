package outbox_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"linkgate/database"
	"linkgate/database/databasetest"
	"linkgate/outbox"
	"linkgate/secret"
	"linkgate/testservers"
)

// Run goes through an outage of the database, logs it once, and goes on.
func TestRunOutlivesAnOutage(t *testing.T) {
	url := testservers.Postgres(t)
	proxy := testservers.Proxy(t, url)
	direct := databasetest.Open(t, database.Options{URL: secret.New(url)})
	var handled atomic.Int64
	b := newBench(databasetest.Open(t, database.Options{URL: secret.New(proxy.URL())}),
		func(context.Context, outbox.Message) error { handled.Add(1); return nil })
	var log syncBuffer
	b.Log = slog.New(slog.NewTextHandler(&log, nil))
	due := outbox.Message{Kind: "k", DueAt: time.Now().Add(-time.Minute)}
	ctx, stop := context.WithCancel(t.Context())
	var ended sync.WaitGroup
	ended.Go(func() { _ = b.Run(ctx) })

	add(t, direct, due)
	eventually(t, "the first message is done", func() bool { return handled.Load() == 1 })
	for range 2 {
		before := handled.Load()
		proxy.Cut()
		eventually(t, "the outage is noticed", func() bool { return log.count("waits for the database") == int(before) })
		add(t, direct, due)
		time.Sleep(50 * time.Millisecond) // ten looks
		proxy.Restore()
		eventually(t, "the message is done after the outage", func() bool { return handled.Load() == before+1 })
	}
	stop()
	ended.Wait()
	if n := log.count("waits for the database"); n != 2 {
		t.Errorf("two outages are logged %d times", n)
	}
}

func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for range 10_000 {
		if cond() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("never: %s", what)
}

// syncBuffer is a log that may be read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) count(text string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Count(s.b.String(), text)
}
