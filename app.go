package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"linkgate/apikey"
	"linkgate/appproxy"
	"linkgate/call"
	"linkgate/config"
	"linkgate/database"
	"linkgate/event"
	"linkgate/handlers"
	"linkgate/linkedaccount"
	"linkgate/oauthstate"
	"linkgate/outbox"
	"linkgate/registration"
)

// balancerPause is how long a replica that is not ready goes on taking requests.
const balancerPause = 3 * time.Second

// app is Linkgate, wired and listening.
type app struct {
	config    config.Config
	log       *slog.Logger
	database  *database.DB
	redis     *redis.Client
	embedded  *oauthstate.Embedded // nil with REDIS_URL
	outbox    *outbox.Box
	accounts  *linkedaccount.Store
	events    *event.Log
	keys      *apikey.Store
	clients   *registration.Manager
	tokens    *linkedaccount.Tokens
	calls     *call.Proxy
	ownersApp *appproxy.Proxy // nil without APP_URL
	server    *handlers.Server
	public    listening
	operator  listening
}

// listening is a server with the listener it is to serve.
type listening struct {
	*http.Server
	net.Listener
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
	a.drain(stopWorking, worked)
	return err
}

// work is what goes on in the background.
func (a *app) work(ctx context.Context) {
	var all sync.WaitGroup
	all.Go(func() { a.reseal(ctx) })
	all.Go(func() { a.tokens.Run(ctx) })
	all.Go(func() { a.clients.Run(ctx) })
	all.Go(func() { a.events.Run(ctx, a.outbox, a.log) })
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
// time to see that this one is not ready. What has not ended when the time is over is cut off:
// streams may have no end.
func (a *app) drain(stopWorking func(), worked <-chan struct{}) {
	ctx, cancel := context.WithTimeout(context.Background(), a.config.ShutdownTimeout)
	defer cancel()
	a.server.Drain()
	if a.embedded == nil {
		time.Sleep(min(balancerPause, a.config.ShutdownTimeout/5))
	}
	stopWorking()
	err := errors.Join(a.public.Shutdown(ctx), a.awaitStreams(ctx))
	settled := make(chan struct{})
	go func() {
		defer close(settled)
		<-worked
		a.outbox.Wait() // for what the last requests have left behind
		a.keys.Wait()
	}()
	select {
	case <-settled:
	case <-ctx.Done():
	}
	err = errors.Join(err, a.tokens.Wait(ctx))
	if err != nil {
		a.log.Warn("cut off what did not end within SHUTDOWN_TIMEOUT", "error", err)
		a.public.Server.Close()
	}
	a.operator.Server.Close()
}

// awaitStreams waits for connections that were upgraded: the server's Shutdown does not know them.
func (a *app) awaitStreams(ctx context.Context) error {
	err := a.calls.Wait(ctx)
	if a.ownersApp != nil {
		err = errors.Join(err, a.ownersApp.Wait(ctx))
	}
	return err
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
