package call

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"linkgate/provider"
)

// send begins a request that goes on while it is looked at.
func (w *world) send(ctx context.Context, method string, body io.Reader, headers ...string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, w.front.URL+"/", body)
	if err != nil {
		return nil, err
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	return w.front.Client().Transport.RoundTrip(req)
}

// read reads as many bytes as want has and compares.
func read(t *testing.T, r io.Reader, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(r, got); err != nil || string(got) != want {
		t.Fatalf("got %q and %v, want %q", got, err, want)
	}
}

// TestFirstByteFirst: what a service has sent arrives before it has sent more.
func TestFirstByteFirst(t *testing.T) {
	for name, header := range map[string]http.Header{
		"of unknown length":      {},
		"of known length":        {"Content-Length": {"10000"}},
		"server-sent events":     {"Content-Type": {"text/event-stream"}},
		"events of known length": {"Content-Type": {"Text/Event-Stream; charset=utf-8"}, "Content-Length": {"1000"}},
	} {
		rest := strings.Repeat("other", 1999)
		if header["Content-Length"] != nil && header["Content-Type"] != nil {
			rest = rest[:1000-len("first")]
		}
		t.Run(name, func(t *testing.T) {
			goOn := make(chan struct{})
			w := newWorld(t, func(rw http.ResponseWriter, _ *http.Request) {
				for name, values := range header {
					rw.Header()[name] = values
				}
				flush := http.NewResponseController(rw).Flush
				flush()
				<-goOn
				io.WriteString(rw, "first")
				flush()
				<-goOn
				io.WriteString(rw, rest)
			}, nil).start()
			res, err := w.send(t.Context(), "GET", nil)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			goOn <- struct{}{}
			read(t, res.Body, "first")
			goOn <- struct{}{}
			read(t, res.Body, rest)
		})
	}
}

// TestBothWaysAtOnce: a service answers a body that is still being sent, piece for piece.
func TestBothWaysAtOnce(t *testing.T) {
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		client := http.NewResponseController(rw)
		client.EnableFullDuplex()
		client.Flush()
		piece := make([]byte, 4)
		for {
			if _, err := io.ReadFull(r.Body, piece); err != nil {
				return
			}
			rw.Write(piece)
			client.Flush()
		}
	}, nil).start()
	body, pieces := io.Pipe()
	res, err := w.send(t.Context(), "POST", body)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	for _, piece := range []string{"ping", "pong", "done"} {
		io.WriteString(pieces, piece)
		read(t, res.Body, piece)
	}
	pieces.Close()
	if rest, err := io.ReadAll(res.Body); err != nil || len(rest) != 0 {
		t.Errorf("then got %q and %v", rest, err)
	}
}

// TestTrailers go both ways (RFC 9110 §6.5), without what must not.
func TestTrailers(t *testing.T) {
	var seen http.Header
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		seen = r.Trailer
		rw.Header().Set("Trailer", "X-Announced, Set-Cookie")
		io.WriteString(rw, "answer")
		rw.Header().Set("X-Announced", "1")
		rw.Header().Set("Set-Cookie", "a=b")
		rw.Header().Set(http.TrailerPrefix+"X-Sudden", "2")
		rw.Header().Set(http.TrailerPrefix+"X-Sudden-Echo", theToken)
	}, func(_ *Options, c *provider.Connection) { c.Credential.Header = "X-Api-Key" }).start()
	req, err := http.NewRequestWithContext(t.Context(), "POST", w.front.URL, io.MultiReader(strings.NewReader("body")))
	if err != nil {
		t.Fatal(err)
	}
	req.Trailer = http.Header{"X-Sum": {"4"}, "Authorization": {"Bearer forged"}, "X-Api-Key": {"forged"}, "Blink-Auth-Userid": {"other"}}
	res, err := w.front.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if text, err := io.ReadAll(res.Body); err != nil || string(text) != "answer" {
		t.Errorf("got %q and %v", text, err)
	}
	if diff := cmp.Diff(http.Header{"X-Sum": {"4"}}, seen); diff != "" {
		t.Errorf("request's trailer (-want +got):\n%s", diff)
	}
	got := http.Header{}
	for name, values := range res.Trailer {
		if values != nil { // else announced and not sent
			got[name] = values
		}
	}
	if diff := cmp.Diff(http.Header{"X-Announced": {"1"}, "X-Sudden": {"2"}}, got); diff != "" {
		t.Errorf("answer's trailer (-want +got):\n%s", diff)
	}
}

