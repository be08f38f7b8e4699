package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"linkgate/config"
	"linkgate/connect"
	"linkgate/database"
	"linkgate/event"
	"linkgate/host"
	"linkgate/linkedaccount"
	"linkgate/provider"
)

const reconcileHelp = `Compares the accounts of every user that Linkgate knows with the host's records of them, and lists what differs: accounts
that the host has no record of, or one that says something else, and records at your auth ids that no account is behind.
An account about which something is owed to the host or its service is left alone: ` + "`linkgate outbox list`" + ` has it. Records of
users whom Linkgate has never known are not found, since the host lists them by user alone.

Nothing is changed without --fix. With it the host is told anew of what it lacks or has wrong, by a running server within
a second or two, and records that no account is behind are DELETED at the host. After a database was restored from an old
copy these are accounts that users have connected since: look first. It asks, on a terminal, or wants --yes; what was
asked about is repaired, and nothing that has come up since.

This command may be used beside a running server. It reads the configuration as serve does, opens its database, and never
migrates it. What it deletes is in the audit trail.

Exit codes: 0 nothing differs any more · 1 something differs, and was not repaired · 4 the host or the database does not answer,
or the host refuses: what was found until then is listed`

// reconcileOptions are the command's flags.
type reconcileOptions struct {
	fix, yes, asJSON bool
}

func newReconcileCommand() *cobra.Command {
	var o reconcileOptions
	cmd := &cobra.Command{
		Use:   "reconcile",
		Short: "Find what differs from the host's records, and mend it",
		Long:  reconcileHelp,
		Example: `  linkgate reconcile                 list what differs, and change nothing
  linkgate reconcile --fix           ask, then mend it
  linkgate reconcile --json | jq -r '.[] | select(.kind == "unknown_here") | .user_id'`,
		GroupID: groupRun,
		Args: func(cmd *cobra.Command, args []string) error {
			if o.yes && !o.fix {
				return misuse("Add --fix, or leave --yes out.", "%s changes nothing without --fix: there is nothing to say yes to", cmd.CommandPath())
			}
			return noArguments(cmd, args)
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withDatabase(cmd, func(ctx context.Context, c config.Config, db *database.DB) error {
				return newReconciliation(cmd, c, db, o).run(ctx)
			})
		},
	}
	cmd.Flags().BoolVar(&o.fix, "fix", false, "mend what differs")
	cmd.Flags().BoolVarP(&o.yes, "yes", "y", false, "with --fix: do not ask")
	cmd.Flags().BoolVar(&o.asJSON, "json", false, "print the differences as JSON")
	return cmd
}

// reconciliation is one run of the command.
type reconciliation struct {
	reconcileOptions
	cmd     *cobra.Command
	service *connect.Service
}

func newReconciliation(cmd *cobra.Command, c config.Config, db *database.DB, o reconcileOptions) *reconciliation {
	ours := make(map[string]*provider.Provider, len(c.Connections)) // no service is called
	for _, connection := range c.Connections {
		ours[connection.AuthID] = &provider.Provider{Connection: connection}
	}
	return &reconciliation{reconcileOptions: o, cmd: cmd, service: &connect.Service{
		Connections: ours,
		Accounts:    &linkedaccount.Store{DB: db, EventLog: &event.Log{DB: db, Deliver: c.WebhookURL != ""}},
		Host:        host.New(host.Options{BaseURL: c.HostAPIURL, APIKey: c.HostAPIKey}), // what goes wrong is said once, by the command
		Log:         newLogger(cmd.ErrOrStderr(), c),
	}}
}

func (r *reconciliation) run(ctx context.Context) error {
	if !r.fix {
		return r.report(ctx, nil)
	}
	if r.yes {
		return r.report(ctx, connect.Difference.Repairable)
	}
	found, summary, err := r.compare(ctx, nil)
	approved := make(map[connect.Difference]bool, len(found))
	for _, d := range found {
		if d.Repairable() {
			approved[d] = true
		}
	}
	if err != nil || len(approved) == 0 {
		return r.conclude(found, summary, err)
	}
	if !r.asJSON {
		if err := writeDifferences(r.cmd.OutOrStdout(), r.listed(found, false)); err != nil {
			return err
		}
	}
	if err := r.confirm(found); err != nil {
		return err
	}
	return r.report(ctx, func(d connect.Difference) bool { return approved[d] })
}

// report compares, repairs what fix says, and tells what came of it.
func (r *reconciliation) report(ctx context.Context, fix func(connect.Difference) bool) error {
	found, summary, err := r.compare(ctx, fix)
	return r.conclude(found, summary, err)
}

