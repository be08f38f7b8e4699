package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// connections is a connections.yaml with one connection, whose service is never called.
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

// servers starts what is measured.
type servers struct {
	linkgate string // path of the binary
	bare     string
	dir      string // for what they store
}

// startLinkgate starts Linkgate with its defaults: embedded stores unless there is a Redis URL.
func (s servers) startLinkgate(ctx context.Context, redisURL string) (*process, error) {
	config := filepath.Join(s.dir, "connections.yaml")
	if err := os.WriteFile(config, []byte(connections), 0o600); err != nil {
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
		"CONNECTIONS_FILE=" + config, "DATA_DIR=" + filepath.Join(s.dir, "data"), "REDIS_URL=" + redisURL,
	}
	return start(ctx, s.dir, "Linkgate", addr, command, clickable(addr))
}

func (s servers) startBare(ctx context.Context, redisURL string, v value) (*process, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, s.bare, "-addr", addr, "-redis", redisURL,
		"-bytes", strconv.FormatInt(v.bytes, 10), "-life", v.life.String())
	return start(ctx, s.dir, "the bare handler", addr, command, clickable(addr))
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

// value is what Linkgate writes for a click.
type value struct {
	bytes int64
	life  time.Duration
}

// valueOf lets Linkgate write one and looks at it, so that the bare handler does the same work.
func valueOf(ctx context.Context, linkgate *process, client *redis.Client) (value, error) {
	if err := client.FlushAll(ctx).Err(); err != nil {
		return value{}, fmt.Errorf("emptying Redis: %w", err)
	}
	c, err := dial(ctx, linkgate.addr)
	if err != nil {
		return value{}, err
	}
	defer c.conn.Close()
	body, err := c.click(0)
	if err != nil {
		return value{}, err
	}
	if !json.Valid(body) {
		return value{}, fmt.Errorf("the answer is not JSON: %q", body)
	}
	keys, err := client.Keys(ctx, "*").Result()
	if err != nil {
		return value{}, fmt.Errorf("reading keys: %w", err)
	}
	if len(keys) != 1 {
		return value{}, fmt.Errorf("one click wrote %d keys, want 1", len(keys))
	}
	v := value{bytes: client.StrLen(ctx, keys[0]).Val(), life: client.TTL(ctx, keys[0]).Val()}
	if v.bytes == 0 || v.life <= 0 {
		return value{}, fmt.Errorf("one click wrote a value of %d bytes that lives for %v", v.bytes, v.life)
	}
	return v, nil
}
