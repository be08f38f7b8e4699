package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"linkgate/secret"
)

const keysHelp = `Credentials are sealed with a keyset: one primary key that seals, and any number of others that
only open. A single machine makes its own in DATA_DIR/keyset; replicas share one through
ENCRYPTION_KEYSET or ENCRYPTION_KEYSET_FILE.

To change keys without a moment in which something can't be opened:
  1. linkgate keys add            adds a key that only opens for now; then restart every replica
  2. linkgate keys promote ID     it seals from now on; then restart every replica
  3. Wait until the last replica has logged, after its start, that every credential is sealed with
     the primary key, and half an hour more, for users who are in the middle of connecting.
  4. linkgate keys disable ID     the old key opens nothing any more; restart every replica

Keep a copy of the keyset apart from the database's backups, and of each old one until you are
sure. Without the key nothing opens: every user would have to connect again.`

func newKeysCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "keys",
		Short:   "Make, rotate and list the keys that seal credentials",
		Long:    keysHelp,
		Example: "  linkgate keys list\n  linkgate keys add --stdin < keyset > keyset.new",
		GroupID: groupSetUp,
		Args:    knownCommand,
		RunE:    showHelp,

		DisableFlagsInUseLine:      true,
		SuggestionsMinimumDistance: suggestionDistance,
	}
	cmd.AddCommand(newKeysNew(), newKeysAdd(), newKeysPromote(), newKeysDisable(), newKeysList())
	return cmd
}

func newKeysNew() *cobra.Command {
	return &cobra.Command{
		Use:   "new",
		Short: "Print a new keyset",
		Long: `Prints a keyset of one fresh key to the standard output. Nothing is read or overwritten.

Put it in a secret store and give it to every replica as ENCRYPTION_KEYSET, or as a file that
ENCRYPTION_KEYSET_FILE names.`,
		Example: `  (umask 077; set -o noclobber; linkgate keys new > keyset)
  fly secrets set ENCRYPTION_KEYSET="$(linkgate keys new)"`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			keyset, err := secret.NewKeyset()
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintln(cmd.OutOrStdout(), keyset.Reveal()); err != nil {
				return fmt.Errorf("printing the keyset: %w", err)
			}
			cmd.PrintErrln("This keyset opens every credential sealed with it. Keep it in a secret store, and a copy apart\n" +
				"from the database's backups; set ENCRYPTION_KEYSET, or ENCRYPTION_KEYSET_FILE, on every replica.")
			return nil
		},
	}
}

func newKeysAdd() *cobra.Command {
	var where keysetPlace
	cmd := &cobra.Command{
		Use:     "add",
		Short:   "Add a key that opens but does not seal yet",
		Long:    "Adds a fresh key to the keyset: step 1 of the four in `linkgate keys --help`.",
		Example: "  linkgate keys add\n  linkgate keys add --stdin < keyset > keyset.new",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var added uint32
			err := where.edit(cmd, func(keyset secret.Text) (_ secret.Text, err error) {
				keyset, added, err = secret.AddKey(keyset)
				return keyset, err
			})
			if err != nil {
				return err
			}
			cmd.PrintErrf("Added key %d.\nNext: give every replica this keyset and restart it, then `linkgate keys promote %d`.\n", added, added)
			return nil
		},
	}
	where.flags(cmd)
	return cmd
}

func newKeysPromote() *cobra.Command {
	var where keysetPlace
	cmd := &cobra.Command{
		Use:   "promote ID",
		Short: "Make a key the one that seals",
		Long: `Makes a key primary: step 2 of the four in ` + "`linkgate keys --help`" + `. Every replica must have the
key already, or it can't open what the others seal.`,
		Example: "  linkgate keys promote 1391726801",
		Args:    oneKeyID,
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseKeyID(args[0])
			if err != nil {
				return err
			}
			if err := where.edit(cmd, func(k secret.Text) (secret.Text, error) { return secret.PromoteKey(k, id) }); err != nil {
				return err
			}
			cmd.PrintErrf("Key %d is primary.\nNext: give every replica this keyset and restart it. Half an hour after the last one has logged that\nevery credential is sealed with the primary key, `linkgate keys disable` the old key.\n", id)
			return nil
		},
	}
	where.flags(cmd)
	return cmd
}

func newKeysDisable() *cobra.Command {
	var where keysetPlace
	var yes bool
	cmd := &cobra.Command{
		Use:   "disable ID",
		Short: "Stop a key from opening anything",
		Long: `Disables a key: step 4 of the four in ` + "`linkgate keys --help`" + `. What is still sealed with it can't
be opened any more, so it asks first, on a terminal, or wants --yes. A copy of the keyset from
before undoes it.`,
		Example: "  linkgate keys disable 823404416",
		Args:    oneKeyID,
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseKeyID(args[0])
			if err != nil {
				return err
			}
			if !yes {
				question := fmt.Sprintf("What is still sealed with key %d can't be opened any more. Disable it?", id)
				what := fmt.Sprintf("disabling key %d makes what it sealed unreadable", id)
				if err := confirm(cmd, question, what, "Add --yes once you are sure that nothing is sealed with it any more."); err != nil {
					return err
				}
			}
			if err := where.edit(cmd, func(k secret.Text) (secret.Text, error) { return secret.DisableKey(k, id) }); err != nil {
				return err
			}
			cmd.PrintErrf("Key %d is disabled.\nNext: give every replica this keyset and restart it.\n", id)
			return nil
		},
	}
	where.flags(cmd)
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

func newKeysList() *cobra.Command {
	var where keysetPlace
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the keys, without the secrets",
		Example: "  linkgate keys list\n  linkgate keys list --stdin --json < keyset",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			keyset, err := where.read(cmd)
			if err != nil {
				return err
			}
			keys, err := secret.Keys(keyset)
			if err != nil {
				return where.explain(err)
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), keyList(keys))
			}
			for _, k := range keys {
				fmt.Fprintf(cmd.OutOrStdout(), "%-12d%s%s\n", k.ID, k.Status, map[bool]string{true: ", primary"}[k.Primary])
			}
			return nil
		},
	}
	where.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print them as JSON")
	return cmd
}

// keyInfo is a key in JSON.
type keyInfo struct {
	ID      uint32 `json:"id"`
	Status  string `json:"status"`
	Primary bool   `json:"primary"`
}

func keyList(keys []secret.KeyInfo) []keyInfo {
	list := make([]keyInfo, 0, len(keys))
	for _, k := range keys {
		list = append(list, keyInfo{ID: k.ID, Status: k.Status, Primary: k.Primary})
	}
	return list
}

func oneKeyID(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return misuse("`linkgate keys list` shows the ids of the keys.", "%s wants the id of one key", cmd.CommandPath())
	}
	_, err := parseKeyID(args[0])
	return err
}

func parseKeyID(s string) (uint32, error) {
	id, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0, misuse("`linkgate keys list` shows the ids of the keys.", "%q is not the id of a key, which is a number", s)
	}
	return uint32(id), nil
}

// isTerminal tells whether a person is at the other end of a reader or writer.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