// compare returns the differences, those before an error too. A person at the terminal sees how far
// it is.
func (r *reconciliation) compare(ctx context.Context, fix func(connect.Difference) bool) (found []connect.Difference, _ connect.Summary, _ error) {
	known, err := r.service.Accounts.CountUsers(ctx)
	if err != nil {
		return nil, connect.Summary{}, err
	}
	o := connect.ReconcileOptions{Found: func(d connect.Difference) { found = append(found, d) }, Fix: fix}
	if stderr := r.cmd.ErrOrStderr(); isTerminal(stderr) {
		o.Done = func(s connect.Summary) { fmt.Fprintf(stderr, "\r%d of %s", s.Users, config.Count(known, "user")) }
		defer fmt.Fprint(stderr, "\r\x1b[K")
	}
	summary, err := r.service.Reconcile(ctx, o)
	if err != nil {
		err = reconcileFailure(ctx, err, fmt.Sprintf("%d of %s compared", summary.Users, config.Count(known, "user")))
	}
	return found, summary, err
}

// conclude prints what was found and what came of it. err is what ended the comparison early.
func (r *reconciliation) conclude(found []connect.Difference, summary connect.Summary, err error) error {
	list := func(w io.Writer) error { return writeDifferences(w, r.listed(found, r.fix)) }
	about := r.cmd.OutOrStdout()
	if r.asJSON {
		list = func(w io.Writer) error { return writeJSON(w, r.listed(found, r.fix)) }
		about = r.cmd.ErrOrStderr()
	}
	if err := list(r.cmd.OutOrStdout()); err != nil {
		return err
	}
	fmt.Fprintln(about, summaryWords(summary))
	switch {
	case err != nil:
		return err
	case summary.Differences == summary.Repaired:
		return nil
	}
	return r.leftOver(found)
}

// leftOver is the failure of leaving differences as they are.
func (r *reconciliation) leftOver(found []connect.Difference) error {
	var left, repairable int
	var gone bool
	for _, d := range found {
		if d.Repaired {
			continue
		}
		left++
		gone = gone || d.Kind == connect.UserNotAtHost
		if d.Repairable() {
			repairable++
		}
	}
	f := &failure{code: exitFailure, err: fmt.Errorf("not repaired: %s", config.Count(left, "difference"))}
	var remedies []string
	switch {
	case repairable > 0 && r.fix:
		remedies = append(remedies, "What came up after you were asked was left as it is: run it again.")
	case repairable > 0:
		remedies = append(remedies, "`linkgate reconcile --fix` mends what can be mended.")
	}
	if gone {
		remedies = append(remedies, "`linkgate accounts offboard USER` disconnects all that a user has whom the host does not know any more, if that is right.")
	}
	if len(remedies) == 0 {
		remedies = append(remedies, "It has changed meanwhile: run it again.")
	}
	f.remedy = strings.Join(remedies, "\n")
	return f
}

// confirm asks about what would be repaired.
func (r *reconciliation) confirm(found []connect.Difference) error {
	var deleted, told int
	for _, d := range found {
		switch {
		case d.Kind == connect.UnknownHere:
			deleted++
		case d.Repairable():
			told++
		}
	}
	records, accounts := config.Count(deleted, "record"), config.Count(told, "account")
	return confirm(r.cmd, fmt.Sprintf("Delete %s at the host, and tell it anew of %s?", records, accounts),
		fmt.Sprintf("%s would be deleted at the host, it would be told anew of %s", records, accounts), yesIfWanted)
}

// reconcileFailure says how far it came, and what to do about it.
func reconcileFailure(ctx context.Context, err error, progress string) error {
	f := &failure{code: exitUnanswered, err: fmt.Errorf("%s, then: %w", progress, err)}
	switch {
	case ctx.Err() != nil:
		f.code, f.err, f.remedy = exitFailure, fmt.Errorf("%s, then it was told to stop", progress), "Run it again: it begins anew, and repeats nothing that is done."
	case errors.Is(err, connect.ErrHostRefuses):
		f.remedy = "`linkgate check` tells whether the host accepts HOST_API_KEY; copy it from the host's admin panel again if it does not."
	case errors.Is(err, connect.ErrUnavailable):
		f.remedy = "Run it again when that answers: it begins anew, and repeats nothing that is done. `linkgate check` tells what answers and what does not."
	default:
		f.code = exitFailure
	}
	return f
}
