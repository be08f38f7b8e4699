package call

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"linkgate/provider"
)

// hasty starts a world whose server has time limits that a call outlasts.
func hasty(t *testing.T, service http.HandlerFunc, change func(*Options, *provider.Connection)) *world {
	w := newWorld(t, service, change)
	w.front.Config.ReadTimeout, w.front.Config.WriteTimeout = 100*time.Millisecond, 200*time.Millisecond
	return w.start()
}

// TestLongCalls outlast the server's limits, whichever side takes its time.
func TestLongCalls(t *testing.T) {
	const pieces, pause = 5, 100 * time.Millisecond
	want := strings.Repeat("piece", pieces)
	service := func(answers, reads time.Duration) http.HandlerFunc {
		return func(rw http.ResponseWriter, r *http.Request) {
			time.Sleep(reads)
			body, _ := io.ReadAll(r.Body)
			for _, piece := range strings.SplitAfter(string(body), "piece") {
				time.Sleep(answers)
				io.WriteString(rw, piece)
				http.NewResponseController(rw).Flush()
			}
		}
	}
	slowly := func() io.Reader {
		body, sending := io.Pipe()
		go func() {
			defer sending.Close()
			for range pieces {
				time.Sleep(pause)
				io.WriteString(sending, "piece")
			}
		}()
		return body
	}
	for name, test := range map[string]struct {
		service http.HandlerFunc
		body    io.Reader
	}{
		"a long answer":     {service(pause, 0), strings.NewReader(want)},
		"a long body":       {service(0, 0), slowly()},
		"a late answer":     {service(0, 500*time.Millisecond), strings.NewReader(want)},
		"a long time, both": {service(pause, 0), slowly()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := hasty(t, test.service, nil)
			res, text := w.ask("POST", "/", test.body)
			if err := w.err(); err != nil || res.StatusCode != http.StatusOK || text != want {
				t.Errorf("got %d, %q and %v", res.StatusCode, text, err)
			}
		})
	}
	t.Run("an answer in large pieces", func(t *testing.T) {
		t.Parallel()
		piece := make([]byte, 100_000)
		w := hasty(t, func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Length", strconv.Itoa(2*len(piece)))
			for range 2 {
				time.Sleep(600 * time.Millisecond)
				rw.Write(piece)
			}
		}, nil)
		w.connection().stall = 400 * time.Millisecond
		w.want(http.StatusOK, nil, "GET", "/", "")
	})
	t.Run("a late failure", func(t *testing.T) {
		t.Parallel()
		w := hasty(t, hang, func(o *Options, _ *provider.Connection) { o.HeaderTimeout = 400 * time.Millisecond })
		w.want(failed, ErrTimeout, "GET", "/", "")
	})
	t.Run("a late end", func(t *testing.T) {
		// of an answer whose last byte has long been sent
		t.Parallel()
		w := hasty(t, func(rw http.ResponseWriter, _ *http.Request) {
			io.WriteString(rw, "all")
			http.NewResponseController(rw).Flush()
			time.Sleep(400 * time.Millisecond)
		}, nil)
		w.connection().stall = 100 * time.Millisecond
		w.want(http.StatusOK, nil, "GET", "/", "")
	})
}

// TestClientStalls: one that gets nowhere is given up, and it is not the service's fault.
func TestClientStalls(t *testing.T) {
	left := make(chan struct{}, 1)
	t.Run("sending", func(t *testing.T) {
		w := newWorld(t, func(_ http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			left <- struct{}{}
		}, nil).start()
		w.connection().stall = 100 * time.Millisecond
		conn, _ := w.dial()
		io.WriteString(conn, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nhalf")
		if err := w.err(); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
		<-left
	})
	t.Run("reading", func(t *testing.T) {
		w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				rw.Write(make([]byte, bufferSize))
			}
			left <- struct{}{}
		}, nil).start()
		w.connection().stall = 100 * time.Millisecond
		conn, _ := w.dial()
		io.WriteString(conn, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		select {
		case <-left:
		case <-time.After(20 * time.Second):
			t.Error("the service still sends to nobody")
		}
	})
}

// TestServiceStalls: one that takes no more of a body is given up, however much there is to come.
func TestServiceStalls(t *testing.T) {
	goOn := make(chan struct{})
	w := newWorld(t, func(http.ResponseWriter, *http.Request) { <-goOn }, func(o *Options, _ *provider.Connection) {
		o.HeaderTimeout = 200 * time.Millisecond
	}).start()
	defer close(goOn)
	conn, answers := w.dial()
	go func() {
		io.WriteString(conn, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000\r\n\r\n")
		io.CopyN(conn, endless{}, 100_000_000)
	}()
	if err := w.err(); !errors.Is(err, ErrTimeout) {
		t.Errorf("got %v, want ErrTimeout", err)
	}
	if res, err := http.ReadResponse(answers, nil); err != nil || res.StatusCode != failed {
		t.Errorf("the client got %v and %v", res, err)
	}
}

// slowBody comes in pieces, each after a pause.
type slowBody struct {
	pause  time.Duration
	pieces int
}

func (b *slowBody) Read(p []byte) (int, error) {
	if b.pieces == 0 {
		return 0, io.EOF
	}
	time.Sleep(b.pause)
	b.pieces--
	return copy(p, "piece"), nil
}

// TestSlowClientIsNoOutage: the service's time does not run while the client is waited for.
func TestSlowClientIsNoOutage(t *testing.T) {
	for name, test := range map[string]struct {
		pause, answer time.Duration // before each piece of the body, and after it
		want          error
	}{
		"slower than a service may be": {DefaultHeaderTimeout * 2, 0, nil},
		"and then the service":         {DefaultHeaderTimeout / 3, DefaultHeaderTimeout - 1, nil},
		"and then no service":          {DefaultHeaderTimeout / 3, DefaultHeaderTimeout + 1, ErrTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newBubble(t, func(rw http.ResponseWriter, r *http.Request) {
					body, _ := io.ReadAll(r.Body)
					time.Sleep(test.answer)
					rw.Write(body)
				}, nil)
				r := httptest.NewRequestWithContext(t.Context(), "POST", "/", &slowBody{test.pause, 2})
				rec := httptest.NewRecorder()
				err := w.proxy.Serve(rec, r, Target{HostUserID: theUser, AuthID: theAuthID, Path: "/"})
				if !errors.Is(err, test.want) || err == nil && rec.Body.String() != "piecepiece" {
					t.Errorf("got %v and %q, want %v", err, rec.Body, test.want)
				}
			})
		})
	}
}
