package provider

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"

	"linkgate/secret"
)

// rawHTTP2 is a server that reads whole requests and does with each stream what a test says. It
// counts the requests, over all connections.
func rawHTTP2(t *testing.T, end func(f *http2.Framer, stream uint32)) (address string, roots *x509.CertPool, requests *atomic.Int32) {
	t.Helper()
	certified := httptest.NewTLSServer(nil) // for its certificate
	t.Cleanup(certified.Close)
	roots = x509.NewCertPool()
	roots.AddCert(certified.Certificate())
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: certified.TLS.Certificates,
		NextProtos:   []string{"h2"},
		MinVersion:   tls.VersionTLS12,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	requests = new(atomic.Int32)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go serveRaw(conn, requests, end)
		}
	}()
	return "https://" + listener.Addr().String(), roots, requests
}

func serveRaw(conn net.Conn, requests *atomic.Int32, end func(*http2.Framer, uint32)) {
	defer conn.Close()
	if _, err := io.ReadFull(conn, make([]byte, len(http2.ClientPreface))); err != nil {
		return
	}
	framer := http2.NewFramer(conn, conn)
	_ = framer.WriteSettings()
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return
		}
		if data, ok := frame.(*http2.DataFrame); ok && data.StreamEnded() {
			requests.Add(1)
			end(framer, data.StreamID)
		}
	}
}

// TestCodeIsSentOnceThoughHTTP2AllowsMore: after these answers the protocol lets a client send the
// request again, for the server promises not to have looked at it. A promise is not enough.
func TestCodeIsSentOnceThoughHTTP2AllowsMore(t *testing.T) {
	tests := map[string]func(*http2.Framer, uint32){
		"REFUSED_STREAM": func(f *http2.Framer, stream uint32) { _ = f.WriteRSTStream(stream, http2.ErrCodeRefusedStream) },
		"GOAWAY":         func(f *http2.Framer, _ uint32) { _ = f.WriteGoAway(0, http2.ErrCodeNo, nil) },
	}
	for name, end := range tests {
		t.Run(name, func(t *testing.T) {
			address, roots, requests := rawHTTP2(t, end)
			s := &service{Server: &httptest.Server{URL: address}, t: t}
			p, err := New(s.oauth2(), Deps{AllowPrivateNetworks: true, RootCAs: roots})
			if err != nil {
				t.Fatal(err)
			}
			_, err = p.Redirector.Exchange(context.Background(), s.begin(p), Callback{Code: secret.New(theCode)})
			if !errors.Is(err, ErrUnavailable) {
				t.Errorf("want ErrUnavailable, got %v", err)
			}
			if got := requests.Load(); got != 1 {
				t.Errorf("the code was sent %d times, want once", got)
			}
		})
	}
}
