package demo

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// maxBody bounds what the simulated servers and the browser read of one message.
const maxBody = 1 << 20

// stage is where operations are performed: it counts them and follows the script.
type stage struct {
	errorBody func(status int) string          // how this server words an error
	note      func(op string, r *http.Request) // sees each request on arrival; may be nil

	mu     sync.Mutex
	script Script
	counts map[string]int
}

func (s *stage) play(script Script) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = script
}

func (s *stage) count(op string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[op]
}

// arrive counts a request and tells which script it follows.
func (s *stage) arrive(op string) Script {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.counts == nil {
		s.counts = map[string]int{}
	}
	s.counts[op]++
	return s.script
}

// perform serves one request for op by do, or as the script wants it.
func (s *stage) perform(op string, w http.ResponseWriter, r *http.Request, do http.HandlerFunc) {
	// The whole body is read first: net/http notices that a caller is gone only after that.
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "unreadable body", http.StatusBadRequest)
		return
	}
	rewind := func() *http.Request {
		r.Body = io.NopCloser(bytes.NewReader(body))
		return r
	}
	_ = rewind().ParseForm() // what is no form leaves an empty one, which the operation refuses
	if s.note != nil {
		s.note(op, rewind())
	}
	script := s.arrive(op)
	if script.Before != nil {
		script.Before(op, rewind())
	}
	fault := script.fault(op, rewind())
	if !wait(r.Context(), fault.Delay) {
		return
	}
	answer := heldAnswer{header: http.Header{}, status: http.StatusOK}
	if !fault.spoils() || fault.Done {
		do(&answer, rewind())
		if script.After != nil {
			script.After(op, rewind())
		}
	}
	if fault.spoils() {
		s.misbehave(w, r, fault)
		return
	}
	answer.sendTo(w)
}

// stream is perform for an operation whose body or answer is too long to be held: the request is
// counted and the script followed before any of the body is read, and the answer leaves as it is
// made. A caller who leaves during a Delay is noticed after it, when there is a body.
func (s *stage) stream(op string, w http.ResponseWriter, r *http.Request, do http.HandlerFunc) {
	script := s.arrive(op)
	if script.Before != nil {
		script.Before(op, r)
	}
	fault := script.fault(op, r)
	if !wait(r.Context(), fault.Delay) {
		return
	}
	if fault.spoils() {
		s.misbehave(w, r, fault)
		return
	}
	do(w, r)
	if script.After != nil {
		script.After(op, r)
	}
}

// fault is how a request goes wrong; the zero Fault: not at all.
func (s Script) fault(op string, r *http.Request) Fault {
	if s.Fault != nil {
		if f := s.Fault(op, r); f != nil {
			return *f
		}
	}
	return Fault{}
}

// spoils tells whether a fault takes the place of the true answer.
func (f Fault) spoils() bool { return f.Hang || f.Drop || f.Endless || f.Status != 0 }

func (s *stage) misbehave(w http.ResponseWriter, r *http.Request, f Fault) {
	switch {
	case f.Hang:
		_, _ = io.Copy(io.Discard, r.Body) // or net/http would not notice that the caller is gone
		<-r.Context().Done()
	case f.Drop:
		panic(http.ErrAbortHandler) // net/http closes the connection and says nothing
	case f.Endless:
		endless(w, r)
	default:
		w.Header().Set("Content-Type", "application/json")
		for name, values := range f.Header {
			w.Header()[name] = values
		}
		body := f.Body
		if body == "" {
			body = s.errorBody(f.Status)
		}
		w.WriteHeader(f.Status)
		_, _ = io.WriteString(w, body)
	}
}

// endless sends JSON that is well-formed as far as it goes, until the caller has had enough.
func endless(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, err := io.WriteString(w, `{"access_token":"`)
	chunk := strings.Repeat("x", 32<<10)
	for err == nil && r.Context().Err() == nil {
		_, err = io.WriteString(w, chunk)
	}
}

// wait tells whether the caller has waited, too.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// heldAnswer keeps an answer back until the script has had its say.
type heldAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *heldAnswer) Header() http.Header         { return a.header }
func (a *heldAnswer) WriteHeader(status int)      { a.status = status }
func (a *heldAnswer) Write(b []byte) (int, error) { return a.body.Write(b) }

func (a *heldAnswer) sendTo(w http.ResponseWriter) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.WriteHeader(a.status)
	_, _ = a.body.WriteTo(w)
}
