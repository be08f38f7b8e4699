package call

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"linkgate/provider"
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

// BenchmarkBesideAHangingService tells the slowest in a hundred of one service's calls, alone and while
// callers keep calling another that never answers.
func BenchmarkBesideAHangingService(b *testing.B) {
	for _, callers := range []int{0, 200} {
		b.Run(fmt.Sprintf("%d callers of it", callers), func(b *testing.B) {
			w := newWorld(b, benchService, func(o *Options, _ *provider.Connection) {
				o.HeaderTimeout, o.Log = 100*time.Millisecond, slog.New(slog.DiscardHandler)
			})
			w.besideHanging(b, callers)
			var mu sync.Mutex
			var took []time.Duration
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					began := time.Now()
					r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/repos/one/issues", nil)
					if err := w.proxy.Serve(httptest.NewRecorder(), r, Target{HostUserID: theUser, AuthID: theAuthID, Path: "/repos"}); err != nil {
						b.Error(err)
					}
					mu.Lock()
					took = append(took, time.Since(began))
					mu.Unlock()
				}
			})
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
		})
	}
}

// besideHanging adds a connection to a service that never answers, and callers of it.
func (w *world) besideHanging(b *testing.B, callers int) {
	hanging := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	b.Cleanup(hanging.Close)
	p, err := provider.New(connectionTo(hanging.URL), provider.Deps{})
	if err != nil {
		b.Fatal(err)
	}
	c, err := newConnection(p, w.options, w.proxy.metrics)
	if err != nil {
		b.Fatal(err)
	}
	w.proxy.connections["hanging"] = c
	ctx, stop := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for ctx.Err() == nil {
				r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/repos", nil)
				_ = w.proxy.Serve(httptest.NewRecorder(), r, Target{HostUserID: theUser, AuthID: "hanging", Path: "/repos"})
				time.Sleep(50 * time.Millisecond) // its breaker answers at once
			}
		})
	}
	b.Cleanup(func() { stop(); all.Wait() })
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
