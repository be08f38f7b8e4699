package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"linkgate/config"
	"linkgate/database"
	"linkgate/outbox"
)

const outboxHelp = `Whatever Linkgate owes to the host or to a service is a promise in its database: to add an
account at the host, to delete one there, to revoke a credential at the service, to tell your back
end of an event. It is tried until it is kept, less and less often, for a week (events: three days). Then it is a dead letter: nobody tries it any more
until you have found out why and retry it. Prometheus sees the same as linkgate_outbox_pending,
linkgate_outbox_dead_letters and linkgate_outbox_oldest_pending_seconds.

These commands may be used beside a running server. They read the configuration as serve does, open
its database, and never migrate it.`

func newOutboxCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "outbox",
		Short:   "See what is owed to the host and to services, and retry it",
		Long:    outboxHelp,
		Example: "  linkgate outbox list --dead\n  linkgate outbox retry --all-dead",
		GroupID: groupRun,
		Args:    knownCommand,
		RunE:    showHelp,

		DisableFlagsInUseLine:      true,
		SuggestionsMinimumDistance: suggestionDistance,
	}
	cmd.AddCommand(newOutboxList(), newOutboxRetry())
	return cmd
}

func newOutboxList() *cobra.Command {
	var onlyDead, asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List what is owed, oldest first",
		Long: `Lists the promises that are still to be kept, oldest first: what is owed since when, how often it
was tried, when it is tried next, and why it failed last. A promise is there for a moment in the
best of times; one that has been tried often tells of trouble.`,
		Example: `  linkgate outbox list
  linkgate outbox list --dead        only what nobody tries any more
  linkgate outbox list --json | jq -r '.[] | select(.kind == "revoke") | .last_error'`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withOutbox(cmd, func(ctx context.Context, box *outbox.Box) error {
				list := box.Owed
				if onlyDead {
					list = box.DeadLetters
				}
				owed, err := list(ctx)
				if err != nil {
					return err
				}
				if asJSON {
					return writeJSON(cmd.OutOrStdout(), promises(owed))
				}
				return writeOwed(cmd.OutOrStdout(), owed, onlyDead)
			})
		},
	}
	cmd.Flags().BoolVar(&onlyDead, "dead", false, "only dead letters, which nobody tries any more")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print them as JSON, with their accounts")
	return cmd
}

func newOutboxRetry() *cobra.Command {
	var allDead, yes bool
	cmd := &cobra.Command{
		Use:   "retry ID… | --all-dead",
		Short: "Have promises tried again now",
		Long: `Makes promises due now, dead letters too; a running server tries them within a second or two. A dead
letter has all of its time from then on.

With --all-dead it asks first, on a terminal, or wants --yes: they may be many, and at one service.`,
		Example: `  linkgate outbox retry msg_0199f2a1-7c3e-7b52-9a0e-3f1d5c8b2a44
  linkgate outbox retry --all-dead --yes`,
		Args: func(cmd *cobra.Command, args []string) error {
			if allDead == (len(args) > 0) {
				return misuse("`linkgate outbox list` shows the ids.", "%s wants either ids or --all-dead", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return withOutbox(cmd, func(ctx context.Context, box *outbox.Box) error {
				if allDead {
					return retryDead(ctx, cmd, box, yes)
				}
				return retryEach(ctx, cmd, box, args)
			})
		},
		DisableFlagsInUseLine: true,
	}
	cmd.Flags().BoolVar(&allDead, "all-dead", false, "retry all dead letters")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

// withOutbox has fn work on the outbox of the configured database.
func withOutbox(cmd *cobra.Command, fn func(context.Context, *outbox.Box) error) error {
	return withDatabase(cmd, func(ctx context.Context, _ config.Config, db *database.DB) error {
		return fn(ctx, &outbox.Box{DB: db})
	})
}

func retryEach(ctx context.Context, cmd *cobra.Command, box *outbox.Box, ids []string) error {
	failed := 0
	for _, id := range ids {
		switch err := box.Retry(ctx, id); {
		case errors.Is(err, outbox.ErrLeased):
			fmt.Fprintf(cmd.OutOrStdout(), "%s is being tried at this moment\n", id)
		case errors.Is(err, outbox.ErrGone):
			failed++
			cmd.PrintErrf("%q is not in the outbox: it was kept, or is not needed any more, or never was there\n", id)
		case err != nil:
			return err
		default:
			fmt.Fprintf(cmd.OutOrStdout(), "%s is due now\n", id)
		}
	}
	if failed > 0 {
		return &failure{code: exitFailure, err: fmt.Errorf("%d of %s could not be retried", failed, config.Count(len(ids), "promise"))}
	}
	return nil
}

func retryDead(ctx context.Context, cmd *cobra.Command, box *outbox.Box, yes bool) error {
	dead, err := box.DeadLetters(ctx)
	if err != nil {
		return err
	}
	if len(dead) == 0 {
		fmt.Fprintln(cmd.OutOrStdout(), noDeadLetters)
		return nil
	}
	if !yes {
		letters := config.Count(len(dead), "dead letter")
		if err := confirm(cmd, "Retry "+letters+"?", letters+" would be retried", yesIfMended); err != nil {
			return err
		}
	}
	n, err := box.RetryDead(ctx, "")
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "Due now: %s.\n", config.Count(int(n), "dead letter"))
	return nil
}
