package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"linkgate/client"
)

func newAccountsTest() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "test ID",
		Short: "Ask the service whether an account works",
		Long: `Asks the service now, with a fresh credential. The exit code is 0 if the account works, 4 if the service does not answer,
else 1. Needs accounts:read.`,
		Args: oneAccountID,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withAPI(cmd, func(ctx context.Context, api *client.Client) error {
				t, err := api.TestAccount(ctx, args[0])
				if err != nil {
					return err
				}
				if asJSON {
					if err := writeJSON(cmd.OutOrStdout(), t); err != nil {
						return err
					}
				} else {
					fmt.Fprintln(cmd.OutOrStdout(), testWords(t))
				}
				return testFailure(t)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the answer as JSON")
	return cmd
}

func testWords(t client.Test) string {
	words := map[client.TestResult]string{
		client.TestOK:                  "it works",
		client.TestReauthRequired:      "the user must sign in at the service again",
		client.TestInsufficientScope:   "it lacks scopes: " + oneLine(strings.Join(t.MissingScopes, " ")),
		client.TestProviderUnavailable: "the service does not answer",
	}[t.Result]
	if words == "" {
		words = oneLine(string(t.Result)) // a newer server's
	}
	if !t.Verified && t.Result == client.TestOK {
		return words + ", as far as Linkgate knows: the service has no way to ask"
	}
	return fmt.Sprintf("%s (%d ms)", words, t.LatencyMS)
}

func testFailure(t client.Test) error {
	switch t.Result {
	case client.TestOK:
		return nil
	case client.TestProviderUnavailable:
		return &failure{code: exitUnanswered}
	}
	return &failure{code: exitFailure}
}

func newAccountsToken() *cobra.Command {
	var asJSON bool
	var minValid time.Duration
	cmd := &cobra.Command{
		Use:   "token ID",
		Short: "Print a fresh access token, which is a secret",
		Long: `Prints an access token to the standard output, alone on its line, for as long as --min-valid at least if the service
makes such. Whoever has it can do what the user allowed: prefer calls through Linkgate. Needs tokens:read.`,
		Example: `  curl -H "Authorization: Bearer $(linkgate accounts token acc_…)" https://api.github.com/user`,
		Args:    oneAccountID,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withAPI(cmd, func(ctx context.Context, api *client.Client) error {
				t, err := api.GetToken(ctx, args[0], minValid)
				if err != nil {
					return err
				}
				cmd.PrintErrf("This is a secret%s: do not keep it where others read it.\n", until(t.ExpiresAt))
				if asJSON {
					return writeJSON(cmd.OutOrStdout(), t)
				}
				if t.TokenSecret != "" {
					cmd.PrintErrln("OAuth 1 needs its token_secret as well: --json prints both.")
				}
				_, err = fmt.Fprintln(cmd.OutOrStdout(), string(t.AccessToken))
				return err
			})
		},
	}
	cmd.Flags().DurationVar(&minValid, "min-valid", time.Minute, "how long it must last, up to 24h")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print it as JSON, with its type, scopes and end")
	return cmd
}

func newAccountsRename() *cobra.Command {
	return &cobra.Command{
		Use:     "rename ID NAME",
		Short:   "Give an account another display name",
		Long:    "Gives an account another display name, or none with \"\". Needs accounts:write.",
		Example: `  linkgate accounts rename acc_01938b6e-6a7e-7cc1-9e2a-6a2b7ce3a001 "The team's"`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return misuse(`Put a name of several words into quotes: "The team's".`, "%s wants the id of an account and a name", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return withAPI(cmd, func(ctx context.Context, api *client.Client) error {
				a, err := api.UpdateAccount(ctx, args[0], client.AccountUpdate{DisplayName: &args[1]})
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s is called %q\n", a.ID, oneLine(calledName(a)))
				return nil
			})
		},
	}
}

func newAccountsComponents() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "components ID",
		Short: "List what uses an account",
		Long:  "Lists the components that use an account. Needs accounts:read.",
		Args:  oneAccountID,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withAPI(cmd, func(ctx context.Context, api *client.Client) error {
				found, _, err := collect(api.Components(ctx, args[0]), 0)
				if err != nil {
					return err
				}
				if asJSON {
					return writeJSON(cmd.OutOrStdout(), found)
				}
				return writeTable(cmd.OutOrStdout(), found, "No component uses it.", "COMPONENT\tUSER\tBOUND", func(c client.Component) []any {
					return []any{oneLine(c.ID), oneLine(c.UserID), orNever(c.BoundAt)}
				})
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print them as JSON")
	return cmd
}

func newAccountsBind() *cobra.Command {
	var user string
	cmd := &cobra.Command{
		Use:     "bind COMPONENT ID",
		Short:   "Let a component use an account",
		Long:    "Lets a component use an account, in place of the one that it used before. Needs accounts:write.",
		Example: "  linkgate accounts bind flow-7 acc_01938b6e-6a7e-7cc1-9e2a-6a2b7ce3a001 --user u-1815",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return misuse("`linkgate accounts list` shows the ids of accounts.", "%s wants a component and the id of an account", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return withAPI(cmd, func(ctx context.Context, api *client.Client) error {
				bound, err := api.Bind(ctx, args[0], args[1], user)
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s uses %s of %s\n", oneLine(bound.ID), bound.AccountID, oneLine(bound.UserID))
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&user, "user", "", "only if the account is this user's")
	return cmd
}

func newAccountsUnbind() *cobra.Command {
	return &cobra.Command{
		Use:   "unbind COMPONENT",
		Short: "Forget which account a component uses",
		Long:  "Forgets which account a component uses. The account stays. Needs accounts:write.",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return misuse("`linkgate accounts components` shows those of an account.", "%s wants one component", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return withAPI(cmd, func(ctx context.Context, api *client.Client) error {
				if err := api.Unbind(ctx, args[0]); err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s uses no account\n", oneLine(args[0]))
				return nil
			})
		},
	}
}
