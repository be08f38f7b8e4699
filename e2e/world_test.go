// Package e2e tests Linkgate as its users meet it: the real binary as a process of its own,
// between a simulated host and a real OAuth server (package demo), on real stores.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"linkgate/database"
	"linkgate/demo"
	"linkgate/secret"
)

// binary is the path of Linkgate, built once with the race detector.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "linkgate-e2e-")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "linkgate")
	build := exec.Command("go", "build", "-race", "-o", binary, "linkgate")
	build.Stdout, build.Stderr = os.Stdout, os.Stderr
	code := 1
	if err := build.Run(); err == nil {
		inParallel()
		code = m.Run()
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// inParallel lets one test more run at a time than there are cores, unless somebody says how many: most
// of them wait most of the time, for tokens to end and leases to run out.
func inParallel() {
	const name = "test.parallel"
	flag.Parse()
	isSaid := false
	flag.Visit(func(f *flag.Flag) { isSaid = isSaid || f.Name == name })
	if !isSaid {
		_ = flag.Set(name, strconv.Itoa(runtime.GOMAXPROCS(0)+1))
	}
}

// world is a host, a service and a Linkgate between them.
type world struct {
	Host     *demo.Host
	Service  *demo.Service
	Linkgate *process
	Clients  []demo.Client
	Issuer   string
	kinds    *demo.Kinds // nil without offering

	browser  *demo.Browser // of the latest connect
	database string        // DATABASE_URL for the test's own eyes, if it is not Linkgate's
}

// serviceUsers have accounts at the service.
var serviceUsers = []demo.ServiceUser{
	{Username: "ada", Subject: "u-1815", Name: "Ada L."},
	{Username: "grace", Subject: "u-1906", Name: "Grace H."},
	{Username: "linus", Subject: "u-1969", Name: "Linus T."},
}

func subjectOf(username string) string {
	for _, u := range serviceUsers {
		if u.Username == username {
			return u.Subject
		}
	}
	panic("no such user at the service: " + username)
}

// setup is what a world is made of.
type setup struct {
	issuer    string // of the service
	env       map[string]string
	users     []demo.User   // of the host
	tokenLife time.Duration // of the service's access tokens; zero: an hour
	more      string        // of connections.yaml, after the service's two
	apps      []demo.App    // for those
	kindsLife time.Duration // of their access tokens; zero: there are none
}

// option changes a world before it starts.
type option func(*setup)

func with(name, value string) option {
	return func(s *setup) { s.env[name] = value }
}

// offering adds the services of other kinds. w.kinds tells what they have seen.
func offering(tokenLife time.Duration) option {
	return func(s *setup) { s.kindsLife = tokenLife }
}

// tokensLive says how long the service's access tokens live.
func tokensLive(d time.Duration) option {
	return func(s *setup) { s.tokenLife = d }
}

// crowded gives the host n users more: crowdUser(0) and so on.
func crowded(n int) option {
	return func(s *setup) {
		for i := range n {
			s.users = append(s.users, demo.User{ID: crowdUser(i), Name: fmt.Sprintf("User %d", i)})
		}
	}
}

func crowdUser(i int) string { return fmt.Sprintf("user-%d", i) }

// newWorld starts all three. Without options Linkgate runs on its embedded stores, and the host
// has the users ada and grace.
func newWorld(t *testing.T, options ...option) *world {
	t.Helper()
	publicAddr, operatorAddr := freeAddr(t), freeAddr(t)
	publicURL := "http://" + publicAddr
	w := &world{Clients: demo.Clients(publicURL)}
	dir := t.TempDir()
	connections := filepath.Join(dir, "connections.yaml")
	service := w.listen(t)
	s := setup{
		issuer: w.Issuer,
		env: map[string]string{
			"ADDR": publicAddr, "OPERATOR_ADDR": operatorAddr, "PUBLIC_URL": publicURL,
			"CONNECTIONS_FILE": connections, "DATA_DIR": filepath.Join(dir, "data"),
			"ALLOW_PRIVATE_NETWORKS": "true", "LOG_LEVEL": "debug", "LOG_FORMAT": "json",
		},
		users: []demo.User{{ID: "ada", Name: "Ada Lovelace"}, {ID: "grace", Name: "Grace Hopper"}},
	}
	for _, o := range options {
		o(&s)
	}
	if s.kindsLife > 0 {
		w.kinds = demo.NewKinds(demo.KindsOptions{
			LinkgateURL: publicURL, TokenLifetime: s.kindsLife, Issuer: w.Issuer, Register: func(c demo.Client) { w.Service.Register(c) },
		})
		s.more += w.kinds.Connections(serve(t, w.kinds))
		s.apps = append(s.apps, w.kinds.Apps()...)
	}
	if err := os.WriteFile(connections, []byte(demo.Connections(w.Issuer, w.Clients)+s.more), 0o600); err != nil {
		t.Fatal(err)
	}
	w.serveService(t, service, s.tokenLife)
	if w.kinds != nil {
		w.Service.Register(w.kinds.Team())
	}
	w.Host = demo.NewHost(demo.HostOptions{Users: s.users, LinkgateURL: publicURL, Apps: append(demo.Apps(), s.apps...)})
	hostURL := serve(t, w.Host)
	maps.Copy(s.env, map[string]string{
		"HOST_API_URL": hostURL, "HOST_API_KEY": w.Host.APIKey().Reveal(),
		"HOST_PROXY_SECRET": w.Host.ProxySecret().Reveal(), "HOST_ORIGIN": hostURL,
	})
	w.Linkgate = &process{t: t, env: s.env, log: &logBuffer{}}
	w.Linkgate.Start()
	t.Cleanup(w.Linkgate.finish)
	return w
}

// listen finds the service its address, which it must know beforehand: its issuer.
func (w *world) listen(t *testing.T) net.Listener {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.Issuer = "http://" + listener.Addr().String()
	return listener
}

func (w *world) serveService(t *testing.T, listener net.Listener, tokenLife time.Duration) {
	w.Service = demo.NewService(demo.ServiceOptions{
		Issuer: w.Issuer, Clients: w.Clients, Users: serviceUsers, AccessTokenLifetime: tokenLife,
	})
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: w.Service}}
	server.Start()
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
}

