package main

import (
	"context"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"linkgate/client"
)

func newAccountsList() *cobra.Command {
	var f client.AccountFilter
	var statuses []string
	var asJSON bool
	var limit int
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List accounts, the newest first",
		Long: `Lists the accounts that fit every filter, the newest first. Disconnected ones are left out unless --status asks for
them. Needs accounts:read.`,
		Example: `  linkgate accounts list --user u-1815
  linkgate accounts list --status reauth_required --json | jq -r '.[].user_id'`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, s := range statuses {
				f.Statuses = append(f.Statuses, client.Status(s))
			}
			return withAPI(cmd, func(ctx context.Context, api *client.Client) error {
				f.Limit = min(limit, accountsPage)
				found, more, err := collect(api.Accounts(ctx, f), limit)
				if err != nil {
					return err
				}
				if asJSON {
					return writeJSON(cmd.OutOrStdout(), found)
				}
				if err := writeAccounts(cmd.OutOrStdout(), found); err != nil {
					return err
				}
				if more {
					cmd.PrintErrf("There are more: --limit shows more than %d.\n", limit)
				}
				return nil
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.UserID, "user", "", "only this user's, by the host's id")
	flags.StringVar(&f.AuthID, "connection", "", "only this connection's, by auth id")
	flags.StringVar(&f.ExternalAccountID, "external-id", "", "only those with the service's id")
	flags.StringVar(&f.ComponentID, "component", "", "only the one that this component uses")
	flags.StringSliceVar(&statuses, "status", nil, "linking, linked, reauth_required, refused, unlinking, unlinked; several with commas")
	flags.IntVarP(&limit, "limit", "n", 100, "how many at the most; 0: all")
	flags.BoolVar(&asJSON, "json", false, "print them as JSON")
	return cmd
}

const accountsPage = 200 // accounts of a page, the API's most

// collect takes up to limit of what there is (0: all), and tells whether there is more.
func collect[T any](seq iter.Seq2[T, error], limit int) (found []T, more bool, err error) {
	found = []T{}
	for one, err := range seq {
		if err != nil {
			return nil, false, err
		}
		if limit > 0 && len(found) == limit {
			return found, true, nil
		}
		found = append(found, one)
	}
	return found, false, nil
}

func writeAccounts(w io.Writer, accounts []client.Account) error {
	const heads = "ID\tUSER\tSERVICE\tNAME\tSTATUS\tTOKEN\tSCOPES\tLAST USED"
	return writeTable(w, accounts, "There are no such accounts.", heads, func(a client.Account) []any {
		return []any{
			a.ID, oneLine(a.UserID), oneLine(a.ServiceName), oneLine(calledName(a)), a.Status,
			validWord(a), scopeWords(a), agoOrNever(a.LastUsedAt),
		}
	})
}

// calledName is the name that the owner has given, else the service's, else its id.
func calledName(a client.Account) string {
	for _, name := range []string{a.DisplayName, a.Name} {
		if name != "" {
			return name
		}
	}
	return a.ExternalAccountID
}

func validWord(a client.Account) string {
	if a.TokenValid {
		return "valid"
	}
	return "invalid"
}

func scopeWords(a client.Account) string {
	if a.ScopeValid {
		return "all"
	}
	return "lacks " + oneLine(strings.Join(a.MissingScopes, " "))
}

func agoOrNever(at *time.Time) string {
	if at == nil {
		return "never"
	}
	return orNever(*at)
}

func newAccountsShow() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show one account",
		Long:  "Shows one account, a disconnected one too. Needs accounts:read.",
		Args:  oneAccountID,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withAPI(cmd, func(ctx context.Context, api *client.Client) error {
				a, err := api.GetAccount(ctx, args[0])
				if err != nil {
					return err
				}
				if asJSON {
					return writeJSON(cmd.OutOrStdout(), a)
				}
				return writeAccount(cmd.OutOrStdout(), a)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print it as JSON")
	return cmd
}

func writeAccount(w io.Writer, a client.Account) error {
	table := newTable(w)
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(table, "%s\t%s\n", name, oneLine(value))
		}
	}
	row("id", a.ID)
	row("user", a.UserID)
	row("service", a.ServiceName+" ("+a.AuthID+")")
	row("name", a.Name)
	row("display name", a.DisplayName)
	row("id at the service", a.ExternalAccountID+" of "+a.Issuer)
	row("id at the host", a.LinkedAccountID)
	row("status", string(a.Status))
	row("access token", validWord(a)+until(a.ExpiresAt))
	row("scopes", strings.Join(a.Scopes, " "))
	row("missing scopes", strings.Join(a.MissingScopes, " "))
	row("last used", agoOrNever(a.LastUsedAt))
	if a.LastError != nil {
		row("last error", a.LastError.Message+", since "+a.LastError.At.Format(time.RFC3339))
	}
	row("metadata", string(a.Metadata))
	row("linked", a.LinkedAt.Format(time.RFC3339))
	return flushed(table)
}

func until(at *time.Time) string {
	if at == nil {
		return ", with no known end"
	}
	return ", until " + at.Format(time.RFC3339)
}
