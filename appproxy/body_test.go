package appproxy

import (
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

func TestTrailersOfAnswers(t *testing.T) {
	w := newWorld(t, "", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Trailer", "X-Sum")
		io.WriteString(rw, "ok")
		rw.Header().Set("X-Sum", "7")
		rw.Header().Set(http.TrailerPrefix+"X-Unannounced", "8")
	})
	response, err := http.Get(w.front.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	io.Copy(io.Discard, response.Body)
	if response.Trailer.Get("X-Sum") != "7" || response.Trailer.Get("X-Unannounced") != "8" {
		t.Errorf("got trailers %v", response.Trailer)
	}
}

// TestTrailersOfRequests: those that are announced and could not be taken for ours.
func TestTrailersOfRequests(t *testing.T) {
	w := newWorld(t, "", nil)
	w.raw("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, Linkgate-User-Id, webhook_id\r\nConnection: close\r\n\r\n" +
		"1\r\nx\r\n0\r\nX-Sum: 7\r\nLinkgate-User-Id: bob\r\nwebhook_id: x\r\nX-Unannounced: 8\r\n\r\n")
	got := w.one()
	if got.trailer.Get("X-Sum") != "7" || len(got.trailer) != 1 || got.body != "x" {
		t.Errorf("got trailers %v, want X-Sum alone", got.trailer)
	}
}

// TestStalledClientsAreGivenUp, when they are waited for.
func TestStalledClientsAreGivenUp(t *testing.T) {
	t.Run("sending", func(t *testing.T) {
		w := newWorld(t, "", nil)
		w.proxy.stall = time.Second // in which the answer must be written, too
		if response, _ := w.raw("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\nConnection: close\r\n\r\nx"); response.StatusCode != 599 {
			t.Errorf("got %d", response.StatusCode)
		}
		if err := w.err(); !errors.Is(err, ErrBadRequest) || !errors.Is(err, errStalled) {
			t.Errorf("got %v, want ErrBadRequest, and that it stalled", err)
		}
	})
	t.Run("reading", func(t *testing.T) {
		gone := make(chan struct{})
		w := newWorld(t, "", func(rw http.ResponseWriter, _ *http.Request) {
			defer close(gone)
			for {
				if _, err := rw.Write(make([]byte, 1<<20)); err != nil {
					return
				}
			}
		})
		w.proxy.stall = 50 * time.Millisecond
		conn, err := net.Dial("tcp", w.front.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		io.WriteString(conn, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		<-gone
	})
}
