package main

import (
	"cmp"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"linkgate/config"
	"linkgate/provider"
)

const presetsHelp = `Without a name it lists the services that Linkgate knows: what to write under provider in
connections.yaml, the protocol, and of which values nobody has confirmed that they are right.

With a name it explains one: addresses, scopes, habits, what to click at the service and the
redirect URI to paste there, an entry for connections.yaml, and the pages that all of it comes from.

Every value can be set otherwise in connections.yaml. A service that is not there can be connected
with a protocol in place of a preset.`

// What stands in the redirect URI and in the entry for what is not known.
const (
	unknownPublicURL = "PUBLIC_URL"
	unknownAuthID    = "AUTH_ID"
)

func newPresetsCommand() *cobra.Command {
	var o presetOptions
	cmd := &cobra.Command{
		Use:   "presets [NAME]",
		Short: "List the services that come ready-made, and explain one",
		Long:  presetsHelp,
		Example: `  linkgate presets
  linkgate presets asana --public-url https://connect.example.com --auth-id 7f3c
  linkgate presets --json | jq -r '.[] | select(.protocol == "api_key") | .name'`,
		GroupID: groupSetUp,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return misuse("`linkgate presets` lists their names.", "%s explains one preset at a time, and got %q as well", cmd.CommandPath(), args[1])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return listPresets(cmd.OutOrStdout(), o)
			}
			return explainPreset(cmd.OutOrStdout(), args[0], o)
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return provider.Presets(), cobra.ShellCompDirectiveNoFileComp
		},
		DisableFlagsInUseLine: true,
	}
	cmd.Flags().StringVar(&o.publicURL, "public-url", "", "Linkgate's own `address`, for the redirect URI (default PUBLIC_URL)")
	cmd.Flags().StringVar(&o.authID, "auth-id", "", "the host's Auth `Id`, for the redirect URI and the entry")
	cmd.Flags().BoolVar(&o.asJSON, "json", false, "print it as JSON")
	return cmd
}

type presetOptions struct {
	publicURL, authID string
	asJSON            bool
}

// redirectURI is the address to paste at the service, as far as it is known.
func (o presetOptions) redirectURI() (string, error) {
	o.publicURL = strings.TrimSuffix(cmp.Or(o.publicURL, config.OS().Environ["PUBLIC_URL"]), "/")
	u, err := url.Parse(o.publicURL)
	switch {
	case o.publicURL == "":
		o.publicURL = unknownPublicURL
	case err != nil || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http":
		return "", misuse("Write it as serve's PUBLIC_URL: https://connect.example.com", "the public URL is not an address without a path")
	}
	if url.PathEscape(o.authID) != o.authID {
		return "", misuse("Copy it from the host's admin panel.", "the Auth Id has a character that none can have")
	}
	return config.Config{PublicURL: o.publicURL}.RedirectURI(o.knownAuthID()), nil
}

func (o presetOptions) knownAuthID() string {
	if o.authID == "" {
		return unknownAuthID
	}
	return o.authID
}

// presetLine is a preset in the list.
type presetLine struct {
	Name       string   `json:"name"` // what to write under provider
	Service    string   `json:"service"`
	Protocol   string   `json:"protocol"`
	Unverified []string `json:"unverified"` // keys that hold a value which nobody has confirmed
}

func listPresets(w io.Writer, o presetOptions) error {
	lines := []presetLine{}
	for _, name := range provider.Presets() {
		p, _ := provider.PresetNamed(name)
		lines = append(lines, presetLine{name, p.Connection.Name, p.Connection.Protocol, append([]string{}, p.Unverified()...)})
	}
	if o.asJSON {
		return writeJSON(w, lines)
	}
	err := writeTable(w, lines, "", "PRESET\tSERVICE\tPROTOCOL\tNOT CONFIRMED", func(l presetLine) []any {
		return []any{l.Name, l.Service, l.Protocol, cmp.Or(strings.Join(l.Unverified, ", "), "-")}
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "\n`linkgate presets NAME` explains one, and tells what to do at the service.")
	return nil
}

func explainPreset(w io.Writer, name string, o presetOptions) error {
	p, ok := provider.PresetNamed(name)
	if !ok {
		return unknownPreset(name)
	}
	redirectURI, err := o.redirectURI()
	if err != nil {
		return err
	}
	page := newPresetPage(name, p, redirectURI, o.knownAuthID())
	if o.asJSON {
		return writeJSON(w, page)
	}
	return page.write(w)
}

// maxMeant is how many names we offer in the place of an unknown one.
const maxMeant = 5

func unknownPreset(name string) error {
	if slices.Contains(provider.Protocols(), name) {
		return misuse("Write provider: "+name+" in connections.yaml, and the service's addresses below it; the README explains the keys.",
			"%s is a protocol, which needs no preset", name)
	}
	remedy := "`linkgate presets` lists them; what is not there can be connected with a protocol: " + strings.Join(provider.Protocols(), ", ") + "."
	if meant := meantPresets(name); len(meant) > 0 {
		remedy = "Did you mean " + strings.Join(meant, " or ") + "? " + remedy
	}
	return misuse(remedy, "there is no preset %q", name)
}

// meantPresets are those whose name, or whose service's, is like the one given.
func meantPresets(name string) []string {
	var meant []string
	if near, ok := config.NearestPreset(name); ok {
		meant = append(meant, near)
	}
	typed := lettersOf(name)
	for _, known := range provider.Presets() {
		c, _ := provider.Preset(known)
		if !slices.Contains(meant, known) && len(meant) < maxMeant && (alike(typed, lettersOf(known)) || alike(typed, lettersOf(c.Name))) {
			meant = append(meant, known)
		}
	}
	return meant
}

// alike tells whether one is a part of the other; what is very short is a part of everything.
func alike(a, b string) bool {
	const least = 3
	return len(a) >= least && strings.Contains(b, a) || len(b) >= least && strings.Contains(a, b)
}

// lettersOf leaves a name's small letters and digits.
func lettersOf(name string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(name))
}
