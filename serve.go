package main

import (
	"io"
	"log/slog"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"

	"linkgate/config"
)

func newServeCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "serve",
		GroupID: groupRun,
		Short:   "Run Linkgate",
		Long: `Run Linkgate until it is told to stop (SIGTERM or Ctrl-C). What is under way then is ended
first, within SHUTDOWN_TIMEOUT.

It reads the environment and connections.yaml, and refuses to start on any mistake in them;
` + "`linkgate check`" + ` finds the same mistakes without starting. Without DATABASE_URL and REDIS_URL it
keeps everything in DATA_DIR and in memory, which is right for one machine.`,
		Example: `  linkgate serve
  CONNECTIONS_FILE=/etc/linkgate/connections.yaml linkgate serve`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := config.Load(config.OS())
			if err != nil {
				return err
			}
			log := newLogger(cmd.ErrOrStderr(), c)
			for _, w := range c.Warnings {
				log.Warn("this may not be what you mean", "what", w.Text, "remedy", w.Remedy)
			}
			collectLessOften()
			a, err := newApp(cmd.Context(), c, log)
			if err != nil {
				return err
			}
			return a.run(cmd.Context())
		},
	}
}

// collectLessOften lets the heap, which is some megabytes, grow to three times what lives before it
// is collected: collecting so small a heap at each doubling shows in what POST /auth costs, see
// docs/benchmarks.md. Whoever sets GOGC knows better.
func collectLessOften() {
	const percent = 200
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}

func newLogger(w io.Writer, c config.Config) *slog.Logger {
	o := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}
