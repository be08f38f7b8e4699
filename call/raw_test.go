package call

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/textproto"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"linkgate/provider"
)

// rawService is a service without net/http's server: it sees every byte as it was sent, and holds
// each request to the letter of RFC 9112, where a lenient server would make the best of it.
type rawService struct {
	t        *testing.T
	listener net.Listener
	answer   func(rawRequest) string // nil: 200

	mu       sync.Mutex
	requests []rawRequest
	faults   []string // what no client must send
}

type rawRequest struct {
	head    string // request line and header, as sent
	method  string
	target  string
	header  http.Header
	body    string
	trailer http.Header
}

const plainAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

func newRawService(t *testing.T, answer func(rawRequest) string) *rawService {
	t.Helper()
	s := &rawService{t: t, listener: listen(t), answer: answer}
	go s.accept()
	return s
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener
}

func (s *rawService) url() string { return "http://" + s.listener.Addr().String() }

func (s *rawService) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		go s.serve(conn)
	}
}

func (s *rawService) serve(conn net.Conn) {
	defer conn.Close()
	reader := bufio.NewReader(conn)
	for {
		r, err := s.read(reader)
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) && !isReset(err) {
				s.fault(fmt.Sprintf("%v after %q", err, r.head))
			}
			return
		}
		s.mu.Lock()
		s.requests = append(s.requests, r)
		s.mu.Unlock()
		answer := plainAnswer
		switch {
		case r.method == http.MethodHead:
			answer = strings.TrimSuffix(plainAnswer, "ok")
		case s.answer != nil:
			answer = s.answer(r)
		}
		if _, err := io.WriteString(conn, answer); err != nil {
			return
		}
	}
}

// isReset tells of a client that has gone away, which it may at any time.
func isReset(err error) bool {
	var broken *net.OpError
	return errors.As(err, &broken) || errors.Is(err, io.ErrUnexpectedEOF)
}

var (
	requestLine = regexp.MustCompile(`^([!#$%&'*+.^_|~0-9A-Za-z-]+) (/[!-~]*) HTTP/1\.1\r\n$`)
	headerLine  = regexp.MustCompile(`^([!#$%&'*+.^_|~0-9A-Za-z-]+):[ -~\t\x80-\xff]*\r\n$`)
)

// read takes one request from a connection. An error other than io.EOF is a fault of the client's.
func (s *rawService) read(reader *bufio.Reader) (r rawRequest, err error) {
	line, err := reader.ReadString('\n')
	if err != nil {
		return r, err
	}
	parts := requestLine.FindStringSubmatch(line)
	if parts == nil {
		return r, fmt.Errorf("bad request line %q", line)
	}
	r = rawRequest{head: line, method: parts[1], target: parts[2], header: http.Header{}}
	if err := s.readHeader(reader, r.header, &r.head); err != nil {
		return r, err
	}
	return r, s.readBody(reader, &r)
}

func (s *rawService) readHeader(reader *bufio.Reader, into http.Header, raw *string) error {
	for {
		line, err := reader.ReadString('\n')
		*raw += line
		if err != nil || line == "\r\n" {
			return err
		}
		parts := headerLine.FindStringSubmatch(line)
		if parts == nil {
			return fmt.Errorf("bad header line %q", line)
		}
		name := textproto.CanonicalMIMEHeaderKey(parts[1])
		into[name] = append(into[name], strings.TrimSpace(line[len(parts[1])+1:]))
	}
}

func (s *rawService) readBody(reader *bufio.Reader, r *rawRequest) error {
	length, coding := r.header["Content-Length"], r.header["Transfer-Encoding"]
	switch {
	case len(r.header["Host"]) != 1 || r.header.Get("Host") != s.listener.Addr().String():
		return fmt.Errorf("hosts %q", r.header["Host"])
	case len(length)+len(coding) > 1:
		return fmt.Errorf("two lengths: %q, %q", length, coding)
	case len(length) == 1:
		var n int
		if _, err := fmt.Sscanf(length[0], "%d", &n); err != nil || n < 0 || fmt.Sprint(n) != length[0] {
			return fmt.Errorf("length %q", length[0])
		}
		body := make([]byte, n)
		_, err := io.ReadFull(reader, body)
		r.body = string(body)
		return err
	case len(coding) == 1 && coding[0] == "chunked":
		body, err := io.ReadAll(httputil.NewChunkedReader(reader))
		if err != nil {
			return err
		}
		r.body, r.trailer = string(body), http.Header{}
		return s.readHeader(reader, r.trailer, new(string))
	case len(coding) == 1:
		return fmt.Errorf("coding %q", coding[0])
	}
	return nil
}

func (s *rawService) fault(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, text)
}

// take returns what has arrived and forgets it. Faults are the test's.
func (s *rawService) take() []rawRequest {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, fault := range s.faults {
		s.t.Errorf("the service was sent what is no request: %s", fault)
	}
	requests := s.requests
	s.requests, s.faults = nil, nil
	return requests
}

// before is a Proxy before the service, and a server before that, with calls below /base.
func (s *rawService) before(t *testing.T, allow ...string) *world {
	t.Helper()
	return worldBefore(t, &httptest.Server{URL: s.url() + "/base"}, func(_ *Options, c *provider.Connection) {
		c.Calls.Allow = allow
	}).start()
}

// raw sends bytes to the server before the proxy, and reads until the server is done, or waits for
// more than came.
func (w *world) raw(payload string) {
	w.t.Helper()
	conn, err := net.Dial("tcp", w.front.Listener.Addr().String())
	if err != nil {
		w.t.Error(err)
		return
	}
	defer conn.Close()
	go io.WriteString(conn, payload) // a server may answer before it has read all
	if err := conn.SetReadDeadline(time.Now().Add(2 * time.Second)); err != nil {
		w.t.Error(err)
	}
	io.Copy(io.Discard, conn)
}