// TestCallerLeaves: the service learns of it, before its answer and during it.
func TestCallerLeaves(t *testing.T) {
	for name, begins := range map[string]bool{"before the answer": false, "during the answer": true} {
		t.Run(name, func(t *testing.T) {
			arrived, left := make(chan struct{}), make(chan struct{})
			w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
				if begins {
					io.WriteString(rw, "first")
					http.NewResponseController(rw).Flush()
				}
				close(arrived)
				<-r.Context().Done()
				close(left)
			}, nil).start()
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			go func() {
				<-arrived
				leave()
			}()
			res, err := w.send(ctx, "GET", nil)
			if err == nil {
				_, err = io.ReadAll(res.Body)
				res.Body.Close()
			}
			if !errors.Is(err, context.Canceled) {
				t.Errorf("the client got %v", err)
			}
			select {
			case <-left:
			case <-time.After(10 * time.Second):
				t.Error("the service still thinks that somebody waits")
			}
			if !begins {
				if err := w.err(); !errors.Is(err, context.Canceled) {
					t.Errorf("Serve: got %v, want context.Canceled", err)
				}
			}
		})
	}
}

// TestAnswerBreaksOff: the client must not take half an answer for the whole.
func TestAnswerBreaksOff(t *testing.T) {
	for name, service := range map[string]http.HandlerFunc{
		"of known length":   raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
		"of unknown length": raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, service, nil).start()
			res, err := w.send(t.Context(), "POST", nil) // which the client does not try again
			if err == nil {
				_, err = io.ReadAll(res.Body)
				res.Body.Close()
			}
			if !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
				t.Errorf("got %v, want the connection cut off", err)
			}
		})
	}
}

// TestServiceGone: what a service, or its address, does instead of answering.
func TestServiceGone(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	loopback := func(o *Options, _ *provider.Connection) { o.AllowPrivateNetworks = false }
	nowhere := func(_ *Options, c *provider.Connection) { c.Calls.BaseURL = closed.URL }
	secretly := raw("HTTP/1.1 abc " + theToken + "\r\n\r\n")
	for name, test := range map[string]struct {
		service http.HandlerFunc
		change  func(*Options, *provider.Connection)
		want    error
		why     error
	}{
		"breaks off":      {drop, nil, ErrBroken, ErrBroken},
		"speaks nonsense": {secretly, nil, ErrBroken, ErrBroken},
		"is not there":    {nil, nowhere, ErrUnavailable, errNobody},
		"is not public":   {func(http.ResponseWriter, *http.Request) { t.Error("reached") }, loopback, ErrUnavailable, errPrivate},
		"hangs":           {func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body); <-r.Context().Done() }, func(o *Options, _ *provider.Connection) { o.HeaderTimeout = 50 * time.Millisecond }, ErrTimeout, ErrTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, test.service, test.change).start()
			_, text := w.want(failed, test.want, "POST", "/", "body")
			if !strings.Contains(text, test.why.Error()) || strings.Contains(text, theToken) {
				t.Errorf("got %q, want it to say %q", text, test.why)
			}
		})
	}
}

// dial connects to the server before the proxy.
func (w *world) dial() (conn io.WriteCloser, answers *bufio.Reader) {
	w.t.Helper()
	c, err := new(net.Dialer).DialContext(w.t.Context(), "tcp", w.front.Listener.Addr().String())
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		w.t.Fatal(err)
	}
	return c, bufio.NewReader(c)
}
