//go:build !nodemo

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"linkgate/apikey"
	"linkgate/config"
	"linkgate/demo"
	"linkgate/secret"
)

// demoOptions are the flags of `linkgate demo`.
type demoOptions struct {
	addr          string
	tokenLifetime time.Duration
	finish        bool
	logs          bool
}

func newDemoCommand() *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use:     "demo",
		GroupID: groupRun,
		Short:   "See it work, with nothing to set up",
		Long: `Run Linkgate between a simulated host and a simulated external service, all on this machine,
with no configuration and no network. Open the one address that it prints, connect an account,
call the service as that account, and disconnect it. The service is a real OAuth 2 and OpenID
Connect server whose tokens live 20 seconds, so that you can watch Linkgate renew them; an app of
your own stands behind Linkgate (APP_URL). Linkgate is the real one too, on its embedded stores.
Everything is forgotten when the demo ends (Ctrl-C).`,
		Example: `  linkgate demo
  linkgate demo --addr 127.0.0.1:3000
  linkgate demo --token-lifetime 5m
  linkgate demo --finish     the host relays the end of each sign-in (HOST_FINISH)`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runDemo(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), o)
		},
	}
	cmd.Flags().StringVar(&o.addr, "addr", "127.0.0.1:8080", "where the host's page is; another free port is taken when this one is in use")
	cmd.Flags().DurationVar(&o.tokenLifetime, "token-lifetime", 20*time.Second, "how long the service's access tokens live")
	cmd.Flags().BoolVar(&o.finish, "finish", false, "have the host relay the end of each sign-in, as HOST_FINISH=true does")
	cmd.Flags().BoolVar(&o.logs, "logs", false, "show Linkgate's log")
	return cmd
}

func runDemo(ctx context.Context, stdout, stderr io.Writer, o demoOptions) error {
	dir, err := os.MkdirTemp("", "linkgate-demo-")
	if err != nil {
		return fmt.Errorf("making a directory for the demo: %w", err)
	}
	defer os.RemoveAll(dir)
	s, err := newStage(ctx, o)
	if err != nil {
		return err
	}
	defer s.serve()()
	c, err := config.Load(s.source(dir, o.finish))
	if err != nil {
		return err
	}
	log := slog.New(slog.DiscardHandler)
	if o.logs {
		log = newLogger(stderr, c)
	}
	a, err := newApp(ctx, c, log)
	if err != nil {
		return err
	}
	_, key, err := a.keys.New(ctx, "demo", apikey.AllScopes())
	if err != nil {
		return err
	}
	s.introduce(stdout, o.tokenLifetime, key)
	return a.run(ctx)
}

// stage is what Linkgate plays on: the simulated host, service and owner's app, where they listen,
// and where Linkgate is to.
type stage struct {
	host, service, app net.Listener
	kinds              net.Listener // of theKinds
	linkgate           string
	clients            []demo.Client
	theHost            *demo.Host
	theService         *demo.Service
	theApp             *demo.OwnerApp
	theKinds           *demo.Kinds
}

func newStage(ctx context.Context, o demoOptions) (*stage, error) {
	if o.tokenLifetime < time.Second {
		return nil, &failure{code: exitUsage, err: errors.New("--token-lifetime is less than a second"), remedy: "Give it a second or more, such as --token-lifetime 20s."}
	}
	var s stage
	var err error
	if s.host, err = listenNear(ctx, o.addr); err != nil {
		return nil, &failure{code: exitFailure, err: err, remedy: "Choose another address with --addr, such as --addr 127.0.0.1:3000."}
	}
	if s.service, err = listenOn(ctx, "127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("listening for the demo's service: %w", err)
	}
	if s.app, err = listenOn(ctx, "127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("listening for the demo's app: %w", err)
	}
	if s.kinds, err = listenOn(ctx, "127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("listening for the demo's other services: %w", err)
	}
	if s.linkgate, err = freeAddr(ctx); err != nil {
		return nil, err
	}
	s.clients = demo.Clients("http://" + s.linkgate)
	s.theService = demo.NewService(demo.ServiceOptions{Issuer: urlOf(s.service), Clients: s.clients, AccessTokenLifetime: o.tokenLifetime})
	s.theKinds = demo.NewKinds(demo.KindsOptions{
		LinkgateURL: "http://" + s.linkgate, TokenLifetime: o.tokenLifetime, Issuer: urlOf(s.service), Register: func(c demo.Client) { s.theService.Register(c) },
	})
	s.theService.Register(s.theKinds.Team())
	s.theHost = demo.NewHost(demo.HostOptions{LinkgateURL: "http://" + s.linkgate, OwnerApp: "/hello", Apps: append(demo.Apps(), s.theKinds.Apps()...)})
	s.theApp = demo.NewOwnerApp()
	return &s, nil
}

