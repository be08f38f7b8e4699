package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/redis/go-redis/v9"
)

// connections is a connections.yaml with one connection. Its service is never asked for anything
// but what callRules allow.
const connections = `connections:
  - auth_id: bench
    provider: oauth2
    name: Bench
    client_id: bench
    client_secret: bench-bench-bench
    authorize_url: https://service.example.com/authorize
    token_url: https://service.example.com/token
    identity: {url: https://service.example.com/me, id: id}
`

// callRules are the rest of the connection where calls are measured; its one parameter is the
// service's address.
const callRules = `    calls:
      base_url: http://%s
      allow: ["GET /thing"]
`

// servers starts what is measured.
type servers struct {
	linkgate  string // path of the binary
	bare      string
	bareProxy string
	service   string
	dir       string // for what they store
}

// setting is what Linkgate is started amid.
type setting struct {
	redis   string // URL; empty: embedded
	service string // address that calls go to; empty: there are none, and POST /auth is measured
}

// startLinkgate starts Linkgate with its defaults: embedded stores unless there is a Redis URL.
func (s servers) startLinkgate(ctx context.Context, in setting) (*process, error) {
	data, file, first := s.dataDir(), connections, click()
	if in.service != "" {
		data, file, first = s.callDataDir(), connections+fmt.Sprintf(callRules, in.service), call()
	}
	config := filepath.Join(s.dir, "connections.yaml")
	if err := os.WriteFile(config, []byte(file), 0o600); err != nil {
		return nil, fmt.Errorf("writing connections: %w", err)
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, s.linkgate, "serve")
	command.Env = []string{
		"ADDR=" + addr, "OPERATOR_ADDR=127.0.0.1:0", "PUBLIC_URL=https://connect.example.com",
		"HOST_API_KEY=benchmark", "HOST_PROXY_SECRET=" + proxySecret, "HOST_API_URL=https://host.example.com",
		"CONNECTIONS_FILE=" + config, "DATA_DIR=" + data, "REDIS_URL=" + in.redis, "ALLOW_PRIVATE_NETWORKS=true",
	}
	return start(ctx, s.dir, "Linkgate", addr, command, answers(addr, first))
}

func (s servers) dataDir() string     { return filepath.Join(s.dir, "data") }
func (s servers) callDataDir() string { return filepath.Join(s.dir, "data-calls") }

func (s servers) startBare(ctx context.Context, redisURL string, v value) (*process, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, s.bare, "-addr", addr, "-redis", redisURL,
		"-bytes", strconv.FormatInt(v.bytes, 10), "-life", v.life.String())
	return start(ctx, s.dir, "the bare handler", addr, command, answers(addr, click()))
}

func (s servers) startService(ctx context.Context) (*process, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, s.service, "-addr", addr, "-bytes", strconv.Itoa(answerSize))
	return start(ctx, s.dir, "the service", addr, command, listens(addr))
}

func (s servers) startBareProxy(ctx context.Context, service string) (*process, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, s.bareProxy, "-addr", addr, "-service", "http://"+service, "-token", token)
	return start(ctx, s.dir, "the bare proxy", addr, command, answers(addr, call()))
}

// startNginx starts an nginx with one worker for each core.
func (s servers) startNginx(ctx context.Context, path, service string) (*process, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(s.dir, "nginx")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("configuring nginx: %w", err)
	}
	config := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(config, []byte(fmt.Sprintf(nginxConfig, dir, service, addr, token)), 0o600); err != nil {
		return nil, fmt.Errorf("configuring nginx: %w", err)
	}
	command := exec.CommandContext(ctx, path, "-c", config, "-p", dir, "-e", "stderr")
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) } // so that it ends its workers
	return start(ctx, s.dir, "nginx", addr, command, answers(addr, call()))
}

// startRedis starts a redis-server that keeps nothing on disk.
func (s servers) startRedis(ctx context.Context) (*process, *redis.Client, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, nil, err
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, nil, err
	}
	command := exec.CommandContext(ctx, "redis-server", "--bind", "127.0.0.1", "--port", port, "--dir", s.dir,
		"--save", "", "--appendonly", "no")
	client := redis.NewClient(&redis.Options{Addr: addr})
	p, err := start(ctx, s.dir, "redis-server", addr, command, func(ctx context.Context) error { return client.Ping(ctx).Err() })
	return p, client, err
}
