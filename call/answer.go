package call

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"time"
)

// answer writes a service's answer to the client. It outlives the server's WriteTimeout as long as
// the client goes on reading.
type answer struct {
	http.ResponseWriter
	exchange *exchange
	hijacked bool // nothing else can be answered any more
	deadline deadline
}

// WriteHeader implements http.ResponseWriter. Interim answers (RFC 9110 §15.2) come from another
// goroutine, while a body may be read: they touch nothing here.
func (a *answer) WriteHeader(status int) {
	if status == http.StatusContinue {
		return // our own server says so when the body is read, which it is then; twice would be once too often
	}
	if isInterim(status) {
		a.exchange.clean(a.Header())
		a.ResponseWriter.WriteHeader(status)
		return
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (a *answer) Write(p []byte) (int, error) {
	a.arm()
	return a.ResponseWriter.Write(p)
}

// arm gives the client the time to take what is written now.
func (a *answer) arm() { a.deadline.arm(time.Now(), a.exchange.client.SetWriteDeadline) }

// FlushError is what http.ResponseController flushes with.
func (a *answer) FlushError() error {
	a.arm()
	return a.exchange.client.Flush()
}

// Hijack implements http.Hijacker. The server lifts its deadlines by itself then.
func (a *answer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := a.exchange.client.Hijack()
	a.hijacked = err == nil
	return conn, buffered, err
}

// Unwrap lets http.ResponseController reach what is not here.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func isInterim(status int) bool {
	return status >= 100 && status <= 199 && status != http.StatusSwitchingProtocols
}

// answerBody is the body of a service's answer.
type answerBody struct {
	io.ReadCloser
	ended func() // called when it has come to its end, and with it the trailer
}

// Read implements io.Reader.
func (b *answerBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.ended()
	}
	return n, err
}