func urlOf(l net.Listener) string { return "http://" + l.Addr().String() }

// source is Linkgate's configuration for this stage.
func (s *stage) source(dir string, finish bool) config.Source {
	connections := demo.Connections(urlOf(s.service), s.clients) + s.theKinds.Connections(urlOf(s.kinds))
	return config.Source{
		Environ: map[string]string{
			"ADDR": s.linkgate, "OPERATOR_ADDR": "127.0.0.1:0", "PUBLIC_URL": "http://" + s.linkgate, "DATA_DIR": dir,
			"HOST_API_URL": urlOf(s.host), "HOST_ORIGIN": urlOf(s.host),
			"HOST_API_KEY": s.theHost.APIKey().Reveal(), "HOST_PROXY_SECRET": s.theHost.ProxySecret().Reveal(),
			"APP_URL": urlOf(s.app), "APP_SECRET": s.theApp.Secret().Reveal(),
			"HOST_FINISH": strconv.FormatBool(finish), "ALLOW_PRIVATE_NETWORKS": "true",
		},
		ReadFile: func(string) ([]byte, error) { return []byte(connections), nil },
	}
}

// serve serves host, service and app, and returns what ends them.
func (s *stage) serve() (end func()) {
	var servers []*http.Server
	for listener, handler := range map[net.Listener]http.Handler{s.host: s.theHost, s.service: s.theService, s.app: s.theApp, s.kinds: s.theKinds} {
		server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
		servers = append(servers, server)
		go server.Serve(listener) //nolint:errcheck // ends with Close
	}
	return func() {
		for _, server := range servers {
			server.Close()
		}
	}
}

// listenNear listens at addr, or at another port of the same address when that one is in use.
func listenNear(ctx context.Context, addr string) (net.Listener, error) {
	hostname, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("--addr: %w", err)
	}
	if ip := net.ParseIP(hostname); ip == nil || !ip.IsLoopback() {
		return nil, errors.New("the demo listens on this machine only: --addr must be a loopback address such as 127.0.0.1:3000")
	}
	l, err := listenOn(ctx, addr)
	if err != nil {
		l, err = listenOn(ctx, net.JoinHostPort(hostname, "0"))
	}
	if err != nil {
		return nil, fmt.Errorf("listening for the demo's host: %w", err)
	}
	return l, nil
}

func listenOn(ctx context.Context, addr string) (net.Listener, error) {
	return new(net.ListenConfig).Listen(ctx, "tcp", addr)
}

// freeAddr is a loopback address that nobody listens at.
func freeAddr(ctx context.Context) (string, error) {
	l, err := listenOn(ctx, "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("looking for a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// introduce says what to open and what to do there.
func (s *stage) introduce(w io.Writer, tokenLifetime time.Duration, key secret.Text) {
	fmt.Fprintf(w, `Linkgate's demo is running. Open

    %[1]s

That is the host, an app as a company's employees see it. There:
  1. Click Connect at Acme Notes. Linkgate's page says what will be connected to whom: Continue.
  2. Sign in at Acme Notes (the page shows a name and a password) and allow access.
  3. The window closes, and the host lists your account. Click Who am I? beside it: Linkgate calls
     Acme Notes in your name. Its tokens live %[4]s, and the button works long after that.
  4. Click What the app sees: an app of your own, behind Linkgate, gets your user id and a fresh
     token with each click.
  5. Click Disconnect to take the account back: it is deleted at the host, and its tokens are
     revoked at Acme Notes.
The other cards are services of other kinds, with keys, passwords, OAuth 1 and client credentials; each says what to do.

An app's back end asks Linkgate for the accounts; http://%[2]s/docs shows what there is. In
another terminal:

    export LINKGATE_URL=http://%[2]s
    export LINKGATE_API_KEY=%[5]s
    curl -H "Authorization: Bearer $LINKGATE_API_KEY" $LINKGATE_URL/v1/accounts

Behind it: Linkgate at http://%[2]s, Acme Notes at %[3]s.
Stop with Ctrl-C; nothing is kept.
`, urlOf(s.host), s.linkgate, urlOf(s.service), inWords(tokenLifetime), key.Reveal())
}

// inWords says a number of seconds as people do.
func inWords(d time.Duration) string {
	if d%time.Minute == 0 {
		return config.Count(int(d/time.Minute), "minute")
	}
	return config.Count(int(d/time.Second), "second")
}
