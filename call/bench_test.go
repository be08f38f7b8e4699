package call

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
)

// BenchmarkServe and BenchmarkBareReverseProxy pass the same answer on, from a service on loopback
// to a writer in memory: what they differ in is what a call costs more.
func BenchmarkServe(b *testing.B) {
	w := newWorld(b, benchService, nil)
	benchmark(b, func(rw http.ResponseWriter, r *http.Request) {
		if err := w.proxy.Serve(rw, r, Target{HostUserID: theUser, AuthID: theAuthID, Path: r.URL.EscapedPath()}); err != nil {
			b.Error(err)
		}
	})
}

func BenchmarkBareReverseProxy(b *testing.B) {
	service := httptest.NewServer(http.HandlerFunc(benchService))
	defer service.Close()
	to, err := url.Parse(service.URL)
	if err != nil {
		b.Fatal(err)
	}
	transport := newTransport(Options{AllowPrivateNetworks: true})
	defer transport.CloseIdleConnections()
	bare := &httputil.ReverseProxy{
		Transport: transport, BufferPool: new(bufferPool),
		Rewrite: func(pr *httputil.ProxyRequest) {
			pr.SetURL(to)
			pr.Out.Header.Set("Authorization", "Bearer "+theToken)
		},
	}
	benchmark(b, bare.ServeHTTP)
}

func benchService(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain")
	io.WriteString(w, strings.Repeat("x", 1<<10))
}

func benchmark(b *testing.B, serve http.HandlerFunc) {
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/repos/one/issues", nil)
			for _, name := range []string{"Accept", "Accept-Encoding", "Accept-Language", "User-Agent", "X-Trace"} {
				r.Header.Set(name, "some value of a header")
			}
			rec := httptest.NewRecorder()
			serve(rec, r)
			if rec.Code != http.StatusOK || rec.Body.Len() != 1<<10 {
				b.Errorf("got %d with %d bytes", rec.Code, rec.Body.Len())
			}
		}
	})
}
