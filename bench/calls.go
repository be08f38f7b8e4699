package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"time"

	"linkgate/database"
	"linkgate/linkedaccount"
	"linkgate/outbox"
	"linkgate/provider"
	"linkgate/secret"
)

const (
	// callUsers is how many users call in turn, each with an account: so many that none reaches the
	// limit for one user.
	callUsers  = 2_000
	answerSize = 1 << 10
	// token is every account's.
	token = "benchmark-benchmark-benchmark-benchmark-token"
)

// nginxConfig has the directory, the service, the address and the token. Nothing that a process does
// now and then, such as ending a connection after so many requests, is to fall into the rounds.
const nginxConfig = `daemon off;
worker_processes auto;
pid %[1]s/nginx.pid;
events { worker_connections 1024; }
http {
	access_log off;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	upstream service {
		server %[2]s;
		keepalive 256;
		keepalive_requests 100000000;
	}
	server {
		listen %[3]s;
		keepalive_requests 100000000;
		location / {
			proxy_pass http://service;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_set_header Blink-Auth-Proxysecret "";
			proxy_set_header Blink-Auth-Userid "";
			proxy_set_header Authorization "Bearer %[4]s";
		}
	}
}
`

// call is a call of the service.
func call() target {
	return target{method: http.MethodGet, path: "/call/bench/thing", users: callUsers, size: answerSize}
}

// measureCalls measures calls of a service through Linkgate, the bare proxy and, if there is one, nginx.
func measureCalls(ctx context.Context, s servers, o options) (table, error) {
	if err := linkAccounts(ctx, s.callDataDir(), callUsers); err != nil {
		return table{}, err
	}
	service, err := s.startService(ctx)
	if err != nil {
		return table{}, err
	}
	defer service.stop()
	t := table{names: []string{"Linkgate", "bare proxy"}}
	begin := []func() (*process, error){
		linkgate: func() (*process, error) { return s.startLinkgate(ctx, setting{service: service.addr}) },
		bare:     func() (*process, error) { return s.startBareProxy(ctx, service.addr) },
		control:  func() (*process, error) { return s.startBareProxy(ctx, service.addr) },
	}
	if nginx, err := exec.LookPath("nginx"); err == nil {
		t.names = append(t.names, "nginx")
		begin = append(begin, func() (*process, error) { return s.startNginx(ctx, nginx, service.addr) })
	}
	contestants, err := startAll(begin...)
	defer stopAll(contestants)
	if err != nil {
		return table{}, err
	}
	g := &generator{target: call()}
	err = course{
		contestants: contestants,
		generator:   g,
		connections: o.callers,
		prepare:     func(ctx context.Context, p *process) error { return callOnceEach(ctx, g, p.addr, o.callers) },
	}.run(ctx, o, &t, "`/call`", "call")
	return t, err
}

// callOnceEach has every user call at least once, which is not counted. Linkgate keeps an account's
// opened credential for seconds only, and the others' turns take longer.
func callOnceEach(ctx context.Context, g *generator, addr string, connections int) error {
	const piece = 100 * time.Millisecond
	for end := g.sent.Load() + g.users; g.sent.Load() < end; {
		if _, err := g.load(ctx, addr, connections, piece); err != nil {
			return err
		}
	}
	return nil
}

// linkAccounts gives each user an account, as if they had all connected and the host knew of it. No
// credential expires while it is used, so that nothing is refreshed.
func linkAccounts(ctx context.Context, dataDir string, users int64) (err error) {
	db, err := database.Open(ctx, database.Options{DataDir: dataDir})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	keyset, _, err := secret.LoadOrCreateKeyset(filepath.Join(dataDir, "keyset"))
	if err != nil {
		return err
	}
	keyring, err := secret.OpenKeyring(keyset)
	if err != nil {
		return err
	}
	store := &linkedaccount.Store{DB: db, Keyring: keyring}
	for user := range users {
		if err := link(ctx, store, userID(user)); err != nil {
			return fmt.Errorf("linking accounts: %w", err)
		}
	}
	return nil
}

// link links a user's account and leaves nothing in the outbox for Linkgate to do.
func link(ctx context.Context, store *linkedaccount.Store, user string) error {
	now := time.Now()
	a, _, err := store.Link(ctx, user, "bench", provider.Grant{
		Credential: provider.Credential{AccessToken: secret.New(token), IssuedAt: now, ExpiresAt: now.Add(24 * time.Hour)},
		Identity:   provider.Identity{Issuer: "https://service.example.com", Subject: user},
	})
	if err != nil {
		return err
	}
	if err := store.HostAdded(ctx, a.ID, "host-"+user, a.Version); err != nil {
		return err
	}
	return store.DB.InTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		return outbox.Drop(ctx, tx, a.ID, linkedaccount.HostAdd)
	})
}