func serve(t *testing.T, h http.Handler) string {
	server := httptest.NewServer(h)
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return server.URL
}

// Ports below those that systems hand out for outgoing connections: nobody is given one of them
// between freeAddr's look and Linkgate's start.
const (
	firstPort = 12000
	lastPort  = 32000
)

// given are the ports that this process has given to a Linkgate.
var given sync.Map

func freeAddr(t *testing.T) string {
	t.Helper()
	for range 100 {
		addr := fmt.Sprintf("127.0.0.1:%d", firstPort+rand.N(lastPort-firstPort))
		if _, known := given.LoadOrStore(addr, true); known {
			continue
		}
		if l, err := net.Listen("tcp", addr); err == nil {
			l.Close()
			return addr
		}
	}
	t.Fatal("no free port on loopback")
	return ""
}

// process is a running Linkgate that can be killed and started again on the same stores.
type process struct {
	t   *testing.T
	env map[string]string
	log *logBuffer
	cmd *exec.Cmd
}

// Start runs Linkgate and waits until it is ready.
func (p *process) Start() {
	p.t.Helper()
	p.cmd = exec.Command(binary, "serve")
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "GORACE=atexit_sleep_ms=0"}
	for name, value := range p.env {
		p.cmd.Env = append(p.cmd.Env, name+"="+value)
	}
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.awaitReady()
}

func (p *process) awaitReady() {
	p.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for time.Now().Before(deadline) {
		answer, err := http.Get("http://" + p.env["OPERATOR_ADDR"] + "/readyz")
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	p.t.Fatalf("Linkgate did not become ready. Its log:\n%s", p.log)
}

// Kill ends Linkgate as a power cut would.
func (p *process) Kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// Stop asks Linkgate to end and returns its exit code.
func (p *process) Stop() int {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	_ = p.cmd.Wait()
	return p.cmd.ProcessState.ExitCode()
}

// finish ends it after the test; a data race that it found fails the test.
func (p *process) finish() {
	p.Stop()
	if log := p.log.String(); strings.Contains(log, "DATA RACE") || strings.Contains(log, "panic:") {
		p.t.Errorf("Linkgate found a data race or panicked:\n%s", log)
	} else if p.t.Failed() {
		p.t.Logf("Linkgate's log:\n%s", log)
	}
}

// URL is the address of a path at Linkgate's public listener.
func (p *process) URL(path string) string { return p.env["PUBLIC_URL"] + path }

// logBuffer is what a process has printed.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// connect does a whole Connect for a host user who is username at the service and returns the
// page at the end.
func (w *world) connect(t *testing.T, userID, authID, username string) demo.Page {
	t.Helper()
	address, err := w.Host.Connect(t.Context(), userID, authID)
	if err != nil {
		t.Fatal(err)
	}
	w.browser = demo.NewBrowser()
	page, err := w.browser.SignIn(t.Context(), address, username)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// again loads a page again, as its refresh does.
func (w *world) again(t *testing.T, page demo.Page) demo.Page {
	t.Helper()
	page, err := w.browser.Get(t.Context(), page.URL.String())
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// open opens Linkgate's database for the test's own eyes.
func (w *world) open(t *testing.T) *database.DB {
	t.Helper()
	url := w.database
	if url == "" {
		url = w.Linkgate.env["DATABASE_URL"]
	}
	db, err := database.Open(t.Context(), database.Options{URL: secret.New(url), DataDir: w.Linkgate.env["DATA_DIR"]})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// linked does a Connect that must succeed and returns the host's record.
func (w *world) linked(t *testing.T, userID, authID, username string) demo.Account {
	t.Helper()
	before := len(w.Host.Accounts(userID))
	page := w.connect(t, userID, authID, username)
	wantState(t, page, "linked")
	accounts := w.Host.Accounts(userID)
	if len(accounts) != before+1 {
		t.Fatalf("the host has %d accounts of %s, want %d", len(accounts), userID, before+1)
	}
	return accounts[len(accounts)-1]
}

// contains tells whether a page shows a state.
func contains(page demo.Page, state string) bool {
	return strings.Contains(page.Body, fmt.Sprintf("data-state=%q", state))
}

// wantState checks which result a page tells.
func wantState(t *testing.T, page demo.Page, state string) {
	t.Helper()
	if !contains(page, state) {
		_, text, _ := strings.Cut(page.Body, "</head>")
		t.Fatalf("page at %s (status %d) does not show state %q:\n%s", page.URL.Path, page.Status, state, text)
	}
}

// eventually waits for something that happens soon, by itself.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("still not so after a minute: %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// envelope is an answer to the host.
type envelope struct {
	Code    string          `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data"`
}

// request sends a request and reads the envelope of the answer.
func request(t *testing.T, ctx context.Context, method, url string, header http.Header, body io.Reader) (*http.Response, envelope) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	if header != nil {
		req.Header = header
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	var e envelope
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&e); err != nil {
		t.Fatalf("%s %s answered %d and no envelope: %v\n%s", method, url, answer.StatusCode, err, text)
	}
	return answer, e
}
