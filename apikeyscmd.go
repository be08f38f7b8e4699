package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"linkgate/apikey"
	"linkgate/config"
	"linkgate/database"
	"linkgate/linkedaccount"
)

const apiKeysHelp = `Your back end calls the accounts API (/v1) with an API key, as "Authorization: Bearer lg_…". Give each back end a key of
its own, with the scopes it needs and no more:

  accounts:read    see accounts, components and events
  accounts:write   import, rename, bind, test and disconnect accounts
  tokens:read      get access tokens
  sessions:write   have users connect
  calls:write      call services as an account
  users:delete     disconnect all that a user has

These commands may be used beside a running server, which knows a new key at once, and refuses a revoked one within five
seconds. They read the configuration as serve does, open its database, and never migrate it. A key is shown once, when it
is made; what is kept is its hash. Keys can be given in API_KEYS instead, and those are revoked by taking them out there.`

func newAPIKeysCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "apikeys",
		Short:   "Make, list and revoke the keys of the accounts API",
		Long:    apiKeysHelp,
		Example: "  linkgate apikeys new \"the back end\" --scopes accounts:read,sessions:write\n  linkgate apikeys list",
		GroupID: groupRun,
		Args:    knownCommand,
		RunE:    showHelp,

		DisableFlagsInUseLine:      true,
		SuggestionsMinimumDistance: suggestionDistance,
	}
	cmd.AddCommand(newAPIKeysNew(), newAPIKeysList(), newAPIKeysRevoke())
	return cmd
}

func newAPIKeysNew() *cobra.Command {
	var words []string
	cmd := &cobra.Command{
		Use:   "new NAME --scopes SCOPE,…",
		Short: "Make a key and print it, this once",
		Long: `Makes a key, and prints it to the standard output, alone on its line. It can't be shown again. The name is for you, to
know it by in the list.`,
		Example: `  linkgate apikeys new "the back end" --scopes accounts:read,sessions:write
  fly secrets set --app my-back-end LINKGATE_API_KEY="$(linkgate apikeys new "the back end" --scopes accounts:read)"`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return misuse(`Put a name of several words into quotes: "the back end".`, "%s wants one name", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			scopes, err := apikey.ParseScopes(words)
			if err != nil {
				return misuse("Give it some of these, with commas: "+apikey.Words(apikey.AllScopes(), ", ")+".", "--scopes: %w", err)
			}
			return withAPIKeys(cmd, func(ctx context.Context, keys *apikey.Store) error {
				return newAPIKey(ctx, cmd, keys, args[0], scopes)
			})
		},
		DisableFlagsInUseLine: true,
	}
	cmd.Flags().StringSliceVar(&words, "scopes", nil, "what it may do, with commas: "+apikey.Words(apikey.AllScopes(), ","))
	return cmd
}

func newAPIKey(ctx context.Context, cmd *cobra.Command, keys *apikey.Store, name string, scopes []apikey.Scope) error {
	k, whole, err := keys.New(ctx, name, scopes)
	if errors.Is(err, apikey.ErrName) {
		return misuse("Choose a name that tells you in a year who uses it.", "%w", err)
	}
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(cmd.OutOrStdout(), whole.Reveal()); err != nil {
		return &failure{code: exitFailure, err: fmt.Errorf("printing the key: %w", err), remedy: "Nobody has seen it: `linkgate apikeys revoke " + k.ID + "`."}
	}
	cmd.PrintErrf("This is the key of %q, for %s. It can't be shown again: keep it in a secret store.\n"+
		"Its id is %s; `linkgate apikeys revoke` ends it.\n", oneLine(k.Name), apikey.Words(k.Scopes, ", "), k.ID)
	return auditKey(ctx, keys, "api_key.made", k)
}

func newAPIKeysList() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the keys, without the secrets",
		Long: `Lists the keys: those in API_KEYS first, by ids that begin with env_, then the others by age, revoked ones too. When a key was
last used is kept to the minute, and not for those in API_KEYS.`,
		Example: "  linkgate apikeys list\n  linkgate apikeys list --json | jq -r '.[] | select(.last_used_at == null) | .name'",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withAPIKeys(cmd, func(ctx context.Context, keys *apikey.Store) error {
				all, err := keys.List(ctx)
				if err != nil {
					return err
				}
				if asJSON {
					return writeJSON(cmd.OutOrStdout(), listedKeys(all))
				}
				return writeAPIKeys(cmd.OutOrStdout(), all)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print them as JSON")
	return cmd
}

func newAPIKeysRevoke() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "revoke ID",
		Short: "End a key for good",
		Long: `Ends a key for good: every server refuses it within five seconds. Instead of the id it takes the key itself, as with one
that was found where it should not be. It asks first, on a terminal, or wants --yes.`,
		Example: "  linkgate apikeys revoke lg_4fRkPq0Zs8TtY1aB",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return misuse("`linkgate apikeys list` shows the ids.", "%s wants the id of one key", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return withAPIKeys(cmd, func(ctx context.Context, keys *apikey.Store) error {
				return revokeAPIKey(ctx, cmd, keys, apikey.IDOf(args[0]), yes)
			})
		},
		DisableFlagsInUseLine: true,
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

func revokeAPIKey(ctx context.Context, cmd *cobra.Command, keys *apikey.Store, id string, yes bool) error {
	all, err := keys.List(ctx)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(all, func(k apikey.Key) bool { return k.ID == id })
	switch {
	case at < 0: // which may be a secret, and is not repeated
		return &failure{code: exitFailure, err: apikey.ErrNotFound, remedy: "`linkgate apikeys list` shows the ids: lg_ and 16 characters."}
	case all[at].InEnvironment():
		return misuse("Take it out of API_KEYS and restart every replica.", "%s is in API_KEYS, where no command can take it out", id)
	case !all[at].RevokedAt.IsZero():
		fmt.Fprintf(cmd.OutOrStdout(), "%s is revoked already\n", id)
		return nil
	}
	if !yes {
		question := fmt.Sprintf("Revoke %s, the key of %q, last used %s?", id, oneLine(all[at].Name), orNever(all[at].LastUsedAt))
		if err := confirm(cmd, question, "the key "+id+" would be revoked", yesIfWanted); err != nil {
			return err
		}
	}
	if err := keys.Revoke(ctx, id); err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s is revoked; every server refuses it within five seconds\n", id)
	if slices.ContainsFunc(keys.Static, all[at].SameAs) {
		cmd.PrintErrln("It is in API_KEYS as well, where it stays in force: take it out there and restart every replica.")
	}
	return auditKey(ctx, keys, "api_key.revoked", all[at])
}

// withAPIKeys has fn work on the keys of the configured database, and of API_KEYS.
func withAPIKeys(cmd *cobra.Command, fn func(context.Context, *apikey.Store) error) error {
	return withDatabase(cmd, func(ctx context.Context, c config.Config, db *database.DB) error {
		return fn(ctx, &apikey.Store{DB: db, Static: c.APIKeys})
	})
}

// auditKey notes in the audit trail what was done with a key.
func auditKey(ctx context.Context, keys *apikey.Store, name string, k apikey.Key) error {
	trail := linkedaccount.Store{DB: keys.DB}
	return trail.Audit(ctx, linkedaccount.Event{Name: name, Detail: k.ID + " " + k.Name + ": " + apikey.Words(k.Scopes, " ")})
}
