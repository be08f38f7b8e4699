package provider

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"
)

// TestNothingIsSentLate has the time pass while the connection is dialled: that may take long, and
// a process may be stopped in it.
func TestNothingIsSentLate(t *testing.T) {
	tests := map[string]struct {
		takes, within time.Duration
		want          int
	}{
		"in time":                {2 * time.Second, 3 * time.Second, 1},
		"late after dialling":    {4 * time.Second, 3 * time.Second, 0},
		"late from the start":    {0, -time.Second, 0},
		"no time to be late for": {4 * time.Second, 0, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, p := openPiped(t, nil)
				transport := p.Refresher.(*refresher).client.transport.(*http.Transport)
				dial := transport.DialContext
				transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
					time.Sleep(test.takes)
					return dial(ctx, network, address)
				}
				var by time.Time
				if test.within != 0 {
					by = time.Now().Add(test.within)
				}
				_, err := p.Refresher.Refresh(t.Context(), theCredential(), by)
				if got := s.count("/token"); got != test.want {
					t.Errorf("requests at the service: want %d, got %d", test.want, got)
				}
				var failure *Error
				if test.want == 0 && (!errors.Is(err, ErrUnavailable) || !errors.As(err, &failure) || failure.Code != "not sent, for its time had passed") {
					t.Errorf("want ErrUnavailable, not sent, got %v", err)
				}
				if test.want == 1 && err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestNothingIsSentLateOverHTTP2, which does not write headers and body at one go.
func TestNothingIsSentLateOverHTTP2(t *testing.T) {
	s := newTLSService(t)
	p := s.open(s.oauth2())
	warm(t, s, p, "HTTP/2")
	for range 20 { // a race would not be lost each time
		p.Refresher.(*refresher).client.breaker = newBreaker(slog.New(slog.DiscardHandler), "", "")
		_, err := p.Refresher.Refresh(t.Context(), theCredential(), time.Now().Add(-time.Second))
		var failure *Error
		if !errors.As(err, &failure) || failure.Code != "not sent, for its time had passed" {
			t.Errorf("want it not sent, got %v", err)
		}
	}
	if got := s.count("/token"); got != 0 {
		t.Errorf("requests at the service: want 0, got %d", got)
	}
	if _, err := p.Refresher.Refresh(t.Context(), theCredential(), time.Now().Add(time.Hour)); err != nil || s.count("/token") != 1 {
		t.Errorf("in time: want 1 request, got %d, %v", s.count("/token"), err)
	}
}

// TestHasPassed: one clock of the two is enough.
func TestHasPassed(t *testing.T) {
	by := time.Now() // with a monotonic reading
	tests := map[string]struct {
		now  time.Time
		want bool
	}{
		"before":                       {by.Add(-time.Second), false},
		"at that moment":               {by, false},
		"after":                        {by.Add(time.Second), true},
		"machine slept":                {skewed(by.Add(time.Second), -2*time.Second), true},
		"wall clock set back":          {skewed(by.Add(-time.Hour), 2*time.Hour), true},
		"both before, by much or less": {skewed(by.Add(-time.Hour), time.Minute), false},
	}
	for name, test := range tests {
		if got := hasPassed(by, test.now); got != test.want {
			t.Errorf("%s: got %v, want %v", name, got, test.want)
		}
	}
}

// skewed is a time whose monotonic clock has gone otherwise than its wall clock.
func skewed(t time.Time, by time.Duration) time.Time {
	monotonic := (*int64)(unsafe.Add(unsafe.Pointer(&t), unsafe.Sizeof(uint64(0)))) // after the wall clock's word
	*monotonic += int64(by)
	return t
}

// TestWatch: a process that runs has the whole of its time, and no more.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		watched, end := watch(t.Context(), time.Minute)
		time.Sleep(time.Minute - time.Nanosecond)
		synctest.Wait()
		if err := watched.Err(); err != nil {
			t.Errorf("ended before its time: %v", err)
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if err := context.Cause(watched); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("in the end: want context.DeadlineExceeded, got %v", err)
		}
		end(nil)

		watched, end = watch(t.Context(), time.Minute)
		end(nil) // its goroutine too, or the bubble would not
		if err := context.Cause(watched); !errors.Is(err, context.Canceled) {
			t.Errorf("given up: want context.Canceled, got %v", err)
		}
	})
}
