package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/redis/go-redis/v9"
)

// The three that take part in a round.
const (
	linkgate = iota
	bare
	control // the bare handler again
)

// measureClicks measures POST /auth.
func measureClicks(ctx context.Context, s servers, o options, url string, client *redis.Client, t *table) (value, error) {
	var contestants [3]*process
	var err error
	if contestants[linkgate], err = s.startLinkgate(ctx, url); err != nil {
		return value{}, err
	}
	defer contestants[linkgate].stop()
	v, err := valueOf(ctx, contestants[linkgate], client)
	if err != nil {
		return value{}, err
	}
	for _, i := range []int{bare, control} {
		if contestants[i], err = s.startBare(ctx, url, v); err != nil {
			return value{}, err
		}
		defer contestants[i].stop()
	}
	rounds, err := interleave(ctx, o, contestants, client)
	if err != nil {
		return value{}, err
	}
	t.add("`POST /auth`, requests per second", "%.0f", column(rounds, round.perSecond))
	t.add("`POST /auth`, CPU per request, µs", "%.1f", column(rounds, round.cpuPerRequest))
	t.add("`POST /auth`, latency p50, µs", "%.0f", column(rounds, func(r round) float64 { return r.latency(0.50) }))
	t.add("`POST /auth`, latency p99, µs", "%.0f", column(rounds, func(r round) float64 { return r.latency(0.99) }))
	return v, nil
}

// interleave runs the rounds. Each contestant goes first as often as the others; the first round
// of all is for warming up and is not counted.
func interleave(ctx context.Context, o options, contestants [3]*process, client *redis.Client) ([3][]round, error) {
	var rounds [3][]round
	var g generator
	for n := -1; n < o.rounds; n++ {
		for k := range contestants {
			i := (k + n + len(contestants)) % len(contestants)
			r, err := one(ctx, o, &g, contestants[i], client)
			if err != nil {
				return rounds, fmt.Errorf("measuring %s: %w", contestants[i].name, err)
			}
			if n >= 0 {
				rounds[i] = append(rounds[i], r)
			}
		}
		fmt.Fprintf(os.Stderr, "\rround %d of %d ", n+1, o.rounds)
	}
	fmt.Fprintln(os.Stderr)
	return rounds, nil
}

// one measures one contestant once, on an empty Redis.
func one(ctx context.Context, o options, g *generator, p *process, client *redis.Client) (round, error) {
	if err := client.FlushAll(ctx).Err(); err != nil {
		return round{}, fmt.Errorf("emptying Redis: %w", err)
	}
	before, err := p.cpu()
	if err != nil {
		return round{}, err
	}
	r, err := g.load(ctx, p.addr, o.connections, o.length)
	if err != nil {
		return round{}, err
	}
	after, err := p.cpu()
	r.cpu = after - before
	return r, err
}

// column makes a row's figures of the rounds.
func column(rounds [3][]round, figure func(round) float64) [3][]float64 {
	var figures [3][]float64
	for i := range rounds {
		for _, r := range rounds[i] {
			figures[i] = append(figures[i], figure(r))
		}
	}
	return figures
}

// measureStarts measures how long it takes from the start of the process to its first 200. Linkgate
// has its embedded stores and finds a database; the bare handler has only a Redis to reach.
func measureStarts(ctx context.Context, s servers, o options, url string, v value, t *table) error {
	var figures [3][]float64
	for n := -1; n < o.starts; n++ { // the first start makes the database and is not counted
		for i, begin := range [3]func() (*process, error){
			linkgate: func() (*process, error) { return s.startLinkgate(ctx, "") },
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
	var idle [3]*process
	for i, begin := range [3]func() (*process, error){
		linkgate: func() (*process, error) { return s.startLinkgate(ctx, "") },
		bare:     func() (*process, error) { return s.startBare(ctx, url, v) },
		control:  func() (*process, error) { return s.startBare(ctx, url, v) },
	} {
		p, err := begin()
		if err != nil {
			return err
		}
		defer p.stop()
		idle[i] = p
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(o.idle):
	}
	var figures [3][]float64
	for i, p := range idle {
		bytes, err := p.memory()
		if err != nil {
			return err
		}
		figures[i] = []float64{float64(bytes) / (1 << 20)}
	}
	t.add(fmt.Sprintf("memory after %v idle, embedded stores, MiB", o.idle), "%.1f", figures)
	return nil
}

// measureSize measures the stripped binaries.
func measureSize(s servers, t *table) error {
	var figures [3][]float64
	for i, path := range [3]string{s.linkgate, s.bare, s.bare} {
		info, err := os.Stat(path)
		if err != nil {
			return fmt.Errorf("measuring binaries: %w", err)
		}
		figures[i] = []float64{float64(info.Size()) / 1e6}
	}
	t.add("stripped binary, MB", "%.1f", figures)
	return nil
}
