package testservers

import (
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// mode is what the network between a client and its server is like.
type mode int

const (
	whole   mode = iota // everything passes
	cut                 // every connection is reset
	hanging             // nothing passes, in either direction
	muted               // requests pass, replies don't
)

// direction of a stream of bytes.
type direction int

const (
	request direction = iota
	reply
)

func (m mode) passes(d direction) bool {
	return m == whole || m == muted && d == request
}

// TCPProxy forwards connections to a server until told to misbehave. What it holds back is not
// lost: Restore delivers it, unless Cut came before.
type TCPProxy struct {
	listener net.Listener
	target   string   // host:port
	url      *url.URL // of the target, with our address; nil when the target was given as host:port

	mu      sync.Mutex
	mode    mode
	changed chan struct{}      // closed when mode changes
	links   map[*link]struct{} // open connections
	running sync.WaitGroup
}

// Proxy starts a proxy in front of target, which is a URL (redis://…, postgres://…) or host:port.
func Proxy(t testing.TB, target string) *TCPProxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("starting a proxy: %v", err)
	}
	p := &TCPProxy{
		listener: listener,
		target:   target,
		changed:  make(chan struct{}),
		links:    make(map[*link]struct{}),
	}
	if strings.Contains(target, "://") {
		if p.url, err = url.Parse(target); err != nil {
			t.Fatalf("starting a proxy: the target is not a URL")
		}
		p.target, p.url.Host = p.url.Host, p.Addr()
	}
	p.running.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

// Addr is the proxy's own host:port.
func (p *TCPProxy) Addr() string { return p.listener.Addr().String() }

// URL is the target's URL by way of the proxy.
func (p *TCPProxy) URL() string {
	if p.url == nil {
		return ""
	}
	return p.url.String()
}

// Cut resets every connection, and each new one at once.
func (p *TCPProxy) Cut() { p.set(cut) }

// Hang accepts connections and passes nothing on.
func (p *TCPProxy) Hang() { p.set(hanging) }

// Mute passes requests on and holds the replies: the server does the work, and nobody learns of it.
func (p *TCPProxy) Mute() { p.set(muted) }

// Restore makes the proxy forward everything again.
func (p *TCPProxy) Restore() { p.set(whole) }

func (p *TCPProxy) set(m mode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode = m
	close(p.changed)
	p.changed = make(chan struct{})
	if m == cut {
		for l := range p.links {
			l.reset()
		}
	}
}

func (p *TCPProxy) close() {
	p.listener.Close()
	p.Cut()
	p.running.Wait()
}

func (p *TCPProxy) accept() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		l := &link{client: conn.(*net.TCPConn), over: make(chan struct{})}
		if p.add(l) {
			p.running.Go(func() { p.forward(l) })
		}
	}
}

// add registers a connection so that Cut finds it; when the line is cut already, it resets it.
func (p *TCPProxy) add(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mode == cut {
		l.reset()
		return false
	}
	p.links[l] = struct{}{}
	return true
}

func (p *TCPProxy) forward(l *link) {
	defer func() {
		l.close()
		p.mu.Lock()
		delete(p.links, l)
		p.mu.Unlock()
	}()
	if !p.await(l, request) {
		return
	}
	server, err := net.DialTimeout("tcp", p.target, 5*time.Second)
	if err != nil {
		l.reset()
		return
	}
	var replies sync.WaitGroup
	replies.Go(func() { p.pump(l, l.client, server, reply) })
	p.pump(l, server, l.client, request)
	server.Close()
	replies.Wait()
}

// pump copies one direction, as far as the mode lets it.
func (p *TCPProxy) pump(l *link, to, from net.Conn, d direction) {
	defer l.close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil || !p.await(l, d) {
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// await waits until bytes in this direction may pass; false when the connection is over.
func (p *TCPProxy) await(l *link, d direction) bool {
	for {
		p.mu.Lock()
		passes, changed := p.mode.passes(d), p.changed
		p.mu.Unlock()
		if passes {
			return true
		}
		select {
		case <-changed:
		case <-l.over:
			return false
		}
	}
}

// link is one client's connection.
type link struct {
	client *net.TCPConn
	over   chan struct{} // closed when the connection is
	once   sync.Once
}

// close ends the connection in order; what was sent arrives.
func (l *link) close() {
	l.once.Do(func() {
		close(l.over)
		l.client.Close()
	})
}

// reset ends it the hard way, so that the client sees an error and not an end.
func (l *link) reset() {
	l.once.Do(func() {
		close(l.over)
		_ = l.client.SetLinger(0) // fails only on a closed connection
		l.client.Close()
	})
}
