package main

import (
	"context"
	"errors"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"linkgate/client"
)

const accountsHelp = `Whatever the accounts API of a running Linkgate can do, from a shell: of this machine or of another one. It needs the
server's address and an API key with the scopes of what is to be done (` + "`linkgate apikeys new`" + `):

  LINKGATE_URL            such as https://connect.example.com; or --url
  LINKGATE_API_KEY        lg_…; or LINKGATE_API_KEY_FILE, the path of a file with the key in it

` + "`export`" + ` alone reads the server's database, and needs its configuration.`

// The environment of `linkgate accounts`.
const (
	addressVariable = "LINKGATE_URL"
	apiKeyVariable  = "LINKGATE_API_KEY"
)

func newAccountsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "accounts",
		Short: "List, test, import, export and remove users' accounts",
		Long:  accountsHelp,
		Example: `  linkgate accounts list --user u-1815
  linkgate accounts test acc_01938b6e-6a7e-7cc1-9e2a-6a2b7ce3a001
  linkgate accounts import accounts.jsonl --report failed.json`,
		GroupID: groupRun,
		Args:    knownCommand,
		RunE:    showHelp,

		DisableFlagsInUseLine:      true,
		SuggestionsMinimumDistance: suggestionDistance,
	}
	remote := []*cobra.Command{
		newAccountsList(), newAccountsShow(), newAccountsTest(), newAccountsToken(), newAccountsRename(),
		newAccountsComponents(), newAccountsBind(), newAccountsUnbind(), newAccountsDelete(), newAccountsOffboard(),
		newAccountsImport(),
	}
	for _, c := range remote {
		c.Flags().String("url", "", "the address of Linkgate; "+addressVariable+" if it is not given")
		c.DisableFlagsInUseLine = true
	}
	cmd.AddCommand(append(remote, newAccountsExport())...)
	return cmd
}

// withAPI has fn call the accounts API.
func withAPI(cmd *cobra.Command, fn func(context.Context, *client.Client) error) error {
	api, _, err := newAPIClient(cmd)
	if err != nil {
		return err
	}
	return apiFailure(fn(cmd.Context(), api))
}

// newAPIClient makes a client of what flags and environment say, and tells the address.
func newAPIClient(cmd *cobra.Command, options ...client.Option) (api *client.Client, address string, err error) {
	if address, err = cmd.Flags().GetString("url"); err != nil {
		return nil, "", err
	}
	if address == "" {
		address = os.Getenv(addressVariable)
	}
	if address == "" {
		return nil, "", misuse("Set "+addressVariable+" or give --url: the PUBLIC_URL of the server.", "nobody says where Linkgate is")
	}
	key, err := apiKeyOfEnvironment()
	if err != nil {
		return nil, "", err
	}
	api, err = client.New(address, key, append([]client.Option{client.WithUserAgent("linkgate/" + thisBuild().Version)}, options...)...)
	if err != nil {
		return nil, "", misuse("Look at "+addressVariable+", --url and "+apiKeyVariable+".", "%w", err)
	}
	return api, strings.TrimRight(address, "/"), nil
}

// apiKeyOfEnvironment reads the key from its variable or the file that one names, as serve does with secrets.
func apiKeyOfEnvironment() (string, error) {
	key, path := os.Getenv(apiKeyVariable), os.Getenv(apiKeyVariable+"_FILE")
	switch {
	case key != "" && path != "":
		return "", misuse("Unset one of them.", "both %s and %[1]s_FILE are set", apiKeyVariable)
	case path != "":
		content, err := os.ReadFile(path) //nolint:gosec // whoever sets the variable runs the command
		if err != nil {
			return "", misuse("", "reading %s_FILE: %w", apiKeyVariable, err)
		}
		key = string(content)
	}
	if key = strings.TrimSpace(key); key == "" {
		return "", misuse("`linkgate apikeys new` makes one; set "+apiKeyVariable+" or "+apiKeyVariable+"_FILE.", "there is no API key")
	}
	return key, nil
}

// apiFailure adds what to do about what the accounts API has answered.
func apiFailure(err error) error {
	if _, told := errors.AsType[*failure](err); told || err == nil {
		return err
	}
	f := &failure{code: exitFailure, err: err}
	if _, ok := errors.AsType[*client.UnreachableError](err); ok {
		f.code, f.remedy = exitUnanswered, "Look at "+addressVariable+" or --url, and whether the server runs there."
		return f
	}
	p, ok := errors.AsType[*client.Problem](err)
	if !ok {
		return f
	}
	f.err = errors.New(oneLine(p.Error()))
	switch p.Kind() {
	case "":
		f.remedy = "Look at " + addressVariable + " or --url: it is the PUBLIC_URL of the server."
	case client.Unauthorized:
		f.remedy = "`linkgate apikeys list` shows the keys of that server; " + apiKeyVariable + " has to hold one in force."
	case client.NotFound:
		f.remedy = "`linkgate accounts list` shows the ids; with --status unlinked, of those that are disconnected."
	case client.Unavailable, client.Timeout:
		f.code, f.remedy = exitUnanswered, "Try again; where the server runs, `linkgate check` tells what answers and what does not."
	}
	return f
}

// oneAccountID wants the id of one account.
func oneAccountID(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return misuse("`linkgate accounts list` shows the ids.", "%s wants the id of one account", cmd.CommandPath())
	}
	return nil
}
