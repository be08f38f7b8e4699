package call

import (
	"log/slog"
	"net/http"
	"net/http/httputil"
	"strings"
	"sync"
	"time"
)

// ReverseProxy passes on at once what comes of an answer of unknown length. Where the length is known
// a piece waits for the next for flushAfter, so that both go out in one packet. An answer of up to
// maxWhole is passed on whole, for a timer costs as much as the rest that is done for it here.
const (
	flushAfter = 10 * time.Millisecond
	maxWhole   = 2 << 10 // bytes
)

// passing is what is the same in every exchange's ReverseProxy. It logs nothing, for it would repeat
// what the service has said.
func passing() httputil.ReverseProxy {
	return httputil.ReverseProxy{
		FlushInterval: flushAfter,
		BufferPool:    new(bufferPool),
		ErrorLog:      slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
}

// isEventStream tells an answer of which every piece is passed on at once, whatever its length.
func isEventStream(h http.Header) bool {
	kind, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	return strings.EqualFold(strings.TrimSpace(kind), "text/event-stream")
}

const bufferSize = 32 << 10

// bufferPool lends what bodies are copied with.
type bufferPool struct{ buffers sync.Pool }

// Get implements httputil.BufferPool.
func (p *bufferPool) Get() []byte {
	if b, ok := p.buffers.Get().(*[bufferSize]byte); ok {
		return b[:]
	}
	return make([]byte, bufferSize)
}

// Put implements httputil.BufferPool.
func (p *bufferPool) Put(b []byte) { p.buffers.Put((*[bufferSize]byte)(b)) }
