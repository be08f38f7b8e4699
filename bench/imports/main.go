// Command imports measures `linkgate accounts import`: the time it takes, and the memory of both processes. It starts a
// Linkgate between a simulated host and a service, imports so many accounts into an empty database, and prints a line:
//
//	go run ./bench/imports -linkgate ./linkgate -n 10000            tokens of OAuth 2, nobody asked
//	go run ./bench/imports -linkgate ./linkgate -n 10000 -verified  API keys, the service asked for each
//
// With DATABASE_URL in the environment it is that database, which must be empty; else SQLite.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"linkgate/demo"
)

const apiKey = "an-api-key-of-thirty-two-characters"

func main() {
	binary := flag.String("linkgate", "./linkgate", "the binary")
	n := flag.Int("n", 10000, "accounts")
	verified := flag.Bool("verified", false, "ask the service for each")
	parallel := flag.String("parallel", "16", "how many at a time")
	flag.Parse()
	if err := measure(*binary, *n, *verified, *parallel); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func measure(binary string, n int, verified bool, parallel string) error {
	dir, err := os.MkdirTemp("", "linkgate-imports-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	public, env, err := surroundings(dir, n)
	if err != nil {
		return err
	}
	lines := filepath.Join(dir, "lines.jsonl")
	if err := writeLines(lines, n, verified); err != nil {
		return err
	}
	server := exec.Command(binary, "serve")
	server.Env = env
	server.Stderr = os.Stderr
	if err := server.Start(); err != nil {
		return err
	}
	defer func() { _ = server.Process.Kill() }() // if it is there still
	if err := awaitReady(public); err != nil {
		return err
	}
	args := []string{"accounts", "import", lines, "--parallel", parallel}
	if !verified {
		args = append(args, "--request-profile=false", "--validate-scope=false")
	}
	client := exec.Command(binary, args...)
	client.Env, client.Stdout, client.Stderr = env, os.Stdout, os.Stderr
	begun := time.Now()
	if err := client.Run(); err != nil {
		return err
	}
	took := time.Since(begun)
	usage := client.ProcessState.SysUsage().(*syscall.Rusage)
	if err := measurePages(public); err != nil {
		return err
	}
	peak, err := peakOf(server.Process.Pid)
	if err != nil {
		return err
	}
	if err := errors.Join(server.Process.Signal(syscall.SIGTERM), server.Wait()); err != nil {
		return err
	}
	fmt.Printf("%d accounts, verified %t: %.1f s, %.0f per second; CPU per account: server %v, client %v; peak memory: server %s, client %d kB\n",
		n, verified, took.Seconds(), float64(n)/took.Seconds(), cpu(server)/time.Duration(n), cpu(client)/time.Duration(n), peak, usage.Maxrss)
	return nil
}

// cpu is what an ended process has used.
func cpu(c *exec.Cmd) time.Duration { return c.ProcessState.UserTime() + c.ProcessState.SystemTime() }

// surroundings starts the host and the service, and gives Linkgate's environment.
func surroundings(dir string, n int) (public string, env []string, err error) {
	users := make([]demo.User, n)
	for i := range users {
		users[i] = demo.User{ID: fmt.Sprintf("user-%d", i), Name: "User"}
	}
	public = "127.0.0.1:" + free()
	host := demo.NewHost(demo.HostOptions{Users: users, LinkgateURL: "http://" + public, Apps: []demo.App{}})
	hostURL, err := serve(host)
	if err != nil {
		return "", nil, err
	}
	service, err := serve(http.HandlerFunc(me))
	if err != nil {
		return "", nil, err
	}
	connections := filepath.Join(dir, "connections.yaml")
	if err := os.WriteFile(connections, fmt.Appendf(nil, connectionsFile, service), 0o600); err != nil {
		return "", nil, err
	}
	env = append(os.Environ(), "ADDR="+public, "OPERATOR_ADDR=127.0.0.1:"+free(), "PUBLIC_URL=http://"+public,
		"CONNECTIONS_FILE="+connections, "DATA_DIR="+filepath.Join(dir, "data"), "ALLOW_PRIVATE_NETWORKS=true", "LOG_LEVEL=error",
		"HOST_API_URL="+hostURL, "HOST_API_KEY="+host.APIKey().Reveal(), "HOST_PROXY_SECRET="+host.ProxySecret().Reveal(),
		"API_KEYS="+apiKey, "LINKGATE_URL=http://"+public, "LINKGATE_API_KEY="+apiKey, "API_RATE=100000")
	return public, env, nil
}

const connectionsFile = `connections:
  - auth_id: tokens
    provider: oauth2
    name: Tokens
    client_id: c
    client_secret: s
    auth_style: basic
    authorize_url: %[1]s/authorize
    token_url: %[1]s/token
    scopes: [read]
    identity: {url: "%[1]s/me", id: id}
  - auth_id: keys
    provider: api_key
    name: Keys
    credential: {header: X-Key}
    identity: {url: "%[1]s/me", id: id}
    fields: [{key: api_key, label: API key, secret: true}]
`

func me(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, `{"id":%q}`, r.Header.Get("X-Key")) }

func writeLines(path string, n int, verified bool) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	for i := range n {
		if verified {
			fmt.Fprintf(w, `{"user_id":"user-%d","auth_id":"keys","credential":{"fields":{"api_key":"key-%[1]d"}}}`+"\n", i)
			continue
		}
		fmt.Fprintf(w, `{"user_id":"user-%d","auth_id":"tokens","credential":{"access_token":"%0100[1]d","refresh_token":"%0100[1]d"},`+
			`"profile":{"external_account_id":"%[1]d"}}`+"\n", i)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}

func serve(h http.Handler) (url string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go func() { _ = http.Serve(l, h) }()
	return "http://" + l.Addr().String(), nil
}

// free is a port that nobody uses at the moment.
func free() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

func awaitReady(public string) error {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if answer, err := http.Get("http://" + public + "/openapi.json"); err == nil {
			answer.Body.Close()
			return nil
		}
	}
	return errors.New("the server did not begin to serve within a minute")
}

// peakOf is the most memory that a running process has had.
func peakOf(pid int) (string, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return "", err
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	line, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(line), nil
}
