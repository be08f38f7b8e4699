package handlers

import (
	"bufio"
	"net"
	"net/http"

	"github.com/labstack/echo/v4"
)

// passing is an answer of somebody else on its way through: echo's Response, which notes the status
// for the log and the metrics, with what it does not know of HTTP. Deadlines are set by way of its
// Unwrap.
type passing struct{ *echo.Response }

// WriteHeader lets interim answers (RFC 9110 §15.2) through, which echo takes for the answer. After a
// switch of protocols there is none: Hijack sees to that.
func (p passing) WriteHeader(status int) {
	if status >= 100 && status <= 199 {
		p.Writer.WriteHeader(status)
		return
	}
	p.Response.WriteHeader(status)
}

// Hijack notes that protocols are switched: whoever takes the connection writes the status itself.
func (p passing) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := p.Response.Hijack()
	if err == nil {
		p.Status, p.Committed = http.StatusSwitchingProtocols, true
	}
	return conn, buffered, err
}
