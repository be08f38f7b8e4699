package main

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/labstack/echo/v4/middleware"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/redis/go-redis/v9"
	"golang.org/x/time/rate"

	"linkgate/apikey"
	"linkgate/appproxy"
	"linkgate/call"
	"linkgate/config"
	"linkgate/connect"
	"linkgate/database"
	"linkgate/event"
	"linkgate/handlers"
	v1 "linkgate/handlers/v1"
	"linkgate/host"
	"linkgate/idempotency"
	"linkgate/linkedaccount"
	"linkgate/oauthstate"
	"linkgate/outbox"
	"linkgate/provider"
	"linkgate/registration"
	"linkgate/secret"
	"linkgate/templates"
)

// A host user may open sessionBurst sessions at once and one more every sessionEvery, at each
// replica. A session lives oauthstate.LongestLife at the most, so a user holds some 600 of them.
const (
	sessionBurst = 20
	sessionEvery = 3 * time.Second
)

// A service may report removalBurst removals at once and removalRate more each second, for each
// connection and at each replica: more is no news of users, but somebody who has found the secret.
const (
	removalBurst = 200
	removalRate  = rate.Limit(20)
)

// callBurst is how many seconds' worth of CALL_RATE a host user may call at once, and of API_RATE
// an API key.
const callBurst = 4

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
	connections, err := a.openConnections()
	if err != nil {
		return nil, err
	}
	service := a.newService(keyring, connections)
	a.outbox.Handlers = service.Promises()
	if err := a.newWebhook(); err != nil {
		return nil, err
	}
	if err := a.newCalls(connections); err != nil {
		return nil, err
	}
	service.Tokens = a.tokens
	if a.server, err = a.newServer(service); err != nil {
		return nil, err
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
	a.events = &event.Log{DB: a.database, Deliver: a.config.WebhookURL != ""}
	a.accounts = &linkedaccount.Store{DB: a.database, Keyring: keyring, EventLog: a.events}
	a.outbox = &outbox.Box{
		DB: a.database, Log: a.log, Patience: map[string]outbox.Patience{event.Kind: event.Patience()},
	}
	a.keys = &apikey.Store{
		DB: a.database, Static: a.config.APIKeys, Log: a.log,
		Limit: limiter(rate.Limit(a.config.APIRate), callBurst*a.config.APIRate),
	}
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

// newClients keeps the clients of connections that register themselves. redis may be nil.
func newClients(c config.Config, accounts *linkedaccount.Store, redis redis.UniversalClient, log *slog.Logger) *registration.Manager {
	return registration.New(registration.Options{
		DB: accounts.DB, Keyring: accounts.Keyring, Redis: redis,
		Deps:        provider.Deps{AllowPrivateNetworks: c.AllowPrivateNetworks, Log: log},
		Connections: c.Connections,
		RedirectURI: c.RedirectURI,
		Audit: func(ctx context.Context, name, authID, detail string) {
			err := accounts.Audit(ctx, linkedaccount.Event{Name: name, AuthID: authID, Detail: detail})
			if err != nil {
				log.ErrorContext(ctx, "the audit trail lacks an entry", "event", name, "auth_id", authID, "error", err)
			}
		},
		Log: log,
	})
}

// openConnections makes the configured connections ready to work. It calls nobody.
func (a *app) openConnections() (map[string]*provider.Provider, error) {
	connections := make(map[string]*provider.Provider, len(a.config.Connections))
	a.clients = newClients(a.config, a.accounts, a.redis, a.log)
	for _, connection := range a.config.Connections {
		p, err := provider.New(connection, provider.Deps{
			AllowPrivateNetworks: a.config.AllowPrivateNetworks, Log: a.log, Client: a.clients.Client(connection.AuthID),
		})
		if err != nil {
			return nil, fmt.Errorf("preparing connection %q: %w", connection.AuthID, err)
		}
		connections[connection.AuthID] = p
	}
	return connections, nil
}

func (a *app) newService(keyring *secret.Keyring, connections map[string]*provider.Provider) *connect.Service {
	c := a.config
	return &connect.Service{
		PublicURL:   c.PublicURL,
		Connections: connections,
		Sessions:    &oauthstate.Store{Redis: a.redis},
		Accounts:    a.accounts,
		Outbox:      a.outbox,
		Host:        host.New(host.Options{BaseURL: c.HostAPIURL, APIKey: c.HostAPIKey, Log: a.log}),
		Keyring:     keyring,
		Limit:       limiter(rate.Every(sessionEvery), sessionBurst),
		HostFinish:  c.HostFinish,
		ShareTokens: c.HostShareTokens,
		WorkTime:    min(connect.DefaultWorkTime, c.ShutdownTimeout*3/5), // so that it ends before we do
		Log:         a.log,

		RemovalLimit: limiter(removalRate, removalBurst),

		HostOrigin:     c.HostOrigin,
		SessionOrigins: c.SessionOrigins,
	}
}

// newWebhook has the outbox deliver events.
func (a *app) newWebhook() error {
	c := a.config
	a.outbox.Handlers[event.Kind] = event.Undeliverable
	if c.WebhookURL == "" {
		return nil
	}
	webhook, err := event.NewWebhook(event.WebhookOptions{
		URL: c.WebhookURL, Secrets: c.WebhookSecrets, Network: provider.Deps{AllowPrivateNetworks: c.AllowPrivateNetworks},
	})
	if err != nil {
		return err
	}
	a.outbox.Handlers[event.Kind] = webhook.Deliver
	return nil
}

// limiter bounds what each of many may do, in this process.
func limiter(r rate.Limit, burst int) *middleware.RateLimiterMemoryStore {
	return middleware.NewRateLimiterMemoryStoreWithConfig(middleware.RateLimiterMemoryStoreConfig{
		Rate: r, Burst: burst,
		ExpiresIn: time.Duration(float64(burst) / float64(r) * float64(time.Second)), // by then the burst is whole again
	})
}

// newCalls makes what works with users' credentials: the freshness of them, calls to services, and
// the way to the owner's own app if there is one.
func (a *app) newCalls(connections map[string]*provider.Provider) (err error) {
	c := a.config
	a.accounts.Schedule = linkedaccount.ScheduleOf(connections)
	a.tokens = linkedaccount.NewTokens(linkedaccount.TokensOptions{
		Store: a.accounts, Connections: connections, Redis: a.redis, ShareTokens: c.HostShareTokens, Log: a.log,
	})
	a.calls, err = call.New(call.Options{
		Tokens: a.tokens, Connections: connections, Limit: limiter(rate.Limit(c.CallRate), callBurst*c.CallRate),
		AllowPrivateNetworks: c.AllowPrivateNetworks, Log: a.log,
	})
	if err != nil || c.AppURL == "" {
		return err
	}
	var inject []string
	for _, connection := range c.Connections {
		if connection.App.Inject {
			inject = append(inject, connection.AuthID)
		}
	}
	a.ownersApp, err = appproxy.New(appproxy.Options{URL: c.AppURL, Secret: c.AppSecret, Tokens: a.tokens, Inject: inject, Log: a.log})
	return err
}

func (a *app) newServer(service *connect.Service) (*handlers.Server, error) {
	pages, err := templates.New()
	if err != nil {
		return nil, err
	}
	c := a.config
	server := &handlers.Server{
		Connect: service, Calls: a.calls, Pages: pages, ProxySecrets: c.HostProxySecrets, PublicURL: c.PublicURL,
		Log:     a.log,
		Metrics: newMetrics(a.outbox.Collector(), a.tokens.Collector(), a.calls.Collector()),
		Ready: []handlers.Check{
			{Name: "database", Run: a.database.Ping},
			{Name: "redis", Run: service.Sessions.Ping},
		},
	}
	server.API = a.newAPI(service)
	if a.ownersApp != nil { // else a nil pointer would be taken for an app
		server.App = a.ownersApp
	}
	return server, nil
}

// newAPI is what back ends ask.
func (a *app) newAPI(service *connect.Service) *v1.API {
	api := &v1.API{
		Keys: a.keys, Once: &idempotency.Store{Redis: a.redis, Keyring: service.Keyring}, Accounts: a.accounts,
		Connect: service, Calls: a.calls, Events: a.events, Connections: service.Connections, PublicURL: a.config.PublicURL,
		Log: a.log,
	}
	for _, c := range a.config.Connections {
		api.Order = append(api.Order, c.AuthID)
	}
	return api
}

// newMetrics is the registry of /metrics with what our parts, the Go runtime and the process tell.
func newMetrics(ours ...prometheus.Collector) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(ours...)
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}
