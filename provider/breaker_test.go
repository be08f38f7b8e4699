package provider

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"linkgate/secret"
)

// pipes is a network for one server without sockets, so that time in a bubble can pass.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	close sync.Once
	addr  net.Addr
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.close.Do(func() { close(p.done) })
	return nil
}

func (p *pipes) Addr() net.Addr { return p.addr }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

// openPiped opens an oauth2 connection to a service of its own, within a bubble.
func openPiped(t *testing.T, log *slog.Logger) (*service, *Provider) {
	t.Helper()
	s := unstartedService(t)
	network := &pipes{conns: make(chan net.Conn), done: make(chan struct{}), addr: s.Listener.Addr()}
	s.Listener.Close()
	s.Listener = network
	s.Start()
	p, err := New(s.oauth2(), Deps{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	transport := p.Redirector.(*oauth2Redirector).client.transport.(*http.Transport)
	transport.DialContext = network.dial
	t.Cleanup(transport.CloseIdleConnections)
	return s, p
}

// hang answers nothing until the caller is gone.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// exchange runs an Exchange with a code, and no more.
func exchange(ctx context.Context, s *service, p *Provider) error {
	_, err := p.Redirector.Exchange(ctx, s.begin(p), Callback{Code: secret.New(theCode)})
	return err
}

// exchangeAtOnce runs n of them side by side and tells how many were held back.
func exchangeAtOnce(t *testing.T, n int, s *service, p *Provider) (held int) {
	t.Helper()
	attempt := s.begin(p)
	var mu sync.Mutex
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			_, err := p.Redirector.Exchange(t.Context(), attempt, Callback{Code: secret.New(theCode)})
			var failure *Error
			if !errors.As(err, &failure) || !errors.Is(err, ErrUnavailable) {
				t.Errorf("want ErrUnavailable, got %v", err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if failure.RetryAfter == breakerPause {
				held++
			}
		})
	}
	all.Wait()
	return held
}

// TestHangingService follows a service from its first hang to its return.
func TestHangingService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logged bytes.Buffer
		s, p := openPiped(t, slog.New(slog.NewTextHandler(&logged, nil)))
		sound, other := openPiped(t, nil)
		s.answer("/token", hang)

		if held := exchangeAtOnce(t, breakerFailures, s, p); held != 0 {
			t.Errorf("before the breaker opened %d were held back", held)
		}
		if held := exchangeAtOnce(t, 10, s, p); held != 10 || s.codesSeen() != breakerFailures {
			t.Errorf("open: want 10 held back and no more codes than %d, got %d and %d", breakerFailures, held, s.codesSeen())
		}
		if _, err := p.Redirector.(*oauth2Redirector).identifier.Identify(t.Context(), theCredential()); !errors.Is(err, ErrUnavailable) || s.count("/me") != 0 {
			t.Errorf("open: another leg was sent %d times, %v", s.count("/me"), err)
		}
		if err := exchange(t.Context(), sound, other); err != nil {
			t.Errorf("another provider is held up: %v", err)
		}

		time.Sleep(breakerPause + 1)
		if held := exchangeAtOnce(t, 10, s, p); held != 9 || s.codesSeen() != breakerFailures+1 {
			t.Errorf("after the pause: want one probe, got %d held back and %d codes", held, s.codesSeen())
		}
		time.Sleep(breakerPause + 1)
		ctx, cancel := context.WithCancel(t.Context())
		s.answer("/token", func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() })
		if err := exchange(ctx, s, p); !errors.Is(err, context.Canceled) {
			t.Errorf("want a probe whose caller gives up, got %v", err)
		}
		s.answer("/token", nil)
		for range 3 {
			if err := exchange(t.Context(), s, p); err != nil {
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

// TestWhatOpensTheBreaker has a token endpoint answer the same way again and again.
func TestWhatOpensTheBreaker(t *testing.T) {
	tests := map[string]struct {
		answer http.HandlerFunc
		opens  bool
	}{
		"500":                   {replying(500, ``), true},
		"503":                   {replying(503, ``), true},
		"dropped":               {drop, true},
		"dropped within":        {dropHalfway, true},
		"endless":               {endless, true},
		"HTML":                  {replying(200, `<html>`), true},
		"null":                  {replying(200, `null`), true},
		"redirect":              {moved(307, ``), true},
		"unavailable, with 200": {replying(200, `{"error":"temporarily_unavailable"}`), true},
		"invalid_grant":         {replying(400, `{"error":"invalid_grant"}`), false},
		"invalid_client":        {replying(401, `{"error":"invalid_client"}`), false},
		"HTML with 403":         {replying(403, `<html>`), false},
		"408":                   {replying(408, ``), false},
		"429":                   {replying(429, ``), false},
		"refusal with 200":      {replying(200, `{"error":"invalid_code"}`), false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			p := s.open(s.oauth2())
			s.answer("/token", test.answer)
			want := breakerFailures + 1
			if test.opens {
				want = breakerFailures
			}
			for range breakerFailures + 1 {
				if err := exchange(t.Context(), s, p); err == nil {
					t.Error("no error")
				}
			}
			if got := s.codesSeen(); got != want {
				t.Errorf("codes sent: want %d, got %d", want, got)
			}
		})
	}
}

// TestFailuresInARow: a success in between starts the count anew.
func TestFailuresInARow(t *testing.T) {
	s := newService(t)
	p := s.open(s.oauth2())
	for range 3 {
		s.answer("/token", replying(500, ``))
		for range breakerFailures - 1 {
			if err := exchange(t.Context(), s, p); !errors.Is(err, ErrUnavailable) {
				t.Errorf("want ErrUnavailable, got %v", err)
			}
		}
		s.answer("/token", nil)
		if err := exchange(t.Context(), s, p); err != nil {
			t.Fatal(err)
		}
	}
}

// TestGivingUpOpensNothing: users who close the window say nothing about the service.
func TestGivingUpOpensNothing(t *testing.T) {
	s := newService(t)
	p := s.open(s.oauth2())
	for range 2 * breakerFailures {
		ctx, cancel := context.WithCancel(t.Context())
		s.answer("/token", func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() })
		if err := exchange(ctx, s, p); !errors.Is(err, context.Canceled) {
			t.Errorf("want context.Canceled, got %v", err)
		}
		late, end := context.WithDeadline(t.Context(), time.Unix(0, 0)) // nothing can be sent within it
		if err := exchange(late, s, p); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("want context.DeadlineExceeded, got %v", err)
		}
		end()
	}
	s.answer("/token", nil)
	if err := exchange(t.Context(), s, p); err != nil {
		t.Errorf("after those: %v", err)
	}
}

// TestRevocationsStandApart: neither do they keep users from signing in, nor the other way round.
func TestRevocationsStandApart(t *testing.T) {
	for name, open := range map[string]func(*service) Connection{"oauth2": (*service).oauth2, "oidc": (*service).oidc} {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			p := s.open(open(s))
			s.answer("/revoke", replying(503, ``))
			for range breakerFailures + 1 {
				if err := p.Revoker.Revoke(t.Context(), theCredential()); !errors.Is(err, ErrUnavailable) {
					t.Errorf("want ErrUnavailable, got %v", err)
				}
			}
			if got := s.count("/revoke"); got != breakerFailures {
				t.Errorf("revocations sent: want %d, got %d", breakerFailures, got)
			}
			if _, err := s.connect(p); err != nil {
				t.Errorf("signing in: %v", err)
			}
			p = s.open(open(s))
			s.answer("/revoke", nil)
			s.answer("/token", replying(503, ``))
			for range breakerFailures + 1 {
				_, _ = s.connect(p)
			}
			if err := p.Revoker.Revoke(t.Context(), theCredential()); err != nil {
				t.Errorf("revoking: %v", err)
			}
		})
	}
}
