package call

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"linkgate/provider"
)

// pipes is a network for one server without sockets, so that time in a bubble can pass.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	close sync.Once
	addr  net.Addr
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.close.Do(func() { close(p.done) })
	return nil
}

func (p *pipes) Addr() net.Addr { return p.addr }

// dial reaches the server by every name but those that begin with "gone".
func (p *pipes) dial(_ context.Context, _, address string) (net.Conn, error) {
	refused := &net.OpError{Op: "dial", Err: errors.New("nobody there")}
	if strings.HasPrefix(address, "gone") {
		return nil, refused
	}
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-p.done:
		return nil, refused
	}
}

// newBubble is newWorld without sockets and without a server before the proxy: for call.
func newBubble(t *testing.T, service http.HandlerFunc, change func(*Options, *provider.Connection)) *world {
	t.Helper()
	upstream := httptest.NewUnstartedServer(service)
	upstream.Config.ErrorLog = quiet()
	network := &pipes{conns: make(chan net.Conn), done: make(chan struct{}), addr: upstream.Listener.Addr()}
	upstream.Listener.Close()
	upstream.Listener = network
	upstream.Start()
	t.Cleanup(upstream.Close)
	w := worldBefore(t, upstream, change)
	w.transport().DialContext = network.dial
	w.transport().DialTLSContext = network.dial // without TLS
	return w
}

// call is a call without a client's connection.
func (w *world) call(ctx context.Context, method, path, body string, headers ...string) (*httptest.ResponseRecorder, error) {
	r := httptest.NewRequestWithContext(ctx, method, path, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	err := w.proxy.Serve(rec, r, Target{HostUserID: theUser, AuthID: theAuthID, Path: r.URL.EscapedPath()})
	return rec, err
}
