package client_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"linkgate/demo"
)

// TestMain runs a Linkgate between a simulated host and service, for the examples.
func TestMain(m *testing.M) {
	code, err := withLinkgate(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func withLinkgate(run func() int) (int, error) {
	dir, err := os.MkdirTemp("", "linkgate-client-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "linkgate")
	if out, err := exec.Command("go", "build", "-o", binary, "linkgate").CombinedOutput(); err != nil {
		return 0, fmt.Errorf("building Linkgate: %w: %s", err, out)
	}
	server := exec.Command(binary, "serve")
	server.Env, server.Stderr = surroundings(dir), os.Stderr
	server.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := server.Start(); err != nil {
		return 0, err
	}
	defer func() { _ = server.Process.Signal(syscall.SIGTERM); _ = server.Wait() }()
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if answer, err := http.Get(os.Getenv("LINKGATE_URL") + "/openapi.json"); err == nil {
			answer.Body.Close()
			return run(), nil
		}
		if time.Now().After(end) {
			return 0, fmt.Errorf("Linkgate did not begin to serve within a minute")
		}
	}
}

// surroundings starts the host and the services, says to the examples where Linkgate is, and gives Linkgate's environment.
func surroundings(dir string) []string {
	public, operator, issuer := listener(), listener(), listener()
	publicURL, issuerURL := "http://"+public.Addr().String(), "http://"+issuer.Addr().String()
	public.Close()
	operator.Close()
	clients := demo.Clients(publicURL)
	served(issuer, demo.NewService(demo.ServiceOptions{
		Issuer: issuerURL, Clients: clients, Users: []demo.ServiceUser{{Username: "ada", Subject: "u-1815", Name: "Ada L."}},
	}))
	host := demo.NewHost(demo.HostOptions{Users: []demo.User{{ID: "ada", Name: "Ada"}}, LinkgateURL: publicURL, Apps: demo.Apps()})
	hostURL := served(listener(), host)
	keys := served(listener(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, ok := strings.CutPrefix(r.Header.Get("X-Key"), "key-")
		if !ok {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		fmt.Fprintf(w, `{"id":%q}`, n)
	}))
	connections := filepath.Join(dir, "connections.yaml")
	if err := os.WriteFile(connections, []byte(demo.Connections(issuerURL, clients)+fmt.Sprintf(keysConnection, keys)), 0o600); err != nil {
		panic(err)
	}
	os.Setenv("LINKGATE_URL", publicURL)
	os.Setenv("LINKGATE_API_KEY", theKey)
	return append(os.Environ(), "ADDR="+public.Addr().String(), "OPERATOR_ADDR="+operator.Addr().String(), "PUBLIC_URL="+publicURL,
		"CONNECTIONS_FILE="+connections, "DATA_DIR="+filepath.Join(dir, "data"), "ALLOW_PRIVATE_NETWORKS=true", "LOG_LEVEL=error",
		"HOST_API_URL="+hostURL, "HOST_API_KEY="+host.APIKey().Reveal(), "HOST_PROXY_SECRET="+host.ProxySecret().Reveal(), "API_KEYS="+theKey)
}

const keysConnection = `
  - auth_id: keys
    provider: api_key
    name: Keys
    credential: {header: X-Key}
    identity: {url: "%[1]s/me", id: id}
    calls: {base_url: "%[1]s", allow: ["GET /me"]}
    fields: [{key: api_key, label: API key, secret: true}]
`

func listener() net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	return l
}

func served(l net.Listener, h http.Handler) string {
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: h}}
	server.Start()
	return server.URL
}

// signIn is what ada does in her browser.
func signIn(address string) {
	if _, err := demo.NewBrowser().SignIn(context.Background(), address, "ada"); err != nil {
		panic(err)
	}
}
