package demo

import (
	"net/http"
	"time"
)

// Script is how a test directs a simulated server. Each part may be nil. op is the operation
// that a request asks for, one of the Op constants; requests that are no operation (pages, the
// host's proxy) are never scripted.
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
	Delay   time.Duration // wait before anything else
	Hang    bool          // never answer; ends when the caller gives up
	Drop    bool          // close the connection without an answer
	Endless bool          // answer 200 with JSON that never ends
	Status  int           // answer this status with Header and Body
	Header  http.Header
	Body    string
}

// Answer is a fault that answers status with an envelope-less JSON body, undone.
func Answer(status int, body string) *Fault { panic("unwritten") }

// HTML is a fault that answers status with a page, as a firewall or a load balancer would.
func HTML(status int) *Fault { panic("unwritten") }

// Redirect is a fault that sends the caller elsewhere: 307 keeps method and body.
func Redirect(status int, to string) *Fault { panic("unwritten") }

// Only makes a Script's Fault of one that strikes the first n requests for op; n < 0 means all.
func Only(op string, n int, f Fault) func(string, *http.Request) *Fault { panic("unwritten") }
