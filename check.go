package main

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"linkgate/config"
)

const defaultPatience = 10 * time.Second

func newCheckCommand() *cobra.Command {
	var o checkOptions
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Find every mistake in the configuration, and see what answers",
		Long: `Reads the environment and connections.yaml as serve does, and reports every mistake at once:
where it is, what is wrong, and what to do. If there is none, it prints the redirect URI to
register at each service, and then asks the host, each service, Redis and Postgres whether they
answer; of a database in DATA_DIR it looks whether it could be written. Nothing is created,
changed or migrated.

Exit codes: 0 all is well · 3 the configuration has mistakes · 4 something does not answer`,
		Example: `  linkgate check
  linkgate check --offline          before there is a network, or in a build
  linkgate check --json | jq .connections`,
		GroupID: groupSetUp,
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return check(cmd, o) },
	}
	cmd.Flags().BoolVar(&o.offline, "offline", false, "ask nobody: look at the configuration only")
	cmd.Flags().BoolVar(&o.asJSON, "json", false, "print everything as JSON")
	cmd.Flags().DurationVar(&o.patience, "timeout", defaultPatience, "how long to wait for answers")
	return cmd
}

type checkOptions struct {
	offline  bool
	asJSON   bool
	patience time.Duration
}

// report is what check found.
type report struct {
	Mistakes    []config.Mistake `json:"mistakes"`
	Warnings    []config.Mistake `json:"warnings"`
	Connections []registeredApp  `json:"connections"` // empty when there are mistakes
	Answers     []answer         `json:"answers"`     // empty when there are mistakes, or offline
}

// registeredApp is what to enter at a service's page about the app.
type registeredApp struct {
	AuthID      string `json:"auth_id"`
	Provider    string `json:"provider"`
	Name        string `json:"name"`
	RedirectURI string `json:"redirect_uri,omitempty"` // empty: there is nothing to register
	RemovalURL  string `json:"removal_url,omitempty"`  // without the secret; empty: there is no removal_secret
}

func check(cmd *cobra.Command, o checkOptions) error {
	c, err := config.Load(config.OS())
	broken, _ := errors.AsType[*config.Error](err)
	if err != nil && broken == nil {
		return err
	}
	p := printer{w: cmd.OutOrStdout(), terminal: isTerminal(cmd.OutOrStdout()), silent: o.asJSON}
	r := report{Mistakes: []config.Mistake{}, Warnings: append([]config.Mistake{}, c.Warnings...), Connections: []registeredApp{}, Answers: []answer{}}
	if broken != nil {
		r.Mistakes = broken.Mistakes
	}
	p.configuration(c, r)
	if broken == nil {
		r.Connections = registeredApps(c)
		p.connections(r.Connections)
		p.removals(r.Connections)
		if !o.offline {
			r.Answers = p.answers(askAll(cmd.Context(), probes(c), o.patience))
		}
	}
	if o.asJSON {
		if err := writeJSON(cmd.OutOrStdout(), r); err != nil {
			return fmt.Errorf("printing the report: %w", err)
		}
	}
	return r.verdict()
}

func registeredApps(c config.Config) []registeredApp {
	apps := make([]registeredApp, 0, len(c.Connections))
	for _, conn := range c.Connections {
		app := registeredApp{AuthID: conn.AuthID, Provider: conn.Provider, Name: conn.Name}
		if conn.Redirects() && !conn.Registration.On() { // else the connection tells the service itself
			app.RedirectURI = c.RedirectURI(conn.AuthID)
		}
		if !conn.RemovalSecret.IsZero() {
			app.RemovalURL = c.PublicURL + "/hooks/" + url.PathEscape(conn.AuthID) + "/removed?secret=…"
		}
		apps = append(apps, app)
	}
	return apps
}

// verdict is the exit code. What is wrong has been printed by then.
func (r report) verdict() error {
	if len(r.Mistakes) > 0 {
		return &failure{code: exitConfig}
	}
	for _, a := range r.Answers {
		if !a.OK {
			return &failure{code: exitUnanswered}
		}
	}
	return nil
}

// printer writes the report for people, part by part as it becomes known.
type printer struct {
	w        io.Writer
	terminal bool
	silent   bool
}

func (p printer) printf(format string, args ...any) {
	if !p.silent {
		fmt.Fprintf(p.w, format, args...)
	}
}

func (p printer) configuration(c config.Config, r report) {
	for _, w := range r.Warnings {
		p.printf("Warning: %s. %s\n", w, w.Remedy)
	}
	if len(r.Mistakes) == 0 {
		p.printf("%s: %s, no mistakes\n", c.ConnectionsFile, config.Count(len(c.Connections), "connection"))
		return
	}
	p.printf("The configuration has %s:\n\n", config.Count(len(r.Mistakes), "mistake"))
	if !p.silent {
		writeMistakes(p.w, r.Mistakes)
	}
}

func (p printer) connections(apps []registeredApp) {
	register := slices.DeleteFunc(slices.Clone(apps), func(a registeredApp) bool { return a.RedirectURI == "" })
	if len(register) == 0 {
		return
	}
	p.printf("\nRegister these redirect URIs, exactly as they are, at the services:\n")
	for _, a := range register {
		p.printf("  %s\n      %s (provider %s, auth id %s)\n", a.RedirectURI, a.Name, a.Provider, a.AuthID)
	}
}

func (p printer) removals(apps []registeredApp) {
	told := slices.DeleteFunc(slices.Clone(apps), func(a registeredApp) bool { return a.RemovalURL == "" })
	if len(told) == 0 {
		return
	}
	p.printf("\nTell these services to call this when a user removes the app there, with the removal_secret for …:\n")
	for _, a := range told {
		p.printf("  %s\n      %s (auth id %s)\n", a.RemovalURL, a.Name, a.AuthID)
	}
}

// answers prints each answer in turn. On a terminal the one waited for is shown meanwhile.
func (p printer) answers(pending []pendingAnswer) []answer {
	p.printf("\nAsking what Linkgate needs:\n")
	good, bad := "ok      ", "FAILED  "
	if p.terminal {
		good, bad = "✓ ", "✗ "
	}
	var all []answer
	for _, waiting := range pending {
		if p.terminal {
			p.printf("  … %s", waiting.name)
		}
		a := <-waiting.result
		all = append(all, a)
		if p.terminal {
			p.printf("\r\033[K")
		}
		if a.OK {
			p.printf("  %s%s: %s\n", good, a.Name, a.Text)
		} else {
			p.printf("  %s%s: %s\n      → %s\n", bad, a.Name, a.Text, a.Remedy)
		}
	}
	return all
}
