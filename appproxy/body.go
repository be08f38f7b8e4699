package appproxy

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// body is a request's body on its way. It takes the trailers along, which are known at its end, and
// keeps why it has none if the client breaks it off: that is not the app's fault.
type body struct {
	source  io.Reader
	client  client
	in, out *http.Request
	over    atomic.Bool // the source is the server's again, and so is its deadline
	reading sync.Mutex  // held while the source is read, and guards err
	err     error       // of the source: io.EOF, or why it has no end
}

// newBody announces those trailers that the app may get (RFC 9110 §6.5.1).
func newBody(in, out *http.Request, c client) *body {
	drop(out.Trailer, isForgeable)
	return &body{source: out.Body, client: c, in: in, out: out}
}

// Read implements io.Reader. Trailers that come without having been announced stay behind.
func (b *body) Read(p []byte) (int, error) {
	b.reading.Lock()
	defer b.reading.Unlock()
	if b.over.Load() {
		return 0, http.ErrBodyReadAfterClose
	}
	b.client.reading()
	n, err := b.source.Read(p)
	if errors.Is(err, io.EOF) {
		for name := range b.out.Trailer {
			b.out.Trailer[name] = b.in.Trailer[name]
		}
	}
	b.err = err
	return n, err
}

// Close implements io.Closer. What is left is the server's.
func (b *body) Close() error { return nil }

// isWhole tells that all of it has been read.
func (b *body) isWhole() bool { return errors.Is(b.state(), io.EOF) }

// broken is why it has no end; nil if it has one, or may have.
func (b *body) broken() error {
	if err := b.state(); !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// state is what the last read has met: nil while there is one under way.
func (b *body) state() error {
	if !b.reading.TryLock() {
		return nil
	}
	defer b.reading.Unlock()
	return b.err
}

// end leaves the source to the server, which must not meet a read of the transport's that is still
// under way. The server looks a short while for the end of the body, if it wants to keep the connection.
func (b *body) end() {
	b.over.Store(true)
	if !b.reading.TryLock() {
		if b.client.SetReadDeadline(time.Unix(1, 0)) != nil {
			return
		}
		b.reading.Lock()
	}
	defer b.reading.Unlock()
	if b.err == nil {
		_ = b.client.SetReadDeadline(time.Now().Add(lingerTime))
	}
}
