package main

import (
	"context"
	"fmt"
	"os"
)

// Those that take part in a round, in this order.
const (
	linkgate = iota
	bare     // the least that does the same work
	control  // the same again
	other    // where there is something else to compare with
)

// course is what contestants run, round by round.
type course struct {
	contestants []*process
	generator   *generator
	connections int
	// prepare comes before each turn and is not counted.
	prepare func(context.Context, *process) error
}

// run runs the rounds and makes rows of them. what is asked for, and each time is one unit.
func (c course) run(ctx context.Context, o options, t *table, what, unit string) error {
	rounds, err := c.interleave(ctx, o)
	if err != nil {
		return err
	}
	t.add(fmt.Sprintf("%s, %ss per second", what, unit), "%.0f", column(rounds, round.perSecond))
	t.add(fmt.Sprintf("%s, CPU per %s, µs", what, unit), "%.1f", column(rounds, round.cpuPerRequest))
	t.add(what+", latency p50, µs", "%.0f", column(rounds, func(r round) float64 { return r.latency(0.50) }))
	t.add(what+", latency p99, µs", "%.0f", column(rounds, func(r round) float64 { return r.latency(0.99) }))
	return nil
}

// interleave runs the rounds, by contestant. Each contestant goes first as often as the others; the
// first round of all is for warming up and is not counted.
func (c course) interleave(ctx context.Context, o options) ([][]round, error) {
	rounds := make([][]round, len(c.contestants))
	for n := -1; n < o.rounds; n++ {
		for k := range c.contestants {
			i := (k + n + len(c.contestants)) % len(c.contestants)
			r, err := c.turn(ctx, o, c.contestants[i])
			if err != nil {
				return nil, fmt.Errorf("measuring %s: %w", c.contestants[i].name, err)
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

// turn measures one contestant once.
func (c course) turn(ctx context.Context, o options, p *process) (round, error) {
	if err := c.prepare(ctx, p); err != nil {
		return round{}, err
	}
	before, err := p.cpu()
	if err != nil {
		return round{}, err
	}
	r, err := c.generator.load(ctx, p.addr, c.connections, o.length)
	if err != nil {
		return round{}, err
	}
	after, err := p.cpu()
	r.cpu = after - before
	return r, err
}

// column makes a row's figures of the rounds.
func column(rounds [][]round, figure func(round) float64) [][]float64 {
	figures := make([][]float64, len(rounds))
	for i := range rounds {
		for _, r := range rounds[i] {
			figures[i] = append(figures[i], figure(r))
		}
	}
	return figures
}
