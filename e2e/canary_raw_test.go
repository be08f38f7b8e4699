package e2e

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
)

// The connection whose token endpoint is a rawService.
const (
	rawAuthID = "raw"
	rawClient = "linkgate-raw"
)

// rawService is a token endpoint, or a host, that speaks HTTP badly, and repeats what it was sent.
type rawService struct {
	address string

	mu       sync.Mutex
	answer   func(asked string) string
	requests int
}

func newRawService(t *testing.T) *rawService {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &rawService{address: listener.Addr().String()}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() { listener.Close() })
	return s
}

// serve answers one request, with its body or else its credential in hand, and lets the client
// hang up.
func (s *rawService) serve(conn net.Conn) {
	defer conn.Close()
	r, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.mu.Lock()
	answer := s.answer
	s.requests++
	s.mu.Unlock()
	_, _ = io.WriteString(conn, answer(cmp.Or(string(body), r.Header.Get("Authorization"))))
	_, _ = io.Copy(io.Discard, conn)
}

func (s *rawService) play(answer func(asked string) string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func (s *rawService) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

// withRawConnection adds the connection. Its client secret has every character
// that some encoding changes.
func (c *canary) withRawConnection() option {
	return func(s *setup) {
		s.more += fmt.Sprintf(`  - auth_id: %s
    provider: oauth2
    name: Raw Notes
    authorize_url: %s/oauth/authorize
    token_url: http://%s/token
    client_id: %s
    client_secret: ${RAW_SECRET}
    auth_style: post
    scopes: [notes.read]
    identity: {url: 'http://%[3]s/me', id: id}
`, rawAuthID, s.issuer, c.raw.address, rawClient)
		s.env["RAW_SECRET"] = c.mintOdd("client secret of the raw connection")
	}
}

// rawAnswers connects while the token endpoint breaks HTTP's rules. After each of these it refuses
// in order once, or the breaker would keep the next code from it.
func (c *canary) rawAnswers() {
	c.t.Helper()
	const fine = "HTTP/1.1 200 OK\r\n"
	refuse := func(string) string {
		return "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 25\r\n\r\n" + `{"error":"invalid_grant"}`
	}
	for _, answer := range []func(body string) string{
		func(body string) string { return fine + "Content-Length: 2\r\n\r\n{}" + body },        // more than announced
		func(body string) string { return "HTTP/1.1 " + body + "\r\n\r\n" },                    // status line
		func(body string) string { return body + "\r\n\r\n" },                                  // no HTTP
		func(body string) string { return fine + body + "\r\n\r\n" },                           // header without colon
		func(body string) string { return fine + body + ": x\r\nX: \x01" + body + "\r\n\r\n" }, // header's name
		func(body string) string { return fine + "Content-Length: " + body + "\r\n\r\n{}" },
		func(body string) string { return fine + "Transfer-Encoding: " + body + "\r\n\r\n{}" },
		func(body string) string { return fine + "Transfer-Encoding: chunked\r\n\r\n" + body + "\r\n" },
		func(body string) string { return fine + "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}" + body },
		func(body string) string {
			return "HTTP/1.1 103 " + body + "\r\nLink: " + body + "\r\n\r\n" + body + "\r\n\r\n"
		},
		func(body string) string {
			return "HTTP/1.1 307 x\r\nLocation: :" + body + "\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
		},
	} {
		before := c.raw.count()
		for _, a := range []func(string) string{answer, refuse} {
			c.raw.play(a)
			wantState(c.t, c.connect(c.t, c.user(), rawAuthID, "ada"), "failed")
		}
		if got := c.raw.count() - before; got != 2 {
			c.t.Errorf("codes were sent %d times after %q, want one and the next", got, answer("…"))
		}
	}
}
