package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"linkgate/client"
)

// importFlags are those of `linkgate accounts import`.
type importFlags struct {
	parallel       int
	resume, report string
	validateScope  bool
	requestProfile bool
}

const importHelp = `Imports accounts whose credentials you have already: from an earlier system, or from ` + "`linkgate accounts export`" + `. FILE has
JSON lines, each with what POST /v1/accounts takes; - is the standard input:

  {"user_id": "u-1815", "auth_id": "7f3c", "credential": {"access_token": "…", "refresh_token": "…"}, "display_name": "Work"}
  {"user_id": "u-1906", "auth_id": "9c1e", "credential": {"fields": {"api_key": "…"}}}

What is done is kept in FILE.progress (--resume: elsewhere), without a credential. The same command again goes on where
the last one has stopped, and tries again what has failed; edit failed lines in place. A line is imported once, even if an answer was lost.

Each line that fails is told on the standard error, with its number and the reason, and in --report as JSON; no credential
is. The exit code is 1 if any has. When Linkgate asks to slow down, it does. Needs accounts:write.`

func newAccountsImport() *cobra.Command {
	var f importFlags
	cmd := &cobra.Command{
		Use:   "import FILE|-",
		Short: "Import accounts whose credentials you have",
		Long:  importHelp,
		Example: `  linkgate accounts import accounts.jsonl --report failed.json
  linkgate accounts export | ssh new-server linkgate accounts import - --request-profile=false`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) != 1:
				return misuse("- is the standard input.", "%s wants one file", cmd.CommandPath())
			case f.parallel < 1 || f.parallel > importParallelMost:
				return misuse("The default is good unless the service is slow.", "--parallel must be from 1 to %d", importParallelMost)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return importFile(cmd, args[0], f) },
	}
	flags := cmd.Flags()
	flags.IntVarP(&f.parallel, "parallel", "p", 16, "how many at a time")
	flags.StringVar(&f.resume, "resume", "", "where to keep what is done; FILE.progress if it is not given")
	flags.StringVar(&f.report, "report", "", "write what has failed to this file, as JSON")
	flags.BoolVar(&f.validateScope, "validate-scope", true, "refuse credentials that lack scopes of their connection")
	flags.BoolVar(&f.requestProfile, "request-profile", true, "ask the service whose each credential is; else the line's profile says it")
	return cmd
}

const importParallelMost = 128

func importFile(cmd *cobra.Command, name string, f importFlags) error {
	api, address, err := newAPIClient(cmd)
	if err != nil {
		return err
	}
	if err := reachable(cmd.Context(), cmd, address); err != nil {
		return apiFailure(err)
	}
	in, size, err := openImport(cmd, name)
	if err != nil {
		return err
	}
	defer in.Close()
	options := client.ImportOptions{AllowMissingScopes: !f.validateScope, TrustProfile: !f.requestProfile}
	done, err := openImportState(statePath(name, f.resume), address, options)
	if err != nil {
		return err
	}
	defer done.Close()
	report, err := newImportReport(f.report)
	if err != nil {
		return err
	}
	i := &importer{api: api, options: options, done: done, report: report, show: newImportDisplay(cmd.ErrOrStderr(), size)}
	ctx, stop := context.WithCancelCause(cmd.Context())
	defer stop(nil)
	err = i.run(ctx, stop, in, f.parallel)
	i.show.close()
	return i.finish(cmd, err, done.path)
}

// reachable finds out at once what would otherwise be found out by each line.
func reachable(ctx context.Context, cmd *cobra.Command, address string) error {
	api, _, err := newAPIClient(cmd, client.WithPatience(0))
	if err != nil {
		return err
	}
	if _, err = api.ListConnections(ctx); client.IsProblem(err, client.InsufficientScope) || client.IsProblem(err, client.TooManyRequests) {
		return nil // the key may import and not read
	}
	if err != nil {
		return fmt.Errorf("asking %s: %w", address, err)
	}
	return nil
}

// openImport opens what is to be imported, and tells its size in bytes; -1: not known.
func openImport(cmd *cobra.Command, name string) (io.ReadCloser, int64, error) {
	if name == "-" {
		return io.NopCloser(cmd.InOrStdin()), -1, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, misuse("", "%w", err)
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return f, -1, err
	}
	return f, info.Size(), nil
}

func statePath(name, resume string) string {
	if resume == "" && name != "-" {
		return name + ".progress"
	}
	return resume
}

// finish says how it has ended.
func (i *importer) finish(cmd *cobra.Command, err error, statePath string) error {
	if reportErr := i.report.close(i.counts.snapshot()); reportErr != nil {
		err = errors.Join(err, fmt.Errorf("writing the report: %w", reportErr))
	}
	n := i.counts.snapshot()
	fmt.Fprintln(cmd.OutOrStdout(), n.words())
	goOn := "The same command again goes on from here."
	if statePath == "" {
		goOn = "With --resume FILE the next run would go on from where it stops."
	}
	switch {
	case errors.Is(err, context.Canceled):
		return &failure{code: exitFailure, err: errors.New("it was interrupted"), remedy: goOn}
	case err != nil:
		f := &failure{code: exitFailure, err: err, remedy: goOn}
		if told, ok := errors.AsType[*failure](apiFailure(err)); ok {
			f.code, f.err = told.code, told.err
			if told.remedy != "" {
				f.remedy = told.remedy + " " + goOn
			}
		}
		return f
	case n.Failed > 0:
		return &failure{code: exitFailure, err: fmt.Errorf("%d of %d lines failed", n.Failed, n.Lines),
			remedy: "Mend those lines where they are in the file, and run the same command again: it tries them alone."}
	case n.Skipped > 0 && n.Imported+n.Updated == 0 && statePath != "":
		cmd.PrintErrf("All of it was imported before, as %s tells; delete that file to import it again.\n", statePath)
	}
	return nil
}
