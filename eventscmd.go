package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"linkgate/config"
	"linkgate/database"
	"linkgate/event"
	"linkgate/outbox"
)

const eventsHelp = `Whatever happens to a linked account is an event: it was linked, updated, refreshed, unlinked, its user
must sign in again, a component has lost it. Events are kept for 30 days. They are sent to
WEBHOOK_URL, if it is set, in order for each account, and tried less and less often for three days.
Then an event is a dead letter: it is not sent any more until you replay it, and those after it are
sent without it. Your back end may as well read them at GET /v1/events.

These commands may be used beside a running server. They read the configuration as serve does, open
its database, and never migrate it.`

func newEventsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "events",
		Short:   "See what your back end is told, and tell it again",
		Long:    eventsHelp,
		Example: "  linkgate events list --dead\n  linkgate events replay --since 2h",
		GroupID: groupRun,
		Args:    knownCommand,
		RunE:    showHelp,

		DisableFlagsInUseLine:      true,
		SuggestionsMinimumDistance: suggestionDistance,
	}
	cmd.AddCommand(newEventsList(), newEventsReplay())
	return cmd
}

const defaultEvents = 50

func newEventsList() *cobra.Command {
	var onlyDead, asJSON bool
	var limit int
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the latest events, and whether they have arrived",
		Long: `Lists the latest events, oldest first, and for each whether your back end has taken it (sent), when it
is sent next, or that it is a dead letter, and why it was not taken.`,
		Example: `  linkgate events list
  linkgate events list --dead        only what is not sent any more, all of it
  linkgate events list --json | jq -r '.[] | select(.delivery == "dead") | .id'`,
		Args: func(cmd *cobra.Command, args []string) error {
			if limit < 1 {
				return misuse("Leave it out, or write how many to list.", "--limit %d lists nothing", limit)
			}
			return noArguments(cmd, args)
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withEvents(cmd, func(ctx context.Context, e eventLog) error {
				deliveries, err := e.deliveries(ctx, limit, onlyDead)
				if err != nil {
					return err
				}
				if asJSON {
					return writeJSON(cmd.OutOrStdout(), deliveries)
				}
				return writeEvents(cmd.OutOrStdout(), deliveries, onlyDead)
			})
		},
	}
	cmd.Flags().BoolVar(&onlyDead, "dead", false, "list only dead letters")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print them as JSON")
	cmd.Flags().IntVarP(&limit, "limit", "n", defaultEvents, "how many of the latest to list")
	return cmd
}

// replayOptions are what to replay beside ids.
type replayOptions struct {
	dead, yes bool
	since     string
}

func newEventsReplay() *cobra.Command {
	var o replayOptions
	cmd := &cobra.Command{
		Use:   "replay ID… | --dead | --since TIME",
		Short: "Send events once more",
		Long: `Sends events once more, those that had arrived too, in their order; a running server does so within a
second or two. An event that is sent again has the same webhook-id, so that your back end can tell.

--since takes how long ago, such as 90m or 36h, or a time such as 2026-03-01T12:00:00Z. With it and
with --dead it asks first, on a terminal, or wants --yes: they may be many.`,
		Example: `  linkgate events replay evt_0199f2a1-7c3e-7b52-9a0e-3f1d5c8b2a44
  linkgate events replay --dead --yes
  linkgate events replay --since 2h`,
		Args: func(cmd *cobra.Command, args []string) error {
			wanted := 0
			for _, way := range []bool{len(args) > 0, o.dead, o.since != ""} {
				if way {
					wanted++
				}
			}
			if wanted != 1 {
				return misuse("`linkgate events list` shows the ids.", "%s wants either ids, --dead or --since", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return withEvents(cmd, func(ctx context.Context, e eventLog) error { return e.replay(ctx, cmd, o, args) })
		},
		DisableFlagsInUseLine: true,
	}
	cmd.Flags().BoolVar(&o.dead, "dead", false, "replay all dead letters")
	cmd.Flags().StringVar(&o.since, "since", "", "replay everything since then")
	cmd.Flags().BoolVarP(&o.yes, "yes", "y", false, "do not ask")
	return cmd
}

// eventLog is the log of the configured database and what is owed of it.
type eventLog struct {
	*event.Log
	box *outbox.Box
	url string // WEBHOOK_URL
}

func withEvents(cmd *cobra.Command, fn func(context.Context, eventLog) error) error {
	return withDatabase(cmd, func(ctx context.Context, c config.Config, db *database.DB) error {
		return fn(ctx, eventLog{Log: &event.Log{DB: db}, box: &outbox.Box{DB: db}, url: c.WebhookURL})
	})
}

func (e eventLog) replay(ctx context.Context, cmd *cobra.Command, o replayOptions, ids []string) error {
	if e.url == "" {
		return &failure{
			code: exitFailure, err: errors.New("WEBHOOK_URL is not set: there is nobody to send events to"),
			remedy: "Set it and WEBHOOK_SECRET, here and for the server.",
		}
	}
	var count int
	var err error
	switch {
	case o.dead:
		count, err = e.replayDead(ctx, cmd, o.yes)
	case o.since != "":
		count, err = e.replaySince(ctx, cmd, o)
	default:
		count, err = len(ids), e.Replay(ctx, e.box, ids)
	}
	switch {
	case errors.Is(err, event.ErrNotFound):
		return &failure{code: exitFailure, err: err, remedy: "Nothing was replayed. `linkgate events list` shows the ids; events are kept for 30 days."}
	case err != nil:
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "Due now: %s.\n", config.Count(count, "event"))
	return nil
}

func (e eventLog) replayDead(ctx context.Context, cmd *cobra.Command, yes bool) (int, error) {
	owed, err := e.box.OwedOf(ctx, event.Kind)
	if err != nil {
		return 0, err
	}
	dead := 0
	for _, m := range owed {
		if isDeadLetter(m) {
			dead++
		}
	}
	if dead > 0 && !yes {
		if err := confirmReplay(cmd, config.Count(dead, "dead letter"), yesIfMended); err != nil {
			return 0, err
		}
	}
	n, err := e.box.RetryDead(ctx, event.Kind)
	return int(n), err
}

func (e eventLog) replaySince(ctx context.Context, cmd *cobra.Command, o replayOptions) (int, error) {
	since, err := parseSince(o.since, time.Now())
	if err != nil {
		return 0, err
	}
	n, err := e.CountSince(ctx, since)
	if err != nil {
		return 0, err
	}
	if n > 0 && !o.yes {
		if err := confirmReplay(cmd, config.Count(n, "event"), yesIfWanted); err != nil {
			return 0, err
		}
	}
	return e.ReplaySince(ctx, e.box, since)
}

func confirmReplay(cmd *cobra.Command, what, remedy string) error {
	return confirm(cmd, "Replay "+what+"?", what+" would be replayed", remedy)
}

// parseSince reads a duration before now, or a time.
func parseSince(s string, now time.Time) (time.Time, error) {
	if ago, err := time.ParseDuration(s); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, misuse("Write how long ago, such as 90m or 36h, or a time such as 2026-03-01T12:00:00Z.", "--since %q is neither", s)
	}
	return at, nil
}
