package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"github.com/labstack/echo/v4/middleware"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/redis/go-redis/v9"
	"golang.org/x/time/rate"

	"linkgate/config"
	"linkgate/connect"
	"linkgate/database"
	"linkgate/handlers"
	"linkgate/host"
	"linkgate/linkedaccount"
	"linkgate/oauthstate"
	"linkgate/outbox"
	"linkgate/provider"
	"linkgate/secret"
	"linkgate/templates"
)

// A host user may open sessionBurst sessions at once and one more every sessionEvery, at each
// replica. A session lives oauthstate.LongestLife at the most, so a user holds some 600 of them.
const (
	sessionBurst = 20
	sessionEvery = 3 * time.Second
)

// balancerPause is how long a replica that is not ready goes on taking requests.
const balancerPause = 3 * time.Second

// app is Linkgate, wired and listening.
type app struct {
	config   config.Config
	log      *slog.Logger
	database *database.DB
	redis    *redis.Client
	embedded *oauthstate.Embedded // nil with REDIS_URL
	outbox   *outbox.Box
	accounts *linkedaccount.Store
	server   *handlers.Server
	public   listening
	operator listening
}

// listening is a server with the listener it is to serve.
type listening struct {
	*http.Server
	net.Listener
}

// newApp opens the stores, wires everything and listens. It serves nothing yet. When it fails,
// what it had opened is closed.
func newApp(ctx context.Context, c config.Config, log *slog.Logger) (_ *app, err error) {
	a := &app{config: c, log: log}
	defer func() {
		if err != nil {
			a.close()
		}
	}()
	keyring, err := openKeyring(c, log)
	if err != nil {
		return nil, err
	}
	if err := a.openStores(ctx, keyring); err != nil {
		return nil, err
	}
	service, err := a.newService(keyring)
	if err != nil {
		return nil, err
	}
	a.outbox.Handlers = service.Promises()
	pages, err := templates.New()
	if err != nil {
		return nil, err
	}
	a.server = &handlers.Server{
		Connect: service, Pages: pages, ProxySecrets: c.HostProxySecrets, PublicURL: c.PublicURL,
		HostOrigin: c.HostOrigin, Log: log, Metrics: newMetrics(a.outbox.Collector()),
		Ready: []handlers.Check{
			{Name: "database", Run: a.database.Ping},
			{Name: "redis", Run: service.Sessions.Ping},
		},
	}
	return a, a.listen(ctx)
}

// openKeyring takes the configured keyset, or the one in DATA_DIR, made at the first start.
func openKeyring(c config.Config, log *slog.Logger) (*secret.Keyring, error) {
	keyset := c.EncryptionKeyset
	if keyset.IsZero() {
		path := filepath.Join(c.DataDir, keysetFile)
		var created bool
		var err error
		if keyset, created, err = secret.LoadOrCreateKeyset(path); err != nil {
			return nil, fmt.Errorf("opening the keyset: %w", err)
		}
		if created {
			log.Warn("made a new keyset; without it no credential can be opened, so back it up", "file", path)
		}
	}
	keyring, err := secret.OpenKeyring(keyset)
	if err != nil {
		return nil, fmt.Errorf("opening the keyset: %w", err)
	}
	return keyring, nil
}

func (a *app) openStores(ctx context.Context, keyring *secret.Keyring) (err error) {
	a.database, err = database.Open(ctx, database.Options{URL: a.config.DatabaseURL, DataDir: a.config.DataDir})
	if err != nil {
		return err
	}
	a.accounts = &linkedaccount.Store{DB: a.database, Keyring: keyring}
	a.outbox = &outbox.Box{DB: a.database, Log: a.log}
	if !a.config.RedisURL.IsZero() {
		a.redis, err = oauthstate.Dial(a.config.RedisURL)
		return err
	}
	if a.embedded, err = oauthstate.StartEmbedded(); err != nil {
		return err
	}
	a.redis = a.embedded.Client
	return nil
}

func (a *app) newService(keyring *secret.Keyring) (*connect.Service, error) {
	c := a.config
	connections := make(map[string]*provider.Provider, len(c.Connections))
	for _, connection := range c.Connections {
		p, err := provider.New(connection, provider.Deps{AllowPrivateNetworks: c.AllowPrivateNetworks, Log: a.log})
		if err != nil {
			return nil, fmt.Errorf("preparing connection %q: %w", connection.AuthID, err)
		}
		connections[connection.AuthID] = p
	}
	return &connect.Service{
		PublicURL:   c.PublicURL,
		Connections: connections,
		Sessions:    &oauthstate.Store{Redis: a.redis},
		Accounts:    a.accounts,
		Outbox:      a.outbox,
		Host:        host.New(host.Options{BaseURL: c.HostAPIURL, APIKey: c.HostAPIKey, Log: a.log}),
		Keyring:     keyring,
		Limit: middleware.NewRateLimiterMemoryStoreWithConfig(middleware.RateLimiterMemoryStoreConfig{
			Rate: rate.Every(sessionEvery), Burst: sessionBurst,
			ExpiresIn: sessionBurst * sessionEvery, // by then the burst is whole again
		}),
		HostFinish:  c.HostFinish,
		ShareTokens: c.HostShareTokens,
		WorkTime:    min(connect.DefaultWorkTime, c.ShutdownTimeout*3/5), // so that it ends before we do
		Log:         a.log,
	}, nil
}

