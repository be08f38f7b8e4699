package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"linkgate/client"
	"linkgate/config"
)

func newAccountsDelete() *cobra.Command {
	var yes, asJSON bool
	cmd := &cobra.Command{
		Use:   "delete ID",
		Short: "Disconnect an account everywhere",
		Long: `Deletes an account at the host, revokes its credential at the service, wipes it at Linkgate, and tells every component that
uses it. What can't be done at once is done as soon as it can. It asks first, on a terminal, or wants --yes. Needs
accounts:write.`,
		Args: oneAccountID,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withAPI(cmd, func(ctx context.Context, api *client.Client) error {
				if err := confirmDisconnection(ctx, cmd, api, args[0], yes); err != nil {
					return err
				}
				report, err := api.DeleteAccount(ctx, args[0])
				if err != nil {
					return err
				}
				if asJSON {
					return writeJSON(cmd.OutOrStdout(), report)
				}
				return writeDisconnections(cmd.OutOrStdout(), []client.Disconnection{report}, report.Done)
			})
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print what was done as JSON")
	return cmd
}

func confirmDisconnection(ctx context.Context, cmd *cobra.Command, api *client.Client, id string, yes bool) error {
	if yes {
		return nil
	}
	a, err := api.GetAccount(ctx, id)
	if err != nil {
		return err
	}
	question := fmt.Sprintf("Disconnect %s, %s of %s at %s?", a.ID, oneLine(calledName(a)), oneLine(a.UserID), oneLine(a.ServiceName))
	return confirm(cmd, question, "the account "+a.ID+" would be disconnected", yesIfWanted)
}

func newAccountsOffboard() *cobra.Command {
	var yes, asJSON bool
	cmd := &cobra.Command{
		Use:   "offboard USER",
		Short: "Disconnect all that a user has",
		Long: `Does for all accounts of a user, by the host's id, what ` + "`linkgate accounts delete`" + ` does for one: for somebody who leaves.
Repeat it to see what is left to do. It asks first, on a terminal, or wants --yes. Needs users:delete.`,
		Example: "  linkgate accounts offboard u-1815 --yes",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return misuse("It is the host's id of the user, as `linkgate accounts list` shows it.", "%s wants one user", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return withAPI(cmd, func(ctx context.Context, api *client.Client) error {
				if !yes {
					every := "every account of " + oneLine(args[0])
					if err := confirm(cmd, "Disconnect "+every+"?", every+" would be disconnected", yesIfWanted); err != nil {
						return err
					}
				}
				report, err := api.OffboardUser(ctx, args[0])
				if err != nil {
					return err
				}
				if asJSON {
					return writeJSON(cmd.OutOrStdout(), report)
				}
				return writeDisconnections(cmd.OutOrStdout(), report.Accounts, report.Done)
			})
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print what was done as JSON")
	return cmd
}

func writeDisconnections(w io.Writer, reports []client.Disconnection, done bool) error {
	if len(reports) > 0 {
		err := writeTable(w, reports, "", "ID\tCONNECTION\tSTATUS\tHOST\tCREDENTIAL", func(r client.Disconnection) []any {
			id := r.ID
			if id == "" {
				id = oneLine(r.LinkedAccountID) + " (the host's)"
			}
			return []any{id, oneLine(r.AuthID), r.Status, r.Host, revocationWord(r.Revocation)}
		})
		if err != nil {
			return err
		}
	}
	outcome := "All of it is done"
	if !done {
		outcome = "Linkgate goes on with what is pending; repeat the command to see how far it is"
	}
	_, err := fmt.Fprintf(w, "%s: %s.\n", config.Count(len(reports), "account"), outcome)
	return err
}

// revocationWord says that a service which can't revoke does not mean that the credential is still there.
func revocationWord(word string) string {
	if word == "unsupported" {
		return "wiped; the service can't revoke it"
	}
	return oneLine(word)
}
