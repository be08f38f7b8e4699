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
			for range 20 { // the transport may still toss a coin
				synctest.Test(t, func(t *testing.T) { refreshLate(t, test.takes, test.within, test.want) })
			}
		})
	}
}

// lingering closes a second late, so that whatever is going to be written arrives.
type lingering struct{ net.Conn }

func (l lingering) Close() error {
	time.AfterFunc(time.Second, func() { _ = l.Conn.Close() })
	return nil
}

// refreshLate refreshes with so much time (zero: all of it) over a connection that takes long to dial.
func refreshLate(t *testing.T, dialling, within time.Duration, want int) {
	s, p := openPiped(t, nil)
	transport := p.Refresher.(*refresher).client.transport.(*http.Transport)
	dial := transport.DialContext
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		time.Sleep(dialling)
		conn, err := dial(ctx, network, address)
		return lingering{conn}, err
	}
	var by time.Time
	if within != 0 {
		by = time.Now().Add(within)
	}
	_, err := p.Refresher.Refresh(t.Context(), theCredential(), by)
	time.Sleep(2 * time.Second)
	if got := s.count("/token"); got != want {
		t.Errorf("requests at the service: want %d, got %d", want, got)
	}
	var failure *Error
	if want == 0 && (!errors.Is(err, ErrUnavailable) || !errors.As(err, &failure) || failure.Code != "not sent, for its time had passed") {
		t.Errorf("want ErrUnavailable, not sent, got %v", err)
	}
	if want == 1 && err != nil {
		t.Error(err)
	}
}

// TestNothingIsSentLateOverAUsedConnection, which is there at once: what writes the request must not
// be faster than what stops it.
func TestNothingIsSentLateOverAUsedConnection(t *testing.T) {
	for version, newServer := range map[string]func(*testing.T) *service{"HTTP/1.1": newService, "HTTP/2": newTLSService} {
		t.Run(version, func(t *testing.T) {
			s := newServer(t)
			p := s.open(s.oauth2())
			for range 50 { // a race would not be won each time
				warm(t, s, p, version)
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
		})
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