// newMetrics is the registry of /metrics with what the outbox, the Go runtime and the process tell.
func newMetrics(outbox prometheus.Collector) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(outbox, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

func (a *app) listen(ctx context.Context) error {
	public, err := a.server.Public()
	if err != nil {
		return err
	}
	if a.public, err = listenAt(ctx, "ADDR", a.config.Addr, public, a.log); err != nil {
		return err
	}
	a.operator, err = listenAt(ctx, "OPERATOR_ADDR", a.config.OperatorAddr, a.server.Operator(), a.log)
	return err
}

func listenAt(ctx context.Context, variable, addr string, h http.Handler, log *slog.Logger) (listening, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return listening{}, &failure{
			code: exitFailure, err: fmt.Errorf("listening at %s: %w", variable, err),
			remedy: "End what uses that port, or set " + variable + " to another.",
		}
	}
	return listening{Server: handlers.HTTPServer(addr, h, log), Listener: l}, nil
}

// run serves until ctx ends, then lets what is under way end: requests first, then what the
// outbox has in hand. It takes SHUTDOWN_TIMEOUT at the most.
func (a *app) run(ctx context.Context) error {
	defer a.close()
	failed := make(chan error, 2)
	for _, l := range []listening{a.public, a.operator} {
		go func() { failed <- l.Serve(l.Listener) }()
	}
	working, stopWorking := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWorking()
	worked := make(chan struct{})
	go func() {
		defer close(worked)
		a.work(working)
	}()
	a.log.Info("Linkgate is listening", "address", a.public.Listener.Addr().String(), "operator", a.operator.Listener.Addr().String(),
		"public_url", a.config.PublicURL, "connections", len(a.config.Connections))

	var err error
	select {
	case <-ctx.Done():
		a.log.Info("stopping: no new requests are taken, those under way end", "timeout", a.config.ShutdownTimeout)
	case err = <-failed:
	}
	return errors.Join(err, a.drain(stopWorking, worked))
}

// work is what goes on in the background.
func (a *app) work(ctx context.Context) {
	var all sync.WaitGroup
	all.Go(func() { a.reseal(ctx) })
	if err := a.outbox.Run(ctx); err != nil && ctx.Err() == nil {
		a.log.Error("the outbox has stopped", "error", err)
	}
	all.Wait()
}

// reseal seals with the primary key what an older key has sealed, so that the older can be disabled.
func (a *app) reseal(ctx context.Context) {
	n, err := a.accounts.Reseal(ctx)
	switch {
	case err != nil && ctx.Err() == nil:
		a.log.Error("sealing credentials anew with the primary key", "sealed", n, "error", err)
	case err == nil:
		a.log.Info("every credential is sealed with the primary key", "sealed_anew", n)
	}
}

// drain lets what is under way end. Where there may be other replicas, the balancer first gets the
// time to see that this one is not ready.
func (a *app) drain(stopWorking func(), worked <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(context.Background(), a.config.ShutdownTimeout)
	defer cancel()
	a.server.Drain()
	if a.embedded == nil {
		time.Sleep(min(balancerPause, a.config.ShutdownTimeout/5))
	}
	stopWorking()
	err := a.public.Shutdown(ctx)
	settled := make(chan struct{})
	go func() {
		defer close(settled)
		<-worked
		a.outbox.Wait() // for what the last requests have left behind
	}()
	select {
	case <-settled:
	case <-ctx.Done():
	}
	a.operator.Server.Close()
	if err != nil {
		return fmt.Errorf("ending requests within SHUTDOWN_TIMEOUT: %w", err)
	}
	return nil
}

// close gives back what newApp opened.
func (a *app) close() {
	for _, l := range []listening{a.public, a.operator} {
		if l.Listener != nil {
			l.Listener.Close()
		}
	}
	if a.embedded != nil {
		a.embedded.Close()
	} else if a.redis != nil {
		a.redis.Close()
	}
	if a.database != nil {
		a.database.Close()
	}
}
