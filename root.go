package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"linkgate/config"
)

// Exit codes, the same for every command; the root's help lists them.
const (
	exitFine         = 0
	exitFailure      = 1
	exitUsage        = 2
	exitConfig       = 3
	exitUnanswered   = 4
	exitCodesMeaning = `Exit codes:
  0  all is well
  1  something failed that should not have
  2  the command was used wrongly
  3  the configuration has mistakes
  4  something that Linkgate needs does not answer`
)

// Groups of commands in the help.
const (
	groupRun   = "run"
	groupSetUp = "setup"
	groupMore  = "more"
)

// suggestionDistance is how many letters may be wrong in a command that we still recognise.
const suggestionDistance = 2

// failure is an error that knows its exit code and what the user can do about it.
type failure struct {
	code   int
	err    error  // nil: everything has been said already
	remedy string // a sentence, or empty
}

func (f *failure) Error() string {
	if f.err == nil {
		return fmt.Sprintf("exit code %d", f.code)
	}
	return f.err.Error()
}

func (f *failure) Unwrap() error { return f.err }

// misuse is a failure to use a command rightly.
func misuse(remedy, format string, args ...any) error {
	return &failure{code: exitUsage, err: fmt.Errorf(format, args...), remedy: remedy}
}

// run is the whole program: it does what args say and returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	started := false
	root := newRootCommand()
	root.PersistentPreRun = func(*cobra.Command, []string) { started = true }
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitFine
	}
	if !started {
		err = asMisuse(cmd, err)
	}
	return explain(stderr, err)
}

// asMisuse is for errors from before a command began: cobra's own, about flags and arguments.
func asMisuse(cmd *cobra.Command, err error) error {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	return misuse(fmt.Sprintf("See `%s --help`.", cmd.CommandPath()), "%w", err)
}

// explain tells the user what went wrong and what to do, and chooses the exit code.
func explain(stderr io.Writer, err error) int {
	if mistakes, ok := errors.AsType[*config.Error](err); ok {
		fmt.Fprintf(stderr, "linkgate: the configuration has %s\n\n", config.Count(len(mistakes.Mistakes), "mistake"))
		writeMistakes(stderr, mistakes.Mistakes)
		fmt.Fprintln(stderr, "\n`linkgate check --offline` looks again.")
		return exitConfig
	}
	f, ok := errors.AsType[*failure](err)
	if !ok {
		f = &failure{code: exitFailure, err: err}
	}
	if f.err != nil {
		fmt.Fprintf(stderr, "linkgate: %v\n", f.err)
	}
	if f.remedy != "" {
		fmt.Fprintln(stderr, f.remedy)
	}
	return f.code
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "linkgate",
		Short: "Connects a host's users to their accounts at external services",
		Long: `Linkgate is the service behind an authenticated app on a host platform such as Blink.
The host proxies its users' clicks to it; Linkgate signs each user in to an external service,
keeps the credential sealed, records the linked account at the host, and takes everything back
when the user disconnects.

It is configured by environment variables and one file, connections.yaml.

` + exitCodesMeaning,
		Example: `  linkgate demo       see it work, with nothing to set up
  linkgate check      what is wrong with the configuration, and what to register where
  linkgate serve      run it
  linkgate keys new   make the keyset that seals credentials`,
		Args:                       knownCommand,
		RunE:                       showHelp,
		SilenceErrors:              true,
		SilenceUsage:               true,
		DisableFlagsInUseLine:      true,
		SuggestionsMinimumDistance: suggestionDistance,
	}
	root.AddGroup(
		&cobra.Group{ID: groupRun, Title: "Run it:"},
		&cobra.Group{ID: groupSetUp, Title: "Set it up:"},
		&cobra.Group{ID: groupMore, Title: "More:"},
	)
	root.SetHelpCommandGroupID(groupMore)
	root.SetCompletionCommandGroupID(groupMore)
	root.AddCommand(commands()...)
	return root
}

// commands is every command in the order of the help.
func commands() []*cobra.Command {
	return []*cobra.Command{
		newServeCommand(),
		newDemoCommand(),
		newOutboxCommand(),
		newEventsCommand(),
		newReconcileCommand(),
		newClientsCommand(),
		newAPIKeysCommand(),
		newAccountsCommand(),
		newCheckCommand(),
		newKeysCommand(),
		newPresetsCommand(),
		newVersionCommand(),
	}
}

// knownCommand refuses words that are no command, and suggests the one that was meant.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	remedy := fmt.Sprintf("See `%s --help` for the list.", cmd.CommandPath())
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		remedy = fmt.Sprintf("Did you mean `%s %s`? %s", cmd.CommandPath(), strings.Join(near, "` or `"), remedy)
	}
	return misuse(remedy, "unknown command %q for %s", args[0], cmd.CommandPath())
}

// noArguments refuses arguments of a command that takes none.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return misuse(fmt.Sprintf("See `%s --help`.", cmd.CommandPath()), "%s takes no arguments, and got %q", cmd.CommandPath(), args[0])
}

func showHelp(cmd *cobra.Command, _ []string) error { return cmd.Help() }

// writeMistakes prints each mistake in a line and its remedy below.
func writeMistakes(w io.Writer, mistakes []config.Mistake) {
	for _, m := range mistakes {
		fmt.Fprintf(w, "%s\n    → %s\n", m, m.Remedy)
	}
}
