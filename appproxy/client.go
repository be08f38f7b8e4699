package appproxy

import (
	"net/http"
	"time"
)

const (
	stallTimeout = 30 * time.Second // without a byte from a client that is waited for, or taken by it
	lingerTime   = 2 * time.Second  // for a client to stop sending what nobody wants any more
)

// client is the connection of whoever has sent a request. It is held to its progress: each step has
// its time. Writers that have no deadlines need none.
type client struct {
	*http.ResponseController
	stall time.Duration
}

func (c client) reading() { _ = c.SetReadDeadline(time.Now().Add(c.stall)) }
func (c client) writing() { _ = c.SetWriteDeadline(time.Now().Add(c.stall)) }

// answer is what the client gets.
type answer struct {
	http.ResponseWriter
	client client
}

// Write implements http.ResponseWriter.
func (a *answer) Write(p []byte) (int, error) {
	a.client.writing()
	return a.ResponseWriter.Write(p)
}

// FlushError is what http.ResponseController flushes with: a header too, before there is anything to
// write.
func (a *answer) FlushError() error {
	a.client.writing()
	return a.client.Flush()
}

// Unwrap lets http.ResponseController reach what is not here.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
