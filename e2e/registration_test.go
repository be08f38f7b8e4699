package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

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

// asked has a replica call the service as a user, and returns the status; zero where there is none.
func (w *world) asked(t *testing.T, p *process, userID string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+p.env["ADDR"]+"/call/"+selfMade+"/api/me", nil)
	if err != nil {
		t.Error(err)
		return 0
	}
	r.Header = w.proxied(userID)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Error(err)
		return 0
	}
	answer.Body.Close()
	return answer.StatusCode
}

// refresh is a token request with a refresh token, as the service sees it arrive.
type refresh struct {
	token, secret string
	at            time.Time
}

// refreshes are those since the service plays the script.
type refreshes struct {
	mu  sync.Mutex
	all []refresh
}

func (r *refreshes) script() demo.Script {
	return demo.Script{Before: func(op string, request *http.Request) {
		if op != demo.OpToken || !demo.IsRefresh(request) {
			return
		}
		used := request.PostForm.Get("client_secret")
		if _, basic, ok := request.BasicAuth(); ok {
			used = basic
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.all = append(r.all, refresh{token: request.PostForm.Get("refresh_token"), secret: used, at: time.Now()})
	}}
}

func (r *refreshes) seen() []refresh {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.all)
}

// letExpire waits until every access token has ended, and keeps the replicas from refreshing by themselves: the
// next who calls does.
func (w *world) letExpire(t *testing.T) {
	t.Helper()
	db := w.open(t)
	eventually(t, "nobody refreshes ahead", func() bool {
		before := w.Service.Refreshes()
		if _, err := db.ExecContext(t.Context(), "UPDATE linked_accounts SET refresh_at = 0"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(shortLife)
		due := -1
		if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM linked_accounts WHERE refresh_at <> 0").Scan(&due); err != nil {
			t.Fatal(err)
		}
		return due == 0 && w.Service.Refreshes() == before
	})
}

// clientSecret is that of the only client that there is.
func clientSecret(t *testing.T, registrar *demo.Registrar) string {
	t.Helper()
	var secrets []string
	for _, c := range registrar.Clients() {
		s, _ := c["client_secret"].(string)
		secrets = append(secrets, s)
	}
	if len(secrets) != 1 || secrets[0] == "" {
		t.Fatalf("%d clients, want 1, with a secret", len(secrets))
	}
	return secrets[0]
}

// rotated rotates the client's secret while every access token has ended. Each replica has two users of its own: with one it
// refreshes just before, with the other when the command has ended, all at once, and that must be with the new
// secret. When they did is logged, for docs/benchmarks.md.
func (w *world) rotated(t *testing.T, registrar *demo.Registrar, all []*process, users []string) {
	t.Helper()
	var at refreshes
	var changed atomic.Pointer[time.Time] // when the service has made another secret
	old := clientSecret(t, registrar)
	w.letExpire(t)
	w.Service.Play(at.script())
	registrar.Play(demo.Script{
		Before: func(string, *http.Request) {
			for i, p := range all { // so that each has the old secret in memory, and must be told
				w.asked(t, p, users[len(all)+i])
			}
		},
		After: func(string, *http.Request) { changed.Store(new(time.Now())) },
	})
	w.Linkgate.command(t, "clients", "rotate", selfMade)
	ended, latest := time.Now(), clientSecret(t, registrar)
	if latest == old {
		t.Fatal("the secret is the old one")
	}

	var calls sync.WaitGroup
	for i, p := range all {
		calls.Go(func() {
			for w.asked(t, p, users[i]) != http.StatusOK && time.Since(ended) < time.Minute {
				time.Sleep(20 * time.Millisecond)
			}
		})
	}
	calls.Wait()
	first := map[string]time.Time{} // use of the new secret, by refresh token; each replica has one of its own
	for _, r := range at.seen() {
		if r.at.Before(*changed.Load()) {
			continue
		}
		if _, known := first[r.token]; !known && r.secret == latest {
			first[r.token] = r.at
			t.Logf("replica %d of %d refreshes with the new secret %d ms after the service has made it, %d ms after the command's end",
				len(first), len(all), r.at.Sub(*changed.Load()).Milliseconds(), r.at.Sub(ended).Milliseconds())
		} else {
			t.Logf("a refresh with another secret, or a second one, %d ms after the service has made the new one", r.at.Sub(*changed.Load()).Milliseconds())
		}
	}
	if len(first) != len(all) {
		t.Fatalf("%d replicas refresh with the new secret, want %d", len(first), len(all))
	}

	known := len(at.seen())
	eventually(t, "refreshes later on", func() bool {
		for i, p := range all {
			w.asked(t, p, users[i])
		}
		return len(at.seen()) >= known+len(all)
	})
	for _, r := range at.seen()[known:] {
		if r.secret != latest {
			t.Error("a refresh comes with an old secret after the new one")
		}
	}
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
		with("ENCRYPTION_KEYSET", newKeyset(t)), tokensLive(shortLife), crowded(4), registering(url))
	all := []*process{w.Linkgate, w.another(t), w.another(t)}
	close(allUp)
	eventually(t, "a client is registered", func() bool {
		return strings.Contains(w.Linkgate.command(t, "clients", "list", "--json"), `"state": "registered"`)
	})
	users := []string{"ada", "grace", crowdUser(0), crowdUser(1), crowdUser(2), crowdUser(3)}
	for i, u := range users {
		w.linked(t, u, selfMade, serviceUsers[i%len(serviceUsers)].Username)
	}
	if n := registrar.Requests(demo.OpClientCreate); n != 1 || len(registrar.Clients()) != 1 {
		t.Errorf("%d registrations, want 1", n)
	}

	w.rotated(t, registrar, all, users)

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
