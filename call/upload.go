package call

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const maxKept = 64 << 10 // bytes of a body that are kept, so that it can be sent again

// upload is a request's body on its way to the service. While it passes its beginning is kept, so
// that it can be sent again if it was short or has hardly begun. It outlives the server's
// ReadTimeout as long as the client goes on sending.
type upload struct {
	source  io.Reader
	client  *http.ResponseController // of the client's connection
	trailer func()                   // called when source has ended

	ended    atomic.Bool // the exchange is over: source must not be read
	reading  sync.Mutex  // held while source is read, and guards the rest
	current  *uploadReader
	kept     []byte
	passed   int64     // bytes read from source; kept is all of them or useless
	err      error     // of source: io.EOF, or why it has no end
	last     time.Time // when somebody last wanted to read
	deadline deadline
}

func newUpload(source io.Reader, client *http.ResponseController, stall time.Duration) *upload {
	return &upload{source: source, client: client, deadline: deadline{stall: stall}}
}

// uploadReader is the body of one attempt.
type uploadReader struct {
	upload *upload
	offset int64
}

// again gives the whole body to a further attempt, if it can be had; the attempt before gets no
// more of it. While source is being read it can't: a client that waits for the answer before it
// goes on must not be waited for.
func (u *upload) again() (body io.ReadCloser, ok bool) {
	if !u.reading.TryLock() {
		return nil, false
	}
	defer u.reading.Unlock()
	if int64(len(u.kept)) != u.passed {
		return nil, false
	}
	u.current = &uploadReader{upload: u}
	return u.current, true
}

// getBody is again for the transport, which sends a request on another connection when it has met
// one that was dead already (http.Request.GetBody).
func (u *upload) getBody() (io.ReadCloser, error) {
	if body, ok := u.again(); ok {
		return body, nil
	}
	return nil, errNotAgain
}

// errNotAgain: too much of a body has passed to send it again.
var errNotAgain = errors.New("the body can't be sent again")

// Read implements io.Reader.
func (r *uploadReader) Read(p []byte) (int, error) {
	u := r.upload
	u.reading.Lock()
	defer u.reading.Unlock()
	if u.current != r || u.ended.Load() {
		return 0, http.ErrBodyReadAfterClose
	}
	u.last = time.Now()
	if r.offset < int64(len(u.kept)) {
		n := copy(p, u.kept[r.offset:])
		r.offset += int64(n)
		return n, nil
	}
	if u.err != nil {
		return 0, u.err
	}
	n, err := u.read(p)
	r.offset += int64(n)
	return n, err
}

// Close does nothing: what is left is source's owner's.
func (r *uploadReader) Close() error { return nil }

// read reads source.
func (u *upload) read(p []byte) (int, error) {
	u.deadline.arm(u.last, u.client.SetReadDeadline)
	n, err := u.source.Read(p)
	u.last = time.Now()
	if u.passed == int64(len(u.kept)) && len(u.kept)+n <= maxKept {
		u.kept = append(u.kept, p[:n]...)
	} else {
		u.kept = nil
	}
	u.passed += int64(n)
	if err == io.EOF && u.trailer != nil {
		u.trailer()
	}
	u.err = err
	return n, err
}

// since is when the service last took something of the body: this moment, while the client is
// waited for.
func (u *upload) since(begin time.Time) time.Time {
	if !u.reading.TryLock() {
		return time.Now()
	}
	defer u.reading.Unlock()
	if u.last.After(begin) {
		return u.last
	}
	return begin
}

// whole tells that all of the body has been read.
func (u *upload) whole() bool {
	if !u.reading.TryLock() {
		return false
	}
	defer u.reading.Unlock()
	return u.err == io.EOF //nolint:errorlint // io.Reader returns it bare
}

// failed tells that the client's side is why the body has not come to its end.
func (u *upload) failed() bool {
	if !u.reading.TryLock() {
		return false
	}
	defer u.reading.Unlock()
	return u.err != nil && u.err != io.EOF //nolint:errorlint // io.Reader returns it bare
}

// end lets nobody read source any more, and gives the server a short while to look for the end of
// it, if it wants to use the connection again.
func (u *upload) end() {
	u.ended.Store(true)
	if !u.reading.TryLock() {
		if u.client.SetReadDeadline(time.Unix(1, 0)) != nil {
			return
		}
		u.reading.Lock()
	}
	defer u.reading.Unlock()
	if u.err == nil {
		_ = u.client.SetReadDeadline(time.Now().Add(u.deadline.stall / rearms))
	}
}
