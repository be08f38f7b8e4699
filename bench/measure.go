package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/redis/go-redis/v9"
)

// click is a click on Connect. Its users are so many that none reaches the limit for one user, and
// as many as Linkgate may well have to remember for that limit.
func click() target { return target{method: http.MethodPost, path: "/auth/bench", users: 50_000} }

// measureBesideEcho measures what Linkgate stands beside the bare handler in.
func measureBesideEcho(ctx context.Context, s servers, o options, chosen map[string]bool, t *table) error {
	if chosen["auth"] || chosen["start"] || chosen["memory"] {
		server, client, err := s.startRedis(ctx)
		if err != nil {
			return err
		}
		defer server.stop()
		defer client.Close()
		url := "redis://" + server.addr + "/0"
		v, err := s.learnValue(ctx, url, client)
		if err != nil {
			return err
		}
		for _, m := range []struct {
			part    string
			measure func() error
		}{
			{"auth", func() error { return measureClicks(ctx, s, o, url, v, client, t) }},
			{"start", func() error { return measureStarts(ctx, s, o, url, v, t) }},
			{"memory", func() error { return measureMemory(ctx, s, o, url, v, t) }},
		} {
			if !chosen[m.part] {
				continue
			}
			if err := m.measure(); err != nil {
				return err
			}
		}
	}
	if !chosen["size"] {
		return nil
	}
	return measureSize(s, t)
}

// measureClicks measures POST /auth, each turn on an empty Redis.
func measureClicks(ctx context.Context, s servers, o options, url string, v value, client *redis.Client, t *table) error {
	contestants, err := startAll(
		func() (*process, error) { return s.startLinkgate(ctx, setting{redis: url}) },
		func() (*process, error) { return s.startBare(ctx, url, v) },
		func() (*process, error) { return s.startBare(ctx, url, v) })
	defer stopAll(contestants)
	if err != nil {
		return err
	}
	return course{
		contestants: contestants,
		generator:   &generator{target: click()},
		connections: o.connections,
		prepare:     func(ctx context.Context, _ *process) error { return empty(ctx, client) },
	}.run(ctx, o, t, "`POST /auth`", "request")
}

// measureStarts measures how long it takes from the start of the process to its first 200. Linkgate
// has its embedded stores and finds a database; the bare handler has only a Redis to reach.
func measureStarts(ctx context.Context, s servers, o options, url string, v value, t *table) error {
	figures := make([][]float64, 3)
	for n := -1; n < o.starts; n++ { // the first start makes the database and is not counted
		for i, begin := range [3]func() (*process, error){
			linkgate: func() (*process, error) { return s.startLinkgate(ctx, setting{}) },
			bare:     func() (*process, error) { return s.startBare(ctx, url, v) },
			control:  func() (*process, error) { return s.startBare(ctx, url, v) },
		} {
			p, err := begin()
			if err != nil {
				return err
			}
			p.stop()
			if n >= 0 {
				figures[i] = append(figures[i], float64(p.startup.Microseconds())/1e3)
			}
		}
	}
	t.add("start to first 200, embedded stores, ms", "%.1f", figures)
	return nil
}

// measureMemory measures what an idle process holds that has answered one click.
func measureMemory(ctx context.Context, s servers, o options, url string, v value, t *table) error {
	idle, err := startAll(
		func() (*process, error) { return s.startLinkgate(ctx, setting{}) },
		func() (*process, error) { return s.startBare(ctx, url, v) },
		func() (*process, error) { return s.startBare(ctx, url, v) })
	defer stopAll(idle)
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(o.idle):
	}
	var figures [][]float64
	for _, p := range idle {
		bytes, err := p.memory()
		if err != nil {
			return err
		}
		figures = append(figures, []float64{float64(bytes) / (1 << 20)})
	}
	t.add(fmt.Sprintf("memory after %v idle, embedded stores, MiB", o.idle), "%.1f", figures)
	return nil
}

// measureSize measures the stripped binaries.
func measureSize(s servers, t *table) error {
	var figures [][]float64
	for _, path := range []string{s.linkgate, s.bare, s.bare} {
		info, err := os.Stat(path)
		if err != nil {
			return fmt.Errorf("measuring binaries: %w", err)
		}
		figures = append(figures, []float64{float64(info.Size()) / 1e6})
	}
	t.add("stripped binary, MB", "%.1f", figures)
	return nil
}
