package appproxy

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"linkgate/linkedaccount"
	"linkgate/provider"
	"linkgate/secret"
)

// aSecret is base64 of 32 bytes.
const aSecret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

// tokensFunc stands in for linkedaccount.Tokens.
type tokensFunc func(ctx context.Context, hostUserID, authID string) (string, error)

func (f tokensFunc) For(ctx context.Context, hostUserID, authID, _ string) (*linkedaccount.Opened, error) {
	token, err := f(ctx, hostUserID, authID)
	return &linkedaccount.Opened{Credential: provider.Credential{AccessToken: secret.New(token)}}, err
}

// tokenOf gives each user a token of its own at each connection.
func tokenOf(_ context.Context, hostUserID, authID string) (string, error) {
	return "token-of-" + hostUserID + "-at-" + authID, nil
}

// seen is what has reached the app.
type seen struct {
	method, target, host string
	header, trailer      http.Header
	body                 string
}

// world is an app, a Proxy before it and a server before that.
type world struct {
	t     *testing.T
	proxy *Proxy
	front *httptest.Server
	log   *bytes.Buffer

	mu     sync.Mutex
	seen   []seen
	errors []error // of Serve
}

// newWorld has answer as the app, nil for one that answers "ok". Its URL may have a path; change may
// change the options.
func newWorld(t *testing.T, path string, answer http.HandlerFunc, change ...func(*Options)) *world {
	t.Helper()
	w := &world{t: t, log: &bytes.Buffer{}}
	app := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if answer != nil {
			answer(rw, r)
			return
		}
		w.record(r)
		io.WriteString(rw, "ok")
	}))
	t.Cleanup(app.Close)
	o := Options{
		URL: app.URL + path, Secret: secret.New(aSecret), Tokens: tokensFunc(tokenOf),
		Log: slog.New(slog.NewTextHandler(w.log, nil)),
	}
	for _, c := range change {
		c(&o)
	}
	var err error
	if w.proxy, err = New(o); err != nil {
		t.Fatal(err)
	}
	w.front = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if err := w.proxy.Serve(rw, r, "alice"); err != nil {
			w.mu.Lock()
			w.errors = append(w.errors, err)
			w.mu.Unlock()
			rw.WriteHeader(599)
		}
	}))
	t.Cleanup(w.front.Close)
	return w
}

func (w *world) record(r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, seen{r.Method, r.RequestURI, r.Host, r.Header, r.Trailer, string(body)})
}

// one is the only request that the app has seen.
func (w *world) one() seen {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.seen) != 1 {
		w.t.Fatalf("the app has seen %d requests, want 1; errors of Serve: %v", len(w.seen), w.errors)
	}
	return w.seen[0]
}

// err is the only error of Serve.
func (w *world) err() error {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.errors) != 1 {
		w.t.Fatalf("got errors %v of Serve, want one", w.errors)
	}
	return w.errors[0]
}

// raw sends bytes as they are to the front and reads the answer.
func (w *world) raw(request string) (*http.Response, string) {
	w.t.Helper()
	conn, err := net.Dial("tcp", w.front.Listener.Addr().String())
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, request); err != nil {
		w.t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		w.t.Fatalf("%q: %v", request, err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return response, string(body)
}

// get is a raw GET with these header lines.
func (w *world) get(target string, lines ...string) (*http.Response, string) {
	w.t.Helper()
	return w.raw("GET " + target + " HTTP/1.1\r\nHost: host.example\r\n" + strings.Join(append(lines, "Connection: close"), "\r\n") + "\r\n\r\n")
}
