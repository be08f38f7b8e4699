package call

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"linkgate/linkedaccount"
)

// TestExpectation: a body that a service may not want is not asked for before it does (RFC 9110
// §10.1.1).
func TestExpectation(t *testing.T) {
	for name, wanted := range map[string]bool{"wanted": true, "not wanted": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
				if !wanted {
					rw.WriteHeader(http.StatusExpectationFailed)
					return
				}
				io.Copy(rw, r.Body)
			}, nil).start()
			conn, answers := w.dial()
			io.WriteString(conn, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
			first, err := http.ReadResponse(answers, nil)
			if err != nil {
				t.Fatal(err)
			}
			if !wanted {
				if first.StatusCode != http.StatusExpectationFailed {
					t.Errorf("got %d, want 417 and never 100", first.StatusCode)
				}
				return
			}
			if first.StatusCode != http.StatusContinue {
				t.Fatalf("got %d, want 100", first.StatusCode)
			}
			io.WriteString(conn, "body")
			second, err := http.ReadResponse(answers, nil)
			if err != nil {
				t.Fatal(err)
			}
			read(t, second.Body, "body")
		})
	}
}

// TestAnswerBeforeTheBody: what is left of the body is not waited for, and never taken for another
// request.
func TestAnswerBeforeTheBody(t *testing.T) {
	paths := make(chan string, 10)
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		paths <- r.URL.Path
		http.NewResponseController(rw).EnableFullDuplex() // else this server waits for the body itself
	}, nil).start()
	conn, answers := w.dial()
	io.WriteString(conn, "POST /first HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nhalf")
	first, err := http.ReadResponse(answers, nil)
	if err != nil || first.StatusCode != http.StatusOK {
		t.Fatalf("got %v and %v", first, err)
	}
	io.Copy(io.Discard, first.Body)
	io.WriteString(conn, "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n")
	if second, err := http.ReadResponse(answers, nil); err == nil {
		t.Errorf("then got an answer with status %d", second.StatusCode)
	}
	close(paths)
	for path := range paths {
		if path != "/first" {
			t.Errorf("the service saw %s", path)
		}
	}
}

// TestNobodySendsTheRest: a client with an answer to half a body does not hold its connection for
// long.
func TestNobodySendsTheRest(t *testing.T) {
	w := newWorld(t, func(rw http.ResponseWriter, _ *http.Request) {
		http.NewResponseController(rw).EnableFullDuplex() // else this server waits for the body itself
	}, nil).start()
	w.connection().stall = 100 * time.Millisecond
	conn, answers := w.dial()
	io.WriteString(conn, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nhalf")
	if res, err := http.ReadResponse(answers, nil); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("got %v and %v", res, err)
	}
	if rest, err := io.ReadAll(answers); err != nil {
		t.Errorf("then got %q and %v, want the connection closed", rest, err)
	}
}

// TestUnwantedBody: a service that refuses a request before its body, and keeps the connection,
// does not get the body. So another attempt can.
func TestUnwantedBody(t *testing.T) {
	long := strings.Repeat("b", maxKept+1)
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer "+newToken {
			io.Copy(rw, r.Body)
			return
		}
		conn, _, err := http.NewResponseController(rw).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		io.WriteString(conn, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
		if body, err := io.ReadAll(conn); err != nil || len(body) != 0 {
			t.Errorf("the service got %d bytes and %v", len(body), err)
		}
	}, nil).start()
	w.tokens.rejected = func(o *linkedaccount.Opened) (*linkedaccount.Opened, error) {
		time.Sleep(50 * time.Millisecond) // in which the body could go out
		return renews(o)
	}
	_, text := w.want(http.StatusOK, nil, "POST", "/", long, "Expect", "100-continue")
	if text != long {
		t.Errorf("got %d bytes, want %d", len(text), len(long))
	}
}
