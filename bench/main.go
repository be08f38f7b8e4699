// Command bench measures Linkgate beside the least that could do the same work. `make bench` builds
// and runs it.
//
// POST /auth stands beside a bare Echo handler (bench/bare) that does the same one write to the same
// Redis. Calls stand beside a tuned httputil.ReverseProxy (bench/bareproxy) and, where it is
// installed, nginx, with the same service (bench/service) behind each.
//
// Single rounds differ by a third on a busy machine, so rounds are short, many and interleaved, and
// medians are compared. A second process of what Linkgate stands beside is measured too: how far its
// figures are from the first one's is what this run can't tell apart (the column A/A).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	only        string
	rounds      int
	length      time.Duration
	connections int
	callers     int
	starts      int
	idle        time.Duration
}

func main() {
	var o options
	var s servers
	flag.StringVar(&s.linkgate, "linkgate", "", "`path` of Linkgate's binary")
	flag.StringVar(&s.bare, "bare", "", "`path` of the bare handler's binary")
	flag.StringVar(&s.bareProxy, "bareproxy", "", "`path` of the bare proxy's binary")
	flag.StringVar(&s.service, "service", "", "`path` of the service's binary")
	flag.StringVar(&o.only, "only", strings.Join(parts(), ","), "the `parts` to measure")
	flag.IntVar(&o.rounds, "rounds", 15, "`number` of rounds")
	flag.DurationVar(&o.length, "length", 2*time.Second, "`duration` of a round")
	flag.IntVar(&o.connections, "connections", 16, "`number` of clients of POST /auth, each with one request under way")
	flag.IntVar(&o.callers, "callers", 64, "`number` of clients that make calls, each with one under way")
	flag.IntVar(&o.starts, "starts", 15, "`number` of starts")
	flag.DurationVar(&o.idle, "idle", 10*time.Second, "`duration` of idling before memory is read")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, s, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s servers, o options) (err error) {
	if o.rounds < 1 || o.starts < 1 || o.connections < 1 || o.callers < 1 {
		return errors.New("-rounds, -starts, -connections and -callers must be at least 1")
	}
	chosen, err := chosenParts(o.only)
	if err != nil {
		return err
	}
	if s.dir, err = os.MkdirTemp("", "linkgate-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(s.dir)

	beside := table{names: []string{"Linkgate", "bare Echo"}}
	if err := measureBesideEcho(ctx, s, o, chosen, &beside); err != nil {
		return err
	}
	var calls table
	if chosen["call"] {
		if calls, err = measureCalls(ctx, s, o); err != nil {
			return err
		}
	}
	fmt.Printf("%s%s%d rounds of %v, %d clients of `POST /auth` and %d of calls, %d starts. %s\n\n    make bench %s\n",
		beside, calls, o.rounds, o.length, o.connections, o.callers, o.starts, machine(), benchFlags())
	return nil
}

// parts are what can be measured by itself.
func parts() []string { return []string{"auth", "start", "memory", "size", "call"} }

// chosenParts reads the flag -only.
func chosenParts(only string) (map[string]bool, error) {
	chosen := map[string]bool{}
	for part := range strings.SplitSeq(only, ",") {
		if !slices.Contains(parts(), part) {
			return nil, fmt.Errorf("-only: there is no part %q, only %s", part, strings.Join(parts(), ", "))
		}
		chosen[part] = true
	}
	return chosen, nil
}

// benchFlags are the flags that make the same run again.
func benchFlags() string {
	var set []string
	flag.Visit(func(f *flag.Flag) {
		if !slices.Contains([]string{"linkgate", "bare", "bareproxy", "service"}, f.Name) {
			set = append(set, fmt.Sprintf("-%s %s", f.Name, f.Value))
		}
	})
	if len(set) == 0 {
		return ""
	}
	return "BENCHFLAGS='" + strings.Join(set, " ") + "'"
}
