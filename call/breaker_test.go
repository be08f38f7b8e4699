package call

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"linkgate/provider"
)

// hang answers nothing until the caller is gone.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// reads reads the body and no more.
func reads(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }

// drop breaks the connection off.
func drop(rw http.ResponseWriter, _ *http.Request) {
	conn, _, err := http.NewResponseController(rw).Hijack()
	if err == nil {
		conn.Close()
	}
}

// raw answers with bytes of its own.
func raw(answer string) http.HandlerFunc {
	return func(rw http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(rw).Hijack()
		if err == nil {
			io.WriteString(conn, answer)
			conn.Close()
		}
	}
}

// callAtOnce makes n calls side by side and tells how many were held back, and how many failed with kind.
func callAtOnce(t *testing.T, w *world, n int, kind error) (held, failed int) {
	t.Helper()
	var mu sync.Mutex
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			_, err := w.call(t.Context(), "GET", "/", "")
			mu.Lock()
			defer mu.Unlock()
			var down *UnavailableError
			switch {
			case errors.As(err, &down) && errors.Is(err, errHeldBack) && down.RetryAfter == breakerPause:
				held++
			case errors.Is(err, kind):
				failed++
			}
		})
	}
	all.Wait()
	return held, failed
}

// TestHangingService follows a service from its first hang to its return. Another connection goes on
// meanwhile.
func TestHangingService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logged bytes.Buffer
		var requests atomic.Int32
		var sound atomic.Bool
		w := newBubble(t, func(rw http.ResponseWriter, r *http.Request) {
			requests.Add(1)
			if !sound.Load() {
				hang(rw, r)
			}
		}, func(o *Options, _ *provider.Connection) { o.Log = slog.New(slog.NewTextHandler(&logged, nil)) })
		other := newBubble(t, func(http.ResponseWriter, *http.Request) {}, nil)

		begin := time.Now()
		time.AfterFunc(DefaultHeaderTimeout/2, func() {
			if _, err := other.call(t.Context(), "GET", "/", ""); err != nil {
				t.Errorf("another connection is held up: %v", err)
			}
		})
		if _, failed := callAtOnce(t, w, breakerFailures, ErrTimeout); failed != breakerFailures || time.Since(begin) != DefaultHeaderTimeout {
			t.Errorf("%d timed out after %v, want %d after %v", failed, time.Since(begin), breakerFailures, DefaultHeaderTimeout)
		}
		if held, _ := callAtOnce(t, w, 10, ErrTimeout); held != 10 || requests.Load() != breakerFailures {
			t.Errorf("open: %d held back and %d requests, want 10 and %d", held, requests.Load(), breakerFailures)
		}
		time.Sleep(breakerPause + 1)
		if held, failed := callAtOnce(t, w, 10, ErrTimeout); held != 9 || failed != 1 {
			t.Errorf("after the pause: %d held back and %d timed out, want one probe", held, failed)
		}
		time.Sleep(breakerPause + 1)
		sound.Store(true)
		for range 3 {
			if _, err := w.call(t.Context(), "GET", "/", ""); err != nil {
				t.Errorf("after its return: %v", err)
			}
		}
		for _, event := range []string{"breaker opens", "breaker closes"} {
			if got := strings.Count(logged.String(), event); got != 1 {
				t.Errorf("%q logged %d times, want once:\n%s", event, got, logged.String())
			}
		}
	})
}

