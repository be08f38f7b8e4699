package appproxy

import (
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"sync"
	"time"
)

// Limits of the connections to the app.
const (
	dialTimeout     = 5 * time.Second
	tlsTimeout      = 10 * time.Second
	continueTimeout = time.Second     // Expect: 100-continue; then the body goes without being asked for
	idleTimeout     = 4 * time.Second // shorter than most app servers', so that we seldom meet a dead connection
	idleMost        = 256
	headerMost      = 1 << 20 // bytes of an answer's headers
	bufferSize      = 32 << 10
)

// flushAfter is how long a piece of an answer of known length may wait for the next, so that both go
// out in one packet.
const flushAfter = 10 * time.Millisecond

// passing is what every request's ReverseProxy has in common. It logs nothing, for it would repeat what
// the app has said.
func passing(headerTimeout time.Duration) httputil.ReverseProxy {
	return httputil.ReverseProxy{
		Transport:     newTransport(headerTimeout),
		FlushInterval: flushAfter,
		BufferPool:    newBuffers(),
		ErrorLog:      slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
}

// newTransport connects to the app and nowhere else: to whatever address its name has, and through no
// proxy of the environment, for tokens pass here.
func newTransport(headerTimeout time.Duration) *http.Transport {
	return &http.Transport{
		DialContext:            (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSHandshakeTimeout:    tlsTimeout,
		ResponseHeaderTimeout:  headerTimeout,
		ExpectContinueTimeout:  continueTimeout,
		IdleConnTimeout:        idleTimeout,
		MaxIdleConns:           idleMost,
		MaxIdleConnsPerHost:    idleMost,
		MaxResponseHeaderBytes: headerMost,
		DisableCompression:     true, // what passes through is as it came
		ForceAttemptHTTP2:      true,
	}
}

// buffers are what answers are copied with.
type buffers struct{ pool sync.Pool }

func newBuffers() *buffers {
	return &buffers{pool: sync.Pool{New: func() any { return new([bufferSize]byte) }}}
}

// Get is of httputil.BufferPool.
func (b *buffers) Get() []byte { return b.pool.Get().(*[bufferSize]byte)[:] }

// Put is of httputil.BufferPool.
func (b *buffers) Put(buffer []byte) { b.pool.Put((*[bufferSize]byte)(buffer)) }
