package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"linkgate/demo"
	"linkgate/testservers"
)

// selfMade is the auth id of a connection that registers its client itself.
const selfMade = "self-made"

// registering adds such a connection to the world's service.
func registering(registrar string) option {
	return func(s *setup) {
		s.apps = append(s.apps, demo.App{ServiceID: "acme", AuthID: selfMade, Name: "Acme Notes, registered"})
		s.more += fmt.Sprintf(`  - auth_id: %s
    provider: oidc
    name: Acme Notes, registered
    issuer: %s
    scopes: [openid, profile, offline_access, notes.read]
    registration: {url: "%s/register", metadata: {client_name: Staffroom}}
    calls: {base_url: "%[2]s", allow: [GET /api/me]}
`, selfMade, s.issuer, registrar)
	}
}

// command runs a command beside the server, with its environment.
func (p *process) command(t *testing.T, args ...string) string {
	t.Helper()
	c := exec.Command(binary, args...)
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "GORACE=atexit_sleep_ms=0"}
	for name, value := range p.env {
		c.Env = append(c.Env, name+"="+value)
	}
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("linkgate %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// asked has a replica call the service as ada, and returns the status.
func (w *world) asked(t *testing.T, p *process) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+p.env["ADDR"]+"/call/"+selfMade+"/api/me", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = w.proxied("ada")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	return answer.StatusCode
}

// TestRegistration: three replicas start, and register one client; with it a user connects and calls;
// after a rotation every replica refreshes with the new secret; teardown deletes the client.
func TestRegistration(t *testing.T) {
	t.Parallel()
	var w *world
	server := httptest.NewUnstartedServer(nil)
	url := "http://" + server.Listener.Addr().String()
	registrar := demo.NewRegistrar(demo.RegistrarOptions{URL: url, Changed: func(c demo.Client) { w.Service.Register(c) }})
	allUp := make(chan struct{})
	registrar.Play(demo.Script{Before: func(string, *http.Request) { <-allUp }})
	server.Config.Handler = registrar
	server.Start()
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })

	w = newWorld(t, with("REDIS_URL", testservers.Redis(t)), with("DATABASE_URL", testservers.Postgres(t)),
		with("ENCRYPTION_KEYSET", newKeyset(t)), tokensLive(shortLife), registering(url))
	all := []*process{w.Linkgate, w.another(t), w.another(t)}
	close(allUp)
	eventually(t, "a client is registered", func() bool {
		return strings.Contains(w.Linkgate.command(t, "clients", "list", "--json"), `"state": "registered"`)
	})
	w.linked(t, "ada", selfMade, "ada")
	if n := registrar.Requests(demo.OpClientCreate); n != 1 || len(registrar.Clients()) != 1 {
		t.Errorf("%d registrations, want 1", n)
	}

	w.Linkgate.command(t, "clients", "rotate", selfMade)
	for _, p := range all {
		before := w.Service.Refreshes()
		eventually(t, "a refresh with the new secret", func() bool {
			if status := w.asked(t, p); status != http.StatusOK {
				t.Fatalf("a call is answered %d", status)
			}
			return w.Service.Refreshes() > before
		})
	}

	w.Linkgate.command(t, "clients", "delete", selfMade, "--yes")
	if n := len(registrar.Clients()); n != 0 {
		t.Errorf("%d clients are left at the service", n)
	}
	for _, p := range all {
		for _, s := range registrar.Secrets() {
			if s != "" && strings.Contains(p.log.String(), s) {
				t.Error("a log has a secret of the client's")
			}
		}
	}
}
