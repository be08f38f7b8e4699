package demo

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Script is how a test directs a simulated server. Each part may be nil, and may be called by
// several requests at once. op is the operation that a request asks for, one of the Op constants;
// requests that are no operation (the host's page and proxy) are never scripted. Each part finds
// the request with its body unread, and the form parsed if it has one.
type Script struct {
	// Before runs when a request has arrived and nothing has been done about it.
	Before func(op string, r *http.Request)
	// Fault decides how the request goes wrong; nil means that it does not.
	Fault func(op string, r *http.Request) *Fault
	// After runs when the operation has been done and its answer has not been sent. It does not
	// run for an operation that a fault kept from being done.
	After func(op string, r *http.Request)
}

// Fault is one way to misbehave. Delay comes first; then, of Hang, Drop, Endless and Status, the
// first that is set takes the place of the true answer. With none of them the true answer is sent.
type Fault struct {
	Done    bool          // do the operation before misbehaving, so that only its reply is lost
	Delay   time.Duration // wait before anything else; a caller that gives up meanwhile gets nothing done
	Hang    bool          // never answer; ends when the caller gives up
	Drop    bool          // close the connection without an answer
	Endless bool          // answer 200 with JSON that never ends
	Status  int           // answer this status with Header and Body
	Header  http.Header
	Body    string // empty: an error as this server words one
}

// Answer is a fault that answers status with a body of JSON; empty stands for an error as the
// server words one.
func Answer(status int, body string) *Fault { return &Fault{Status: status, Body: body} }

// HTML is a fault that answers status with a page, as a firewall or a load balancer would.
func HTML(status int) *Fault {
	return &Fault{
		Status: status,
		Header: http.Header{"Content-Type": {"text/html"}},
		Body:   fmt.Sprintf("<!doctype html><title>%d</title><h1>%s</h1>", status, http.StatusText(status)),
	}
}

// Redirect is a fault that sends the caller elsewhere: 307 keeps method and body.
func Redirect(status int, to string) *Fault {
	return &Fault{Status: status, Header: http.Header{"Location": {to}}}
}

// Only makes a Script's Fault of one that strikes the first n requests for op; n < 0 means all.
func Only(op string, n int, f Fault) func(string, *http.Request) *Fault {
	var mu sync.Mutex
	return func(asked string, _ *http.Request) *Fault {
		mu.Lock()
		defer mu.Unlock()
		if asked != op || n == 0 {
			return nil
		}
		if n > 0 {
			n--
		}
		return &f
	}
}

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
	var fault Fault
	if script.Fault != nil {
		if f := script.Fault(op, rewind()); f != nil {
			fault = *f
		}
	}
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

// spoils tells whether a fault takes the place of the true answer.
func (f Fault) spoils() bool { return f.Hang || f.Drop || f.Endless || f.Status != 0 }

func (s *stage) misbehave(w http.ResponseWriter, r *http.Request, f Fault) {
	switch {
	case f.Hang:
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
