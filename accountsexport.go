package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"linkgate/config"
	"linkgate/connect"
	"linkgate/database"
	"linkgate/linkedaccount"
	"linkgate/provider"
	"linkgate/secret"
)

// exportFlags are those of `linkgate accounts export`.
type exportFlags struct {
	user, connection string
	open, yes        bool
}

const exportHelp = `Writes all accounts with their credentials to FILE, or to the standard output, as JSON lines that ` + "`linkgate accounts import`" + `
takes. Each credential is sealed with the keyset of this server, for its user, connection and external account: another Linkgate
imports it if it has that keyset. With --open credentials are in the clear, for whoever has the file; it asks first, on a terminal,
or wants --yes. FILE is for its owner alone.

Accounts whose users must sign in again, and those that are being disconnected, are left out: there is nothing to take along.
What components use is not exported. A server that goes on serving refreshes tokens, and what was exported before may be worth
nothing then: stop it first if you move.

It reads the configuration as serve does, opens its database and keyset, and never migrates it.`

func newAccountsExport() *cobra.Command {
	var f exportFlags
	cmd := &cobra.Command{
		Use:   "export [FILE]",
		Short: "Write all accounts with their credentials to a file",
		Long:  exportHelp,
		Example: `  linkgate accounts export accounts.jsonl
  linkgate accounts import accounts.jsonl --request-profile=false --validate-scope=false     at the other one`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return misuse("Without one it writes to the standard output.", "%s wants one file at the most", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.open && !f.yes {
				cmd.PrintErrln("Whoever reads the export can act as every user at every service.")
				if err := confirm(cmd, "Write all credentials in the clear?", "all credentials would be written in the clear", yesIfWanted); err != nil {
					return err
				}
			}
			return withExporter(cmd, f, func(ctx context.Context, e *exporter) error { return e.toFile(ctx, cmd, args) })
		},
		DisableFlagsInUseLine: true,
	}
	flags := cmd.Flags()
	flags.StringVar(&f.user, "user", "", "only this user's, by the host's id")
	flags.StringVar(&f.connection, "connection", "", "only this connection's, by auth id")
	flags.BoolVar(&f.open, "open", false, "write credentials in the clear")
	flags.BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	return cmd
}

// exporter writes accounts. It holds a page of them at a time.
type exporter struct {
	accounts    *linkedaccount.Store
	connections map[string]provider.Connection
	flags       exportFlags
	show        *importDisplay

	written, leftOut, foreign int
}

func withExporter(cmd *cobra.Command, f exportFlags, fn func(context.Context, *exporter) error) error {
	return withDatabase(cmd, func(ctx context.Context, c config.Config, db *database.DB) error {
		if err := keysetIsThere(c); err != nil {
			return err
		}
		keyring, err := openKeyring(c, slog.New(slog.DiscardHandler))
		if err != nil {
			return err
		}
		e := &exporter{
			accounts: &linkedaccount.Store{DB: db, Keyring: keyring}, flags: f,
			connections: map[string]provider.Connection{}, show: newImportDisplay(cmd.ErrOrStderr(), -1),
		}
		for _, connection := range c.Connections {
			e.connections[connection.AuthID] = connection
		}
		return fn(ctx, e)
	})
}

// toFile writes to the file that is named, or the standard output, and says what it has written.
func (e *exporter) toFile(ctx context.Context, cmd *cobra.Command, args []string) error {
	if len(args) == 0 || args[0] == "-" {
		return e.finish(cmd, e.write(ctx, cmd.OutOrStdout()))
	}
	f, err := os.OpenFile(args[0], os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return misuse("Choose another name, or delete it.", "%s is there already", args[0])
	}
	if err != nil {
		return misuse("", "%w", err)
	}
	if err := errors.Join(e.write(ctx, f), f.Close()); err != nil {
		return errors.Join(e.finish(cmd, err), os.Remove(args[0]))
	}
	return e.finish(cmd, nil)
}

func (e *exporter) finish(cmd *cobra.Command, err error) error {
	e.show.close()
	if err != nil {
		return err
	}
	cmd.PrintErrf("%s exported", config.Count(e.written, "account"))
	if e.leftOut > 0 {
		cmd.PrintErrf(", %d left out whose users must sign in again", e.leftOut)
	}
	cmd.PrintErrln(".")
	if e.foreign > 0 {
		return &failure{code: exitFailure, err: fmt.Errorf("%s could not be exported", config.Count(e.foreign, "account")),
			remedy: "Each is named above. Their users can connect again."}
	}
	return nil
}

