// Linkgate connects a host's users to their accounts at external services. This package is its
// commands: root.go has the tree of them, and each command a file of its own.
package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/redis/go-redis/v9/logging"
)

func main() {
	// net/http prints what a server sends unasked, and that can repeat a token.
	slog.SetDefault(slog.New(slog.DiscardHandler)) // which is where package log goes then
	logging.Disable()                              // go-redis's own lines on standard error: its failures reach us as errors
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