// TestWhatOpensTheBreaker: a service that gives no answer. Any answer is one.
func TestWhatOpensTheBreaker(t *testing.T) {
	leaves := func(t *testing.T, w *world) error {
		ctx, leave := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, leave)
		_, err := w.call(ctx, "GET", "/", "")
		return err
	}
	breaksOff := func(t *testing.T, w *world) error {
		r, err := http.NewRequestWithContext(t.Context(), "POST", "/", io.MultiReader(strings.NewReader("half"), brokenBody{}))
		if err != nil {
			return err
		}
		r.ContentLength = 100
		return w.proxy.Serve(discardingWriter{}, r, Target{HostUserID: theUser, AuthID: theAuthID, Path: "/"})
	}
	tests := map[string]struct {
		service http.HandlerFunc
		call    func(*testing.T, *world) error // nil: GET
		want    error                          // what the calls give; nil: an answer
		opens   bool
	}{
		"hangs":                {hang, nil, ErrTimeout, true},
		"breaks off":           {drop, nil, ErrBroken, true},
		"no HTTP":              {raw("220 smtp.example ESMTP\r\n"), nil, ErrBroken, true},
		"no status":            {raw("HTTP/1.1 050 Odd\r\nContent-Length: 0\r\n\r\n"), nil, ErrBroken, true},
		"protocol nobody asks": {raw("HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n"), nil, ErrBroken, false},
		"500":                  {status(500), nil, nil, false},
		"503":                  {status(503), nil, nil, false},
		"429":                  {status(429), nil, nil, false},
		"404":                  {status(404), nil, nil, false},
		"401":                  {status(401), nil, nil, false},
		"caller leaves":        {hang, leaves, context.Canceled, false},
		"half a body":          {reads, breaksOff, ErrBadBody, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newBubble(t, test.service, nil)
				call := test.call
				if call == nil {
					call = func(t *testing.T, w *world) error { _, err := w.call(t.Context(), "GET", "/", ""); return err }
				}
				for range breakerFailures {
					if err := call(t, w); !errors.Is(err, test.want) {
						t.Errorf("got %v, want %v", err, test.want)
					}
				}
				if err := call(t, w); errors.Is(err, errHeldBack) != test.opens {
					t.Errorf("open: got %v, want %v", err, test.opens)
				}
			})
		})
	}
}

func status(code int) http.HandlerFunc {
	return func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(code) }
}

// brokenBody is a client's body that is not well formed.
type brokenBody struct{}

func (brokenBody) Read([]byte) (int, error) { return 0, errors.New("malformed chunk") }

// discardingWriter is an answer that nobody looks at.
type discardingWriter struct{}

func (discardingWriter) Header() http.Header         { return http.Header{} }
func (discardingWriter) Write(p []byte) (int, error) { return len(p), nil }
func (discardingWriter) WriteHeader(int)             {}

// TestHostsStandApart: where each account has a host of its own, one that is gone is held back alone.
func TestHostsStandApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newBubble(t, func(http.ResponseWriter, *http.Request) {}, func(_ *Options, c *provider.Connection) {
			c.Identity.Settings = map[string]string{"shop": "shop"}
			c.Calls.BaseURL = "https://{shop}.service.example"
		})
		shop := func(name string) error {
			w.tokens.account.Identity.Settings = map[string]string{"shop": name}
			_, err := w.call(t.Context(), "GET", "/", "")
			return err
		}
		for range breakerFailures {
			if err := shop("gone"); !errors.Is(err, ErrUnavailable) || errors.Is(err, errHeldBack) {
				t.Errorf("no connection: got %v", err)
			}
		}
		if err := shop("gone"); !errors.Is(err, errHeldBack) {
			t.Errorf("gone: got %v, want it held back", err)
		}
		if err := shop("there"); err != nil {
			t.Errorf("another host: got %v", err)
		}
		if err := shop(""); !errors.Is(err, ErrNoTarget) {
			t.Errorf("no host: got %v, want ErrNoTarget", err)
		}
	})
}

// TestBreakersAreBounded: as many hosts as users can think of take no more than some memory.
func TestBreakersAreBounded(t *testing.T) {
	all := newBreakers(slog.New(slog.DiscardHandler), theAuthID, true)
	for i := range 2 * maxBreakers {
		host := strings.Repeat("x", i%60+1) + string(rune('a'+i/60%26)) + string(rune('a'+i/60/26%26))
		if of := all.of(host); of != all.of(host) {
			t.Fatal("a host has two breakers")
		}
	}
	if len(all.byHost) > maxBreakers {
		t.Errorf("%d breakers, want at most %d", len(all.byHost), maxBreakers)
	}
}
