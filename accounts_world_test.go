package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"linkgate/demo"
)

// world: a simulated host and service, and the environment of a Linkgate between them, with an API key. The host
// has the users ada and grace; the connection keys takes any key-N, of account N.
func world(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: world")
	}
	public, operator := unused(ts), unused(ts)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	issuer, clients := "http://"+listener.Addr().String(), demo.Clients("http://"+public)
	service := demo.NewService(demo.ServiceOptions{Issuer: issuer, Clients: clients, Users: []demo.ServiceUser{
		{Username: "ada", Subject: "u-1815", Name: "Ada L."}, {Username: "grace", Subject: "u-1906", Name: "Grace H."},
	}})
	started(ts, listener, service)
	host := demo.NewHost(demo.HostOptions{
		Users: []demo.User{{ID: "ada", Name: "Ada Lovelace"}, {ID: "grace", Name: "Grace Hopper"}}, LinkgateURL: "http://" + public,
		Apps: demo.Apps(),
	})
	hostListener, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	started(ts, hostListener, host)
	hostURL := "http://" + hostListener.Addr().String()
	ts.Check(os.WriteFile(ts.MkAbs("connections.yaml"), []byte(demo.Connections(issuer, clients)+keysConnection(ts)), 0o600))
	for name, value := range map[string]string{
		"ADDR": public, "OPERATOR_ADDR": operator, "PUBLIC_URL": "http://" + public, "DATA_DIR": "data",
		"ALLOW_PRIVATE_NETWORKS": "true", "HOST_API_URL": hostURL, "HOST_API_KEY": host.APIKey().Reveal(),
		"HOST_PROXY_SECRET": host.ProxySecret().Reveal(), "HOST_ORIGIN": hostURL,
		"LINKGATE_URL": "http://" + public, "LINKGATE_API_KEY": "an-api-key-of-thirty-two-characters",
		"API_KEYS": "an-api-key-of-thirty-two-characters", "SERVICE": issuer,
	} {
		ts.Setenv(name, value)
	}
}

// keysConnection is a connection by API key, to a service that takes key-N.
func keysConnection(ts *testscript.TestScript) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	started(ts, listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, ok := strings.CutPrefix(r.Header.Get("X-Key"), "key-")
		if !ok {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		fmt.Fprintf(w, `{"id":"%s","name":"Account %[1]s"}`, n)
	}))
	return fmt.Sprintf(`
  - auth_id: keys
    provider: api_key
    name: Key Service
    credential: {header: X-Key}
    identity: {url: "http://%[1]s/me", id: id, name: name}
    calls: {base_url: "http://%[1]s", allow: ["GET /me"]}
    fields: [{key: api_key, label: API key, secret: true}]
`, listener.Addr())
}

func started(ts *testscript.TestScript, l net.Listener, h http.Handler) {
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: h}}
	server.Start()
	ts.Defer(func() { server.CloseClientConnections(); server.Close() })
}

func unused(ts *testscript.TestScript) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	defer l.Close()
	return l.Addr().String()
}

// ready: the Linkgate that runs in the background answers.
func ready(ts *testscript.TestScript, neg bool, args []string) {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		answer, err := http.Get("http://" + ts.Getenv("OPERATOR_ADDR") + "/readyz")
		if err != nil {
			continue
		}
		answer.Body.Close()
		if answer.StatusCode == http.StatusOK {
			return
		}
	}
	ts.Fatalf("Linkgate did not become ready")
}

// api STATUS METHOD PATH [BODY]: what the accounts API answers is the standard output, and has the status.
func api(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 || len(args) > 4 {
		ts.Fatalf("usage: api STATUS METHOD PATH [BODY]")
	}
	body := strings.Join(args[3:], "")
	r, err := http.NewRequest(args[1], ts.Getenv("LINKGATE_URL")+args[2], strings.NewReader(body))
	ts.Check(err)
	r.Header.Set("Authorization", "Bearer "+ts.Getenv("LINKGATE_API_KEY"))
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	ts.Check(err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	ts.Check(err)
	fmt.Fprint(ts.Stdout(), string(text))
	if got := fmt.Sprint(answer.StatusCode); got != args[0] {
		ts.Fatalf("%s %s: status %s, want %s: %s", args[1], args[2], got, args[0], text)
	}
}

// capture VARIABLE REGEXP: sets the variable to the first group of what matches on the standard output.
func capture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: capture VARIABLE REGEXP")
	}
	found := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if len(found) < 2 {
		ts.Fatalf("nothing matches %s", args[1])
	}
	ts.Setenv(args[0], found[1])
}

// browse URL USERNAME: a browser goes there, and signs in at the service; the page at the end is the standard output.
func browse(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: browse URL USERNAME")
	}
	page, err := demo.NewBrowser().SignIn(context.Background(), args[0], args[1])
	ts.Check(err)
	fmt.Fprint(ts.Stdout(), page.Body)
}

// deny URL USERNAME: a browser goes there, and says no at the service; the page at the end is the standard output.
func deny(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: deny URL USERNAME")
	}
	page, err := demo.NewBrowser().Deny(context.Background(), args[0], args[1])
	ts.Check(err)
	fmt.Fprint(ts.Stdout(), page.Body)
}
