package call

import (
	"io"
	"net/http"
	"runtime"
	"strconv"
	"testing"
)

// endless never ends. What it gives is whatever has been in the buffer.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// TestConstantMemory: 200 MB pass in each direction, and next to nothing of it stays.
func TestConstantMemory(t *testing.T) {
	const size, most = 200_000_000, 16 << 20
	var before, during, after runtime.MemStats
	measure := func(into *runtime.MemStats) {
		runtime.GC()
		runtime.ReadMemStats(into)
	}
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, r.Body, make([]byte, bufferSize))
		if err != nil || n != size {
			t.Errorf("the service got %d bytes and %v", n, err)
		}
		measure(&during)
		rw.Header().Set("Content-Length", strconv.Itoa(size))
		io.CopyBuffer(struct{ io.Writer }{rw}, io.LimitReader(endless{}, size), make([]byte, bufferSize))
	}, nil).start()
	measure(&before)
	req, err := http.NewRequestWithContext(t.Context(), "POST", w.front.URL, io.LimitReader(endless{}, size))
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = size
	res, err := (&http.Transport{WriteBufferSize: bufferSize, ReadBufferSize: bufferSize, DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, res.Body, make([]byte, bufferSize))
	if err != nil || n != size {
		t.Errorf("the client got %d bytes and %v", n, err)
	}
	measure(&after)
	for name, m := range map[string]runtime.MemStats{"up": during, "down": after} {
		if got, grown := m.HeapAlloc, int64(m.HeapAlloc)-int64(before.HeapAlloc); grown > most {
			t.Errorf("after the way %s: %d bytes in use, %d more than before", name, got, grown)
		}
		if got := int64(m.HeapSys) - int64(before.HeapSys); got > most {
			t.Errorf("after the way %s: the heap has grown by %d bytes", name, got)
		}
	}
}
