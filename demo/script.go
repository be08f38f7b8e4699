package demo

import (
	"fmt"
	"net/http"
	"sync"
	"time"
)

// Script is how a test directs a simulated server. Each part may be nil, and may be called by
// several requests at once. op is the operation that a request asks for, one of the Op constants;
// requests that are no operation (the host's page and proxy) are never scripted. Each part finds
// the request with its body unread, and the form parsed if it has one. The body of a streaming
// operation (OpEcho, OpUpload, OpDownload, OpEvents, OpWebSocket) must be left unread.
type Script struct {
	// Before runs when a request has arrived and nothing has been done about it.
	Before func(op string, r *http.Request)
	// Fault decides how the request goes wrong; nil means that it does not.
	Fault func(op string, r *http.Request) *Fault
	// After runs when the operation has been done and its answer has not been sent, or with a
	// streaming operation when it has. It does not run for an operation that a fault kept from
	// being done.
	After func(op string, r *http.Request)
}

// Fault is one way to misbehave. Delay comes first; then, of Hang, Drop, Endless and Status, the
// first that is set takes the place of the true answer. With none of them the true answer is sent.
type Fault struct {
	Done    bool          // do the operation before misbehaving, so that only its reply is lost; not if it streams
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
