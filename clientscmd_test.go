package main

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"

	"linkgate/demo"
)

// registrars are the services of the scripts that have one, by their addresses.
type registrars struct {
	mu  sync.Mutex
	all map[string]*demo.Registrar
}

// start [unmanaged]: starts a service where clients are registered, and puts its address into
// $REGISTRAR.
func (g *registrars) start(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 1 {
		ts.Fatalf("usage: registrar [unmanaged]")
	}
	server := httptest.NewUnstartedServer(nil)
	url := "http://" + server.Listener.Addr().String()
	service := demo.NewRegistrar(demo.RegistrarOptions{URL: url, Unmanaged: len(args) == 1})
	server.Config.Handler = service
	server.Start()
	ts.Defer(server.Close)
	ts.Setenv("REGISTRAR", url)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.all[url] = service
}

// registered N: the service has N clients, and what was printed last tells no secret of theirs.
func (g *registrars) registered(ts *testscript.TestScript, neg bool, args []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	service := g.all[ts.Getenv("REGISTRAR")]
	if neg || len(args) != 1 || service == nil {
		ts.Fatalf("usage: registered N, after registrar")
	}
	if got := fmt.Sprint(len(service.Clients())); got != args[0] {
		ts.Fatalf("the service has %s clients, want %s", got, args[0])
	}
	printed := ts.ReadFile("stdout") + ts.ReadFile("stderr")
	for _, s := range service.Secrets() {
		if s != "" && strings.Contains(printed, s) {
			ts.Fatalf("a secret was printed")
		}
	}
}
