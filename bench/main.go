// Command bench measures Linkgate beside a bare Echo handler (bench/bare) that does the same one
// write to the same Redis. `make bench` builds and runs it.
//
// Single rounds differ by a third on a busy machine, so rounds are short, many and interleaved, and
// medians are compared. A second process of the bare handler is measured too: how far its figures
// are from the first one's is what this run can't tell apart (the column A/A).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	rounds      int
	length      time.Duration
	connections int
	starts      int
	idle        time.Duration
}

func main() {
	var o options
	var s servers
	flag.StringVar(&s.linkgate, "linkgate", "", "`path` of Linkgate's binary")
	flag.StringVar(&s.bare, "bare", "", "`path` of the bare handler's binary")
	flag.IntVar(&o.rounds, "rounds", 15, "`number` of rounds")
	flag.DurationVar(&o.length, "length", 2*time.Second, "`duration` of a round")
	flag.IntVar(&o.connections, "connections", 16, "`number` of clients, each with one request under way")
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
	if o.rounds < 1 || o.starts < 1 || o.connections < 1 {
		return errors.New("-rounds, -starts and -connections must be at least 1")
	}
	if s.dir, err = os.MkdirTemp("", "linkgate-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(s.dir)
	server, client, err := s.startRedis(ctx)
	if err != nil {
		return err
	}
	defer server.stop()
	defer client.Close()
	url := "redis://" + server.addr + "/0"

	t := table{}
	v, err := measureClicks(ctx, s, o, url, client, &t)
	if err != nil {
		return err
	}
	if err := measureStarts(ctx, s, o, url, v, &t); err != nil {
		return err
	}
	if err := measureMemory(ctx, s, o, url, v, &t); err != nil {
		return err
	}
	if err := measureSize(s, &t); err != nil {
		return err
	}
	fmt.Printf("%s\n%d rounds of %v, %d connections, %d starts; one write of %d bytes. %s\n\n    make bench %s\n",
		t, o.rounds, o.length, o.connections, o.starts, v.bytes, machine(), benchFlags())
	return nil
}

// benchFlags are the flags that make the same run again.
func benchFlags() string {
	var set []string
	flag.Visit(func(f *flag.Flag) {
		if f.Name != "linkgate" && f.Name != "bare" {
			set = append(set, fmt.Sprintf("-%s %s", f.Name, f.Value))
		}
	})
	if len(set) == 0 {
		return ""
	}
	return "BENCHFLAGS='" + strings.Join(set, " ") + "'"
}