const exportPage = 200 // accounts

// write writes all accounts, page by page, and notes first in the audit trail that somebody does.
func (e *exporter) write(ctx context.Context, w io.Writer) error {
	how := "sealed"
	if e.flags.open {
		how = "in the clear"
	}
	if err := e.accounts.Audit(ctx, linkedaccount.Event{Name: "accounts.exported", HostUserID: e.flags.user, AuthID: e.flags.connection, Detail: how}); err != nil {
		return fmt.Errorf("noting the export in the audit trail: %w", err)
	}
	out := bufio.NewWriter(w)
	filter := linkedaccount.Filter{
		HostUserID: e.flags.user, AuthID: e.flags.connection, Limit: exportPage,
		Statuses: []linkedaccount.Status{linkedaccount.Linking, linkedaccount.Linked, linkedaccount.ReauthRequired},
	}
	for {
		page, err := e.accounts.List(ctx, filter)
		if err != nil {
			return err
		}
		for _, a := range page {
			if err := e.one(ctx, out, a); err != nil {
				return err
			}
		}
		if len(page) < exportPage {
			return out.Flush()
		}
		filter.After = page[len(page)-1].ID
	}
}

// one writes an account, if it has something to take along.
func (e *exporter) one(ctx context.Context, w io.Writer, a linkedaccount.Account) error {
	if a.Status == linkedaccount.ReauthRequired {
		e.leftOut++
		return nil
	}
	credential, err := e.accounts.Credential(ctx, a.ID)
	if errors.Is(err, linkedaccount.ErrNotFound) { // disconnected meanwhile
		return nil
	}
	if err != nil {
		return fmt.Errorf("opening the credential of %s: %w", a.ID, err)
	}
	line, err := e.line(a, credential)
	if errors.Is(err, provider.ErrNotPortable) || errors.Is(err, errNoConnection) {
		e.foreign++
		e.show.say(fmt.Sprintf("%s of %s, connection %s: %v", a.ID, oneLine(a.HostUserID), oneLine(a.AuthID), err))
		return nil
	}
	if err != nil {
		return err
	}
	e.written++
	e.show.advance(len(line), func() string { return fmt.Sprintf("%d exported", e.written) })
	_, err = w.Write(append(line, '\n'))
	return err
}

var errNoConnection = errors.New("connections.yaml has no such connection")

// exportLine is what POST /v1/accounts takes.
type exportLine struct {
	UserID      string          `json:"user_id"`
	AuthID      string          `json:"auth_id"`
	Credential  json.RawMessage `json:"credential"`
	Profile     exportProfile   `json:"profile"`
	DisplayName string          `json:"display_name,omitempty"`
	Metadata    json.RawMessage `json:"metadata,omitempty"`
}

type exportProfile struct {
	ExternalAccountID string `json:"external_account_id"`
	Name              string `json:"name,omitempty"`
	Issuer            string `json:"issuer,omitempty"`
}

func (e *exporter) line(a linkedaccount.Account, credential provider.Credential) ([]byte, error) {
	connection, ok := e.connections[a.AuthID]
	if !ok {
		return nil, errNoConnection
	}
	given, err := connection.GivenOf(credential)
	if err != nil {
		return nil, err
	}
	i := connect.Import{
		HostUserID: a.HostUserID, AuthID: a.AuthID, Profile: &connect.Profile{ExternalAccountID: a.Identity.Subject},
		Credential: connect.ImportCredential{
			AccessToken: given.AccessToken, RefreshToken: given.RefreshToken, TokenType: given.TokenType, ExpiresAt: given.ExpiresAt,
			Scopes: append([]string{}, a.Scopes...), Token: given.Token, TokenSecret: given.TokenSecret, Fields: given.Fields,
		},
	}
	line := exportLine{
		UserID: a.HostUserID, AuthID: a.AuthID, DisplayName: a.DisplayName, Metadata: a.Metadata,
		Profile: exportProfile{a.Identity.Subject, a.Identity.Name, a.Identity.Issuer},
	}
	if line.Credential, err = exported(i, e.accounts.Keyring, e.flags.open); err != nil {
		return nil, err
	}
	return json.Marshal(line)
}

// exported is the credential as it is written.
func exported(i connect.Import, k *secret.Keyring, open bool) (json.RawMessage, error) {
	if open {
		return i.Credential.Marshal()
	}
	sealed, err := i.Seal(k)
	if err != nil {
		return nil, err
	}
	return json.Marshal(struct {
		Sealed []byte `json:"sealed"`
	}{sealed})
}
