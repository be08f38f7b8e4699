package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"linkgate/config"
	"linkgate/database"
	"linkgate/linkedaccount"
	"linkgate/oauthstate"
	"linkgate/provider"
	"linkgate/registration"
)

const clientsHelp = `A connection with ` + "`registration`" + ` in place of client_id and client_secret registers its own client at its
service (RFC 7591 and RFC 7592, or MixApp's dialect): once, whatever the number of replicas. Linkgate keeps it sealed in
its database, renews its secret before that expires, and tells the service when PUBLIC_URL changes.

These commands may be used beside a running server, which takes over what they change within a second. They read the
configuration as serve does, open its database, and never migrate it. No secret is shown.`

func newClientsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "clients",
		Short:   "See, renew and delete the clients that connections have registered",
		Long:    clientsHelp,
		Example: "  linkgate clients list\n  linkgate clients rotate 7f3c",
		GroupID: groupRun,
		Args:    knownCommand,
		RunE:    showHelp,

		DisableFlagsInUseLine:      true,
		SuggestionsMinimumDistance: suggestionDistance,
	}
	cmd.AddCommand(newClientsList(), newClientsShow(), newClientsRegister(), newClientsRotate(), newClientsDelete())
	return cmd
}

func newClientsList() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the connections that register themselves, and their clients",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withClients(cmd, func(ctx context.Context, m *registration.Manager) error {
				all, err := m.List(ctx)
				if err != nil {
					return err
				}
				if asJSON {
					return writeJSON(cmd.OutOrStdout(), registeredClients(all))
				}
				return writeClients(cmd.OutOrStdout(), all)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print them as JSON")
	return cmd
}

func newClientsShow() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show AUTH_ID",
		Short: "Show one client, without its secrets",
		Args:  oneAuthID,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withClients(cmd, func(ctx context.Context, m *registration.Manager) error {
				one, err := m.Show(ctx, args[0])
				if err != nil {
					return err
				}
				if asJSON {
					return writeJSON(cmd.OutOrStdout(), registeredClients([]registration.Registration{one})[0])
				}
				return writeClient(cmd.OutOrStdout(), one)
			})
		},
		DisableFlagsInUseLine: true,
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print it as JSON")
	return cmd
}

func newClientsRegister() *cobra.Command {
	return &cobra.Command{
		Use:   "register AUTH_ID",
		Short: "Register a client where there is none, or bring one up to date",
		Long: `Registers the connection's client now, also one that was deleted. A client that is there stays; the service is told
of what has changed in the configuration. A server does this by itself when it starts.`,
		Args: oneAuthID,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withClients(cmd, func(ctx context.Context, m *registration.Manager) error {
				one, err := m.Register(ctx, args[0])
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s is registered as %s\n", args[0], oneLine(one.ClientID))
				return nil
			})
		},
		DisableFlagsInUseLine: true,
	}
}

func newClientsRotate() *cobra.Command {
	return &cobra.Command{
		Use:   "rotate AUTH_ID",
		Short: "Have the service make a new secret",
		Long: `Has the service make a new secret for the client, saves it, and has every replica use it. A server does this by
itself after two thirds of a secret's life. With RFC 7592 it is the service that decides whether there is a new one.`,
		Args: oneAuthID,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withClients(cmd, func(ctx context.Context, m *registration.Manager) error {
				one, err := m.Rotate(ctx, args[0])
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s has a new secret, which expires %s\n", oneLine(one.ClientID), expiryWords(one.SecretExpiresAt))
				return nil
			})
		},
		DisableFlagsInUseLine: true,
	}
}

func newClientsDelete() *cobra.Command {
	var yes, forget bool
	cmd := &cobra.Command{
		Use:   "delete AUTH_ID",
		Short: "Delete a client at its service, and then here",
		Long: `Deletes the connection's client at its service, and then here. Accounts that were connected through it can't be
refreshed or revoked any more: disconnect them first if that matters. No server registers another client until
` + "`linkgate clients register`" + ` does; then take the connection out of connections.yaml, or leave it.

It asks first, on a terminal, or wants --yes.`,
		Example: "  linkgate clients delete 7f3c --yes\n  linkgate clients delete 7f3c --forget     the service has no such client any more, or can't delete it",
		Args:    oneAuthID,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withClients(cmd, func(ctx context.Context, m *registration.Manager) error {
				return deleteClient(ctx, cmd, m, args[0], yes, forget)
			})
		},
		DisableFlagsInUseLine: true,
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	cmd.Flags().BoolVar(&forget, "forget", false, "delete it here alone, and do not ask the service")
	return cmd
}

func deleteClient(ctx context.Context, cmd *cobra.Command, m *registration.Manager, authID string, yes, forget bool) error {
	one, err := m.Show(ctx, authID)
	if err != nil {
		return err
	}
	if one.ClientID == "" {
		return fmt.Errorf("%q: %w", authID, registration.ErrNoClient)
	}
	if !yes {
		question := fmt.Sprintf("Delete the client %s of %s? Accounts connected through it can't be refreshed any more.", oneLine(one.ClientID), oneLine(one.Name))
		if err := confirm(cmd, question, fmt.Sprintf("the client of %q would be deleted", authID), yesIfWanted); err != nil {
			return err
		}
	}
	if err := m.Delete(ctx, authID, forget); err != nil {
		return err
	}
	where := "at the service and here"
	if forget {
		where = "here alone"
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s is deleted, %s\n", oneLine(one.ClientID), where)
	return nil
}

func oneAuthID(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return misuse("`linkgate clients list` shows the auth ids.", "%s wants one auth id", cmd.CommandPath())
	}
	return nil
}

// withClients opens the configured stores as they are, and has fn work on the clients kept there.
// Without REDIS_URL the server's Redis is out of reach: claims in the database do, and the server
// looks there every second.
func withClients(cmd *cobra.Command, fn func(context.Context, *registration.Manager) error) error {
	return withDatabase(cmd, func(ctx context.Context, c config.Config, db *database.DB) error {
		if err := keysetIsThere(c); err != nil {
			return err
		}
		log := slog.New(slog.DiscardHandler) // what goes wrong is said once, by the command
		keyring, err := openKeyring(c, log)
		if err != nil {
			return err
		}
		var shared redis.UniversalClient
		if !c.RedisURL.IsZero() {
			client, err := oauthstate.Dial(c.RedisURL)
			if err != nil {
				return err
			}
			defer client.Close()
			shared = client
		}
		return clientsFailure(fn(ctx, newClients(c, &linkedaccount.Store{DB: db, Keyring: keyring}, shared, log)))
	})
}

// keysetIsThere keeps a command from making a keyset where the server's is missing.
func keysetIsThere(c config.Config) error {
	if !c.EncryptionKeyset.IsZero() {
		return nil
	}
	if _, err := os.Stat(filepath.Join(c.DataDir, keysetFile)); errors.Is(err, fs.ErrNotExist) {
		return &failure{code: exitFailure, err: errors.New("there is no keyset in DATA_DIR, and ENCRYPTION_KEYSET is not set"),
			remedy: "Give this command the environment of the server."}
	}
	return nil
}

// clientsFailure adds what to do about it.
func clientsFailure(err error) error {
	if _, told := errors.AsType[*failure](err); told || err == nil {
		return err
	}
	f := &failure{code: exitFailure, err: err}
	known, isKnown := errors.AsType[*registration.Error](err)
	switch {
	case database.IsUnavailable(err):
		return databaseFailure(err)
	case errors.Is(err, registration.ErrNoRegistration):
		f.code, f.remedy = exitUsage, "`linkgate clients list` shows those that do; `registration` in connections.yaml makes one do so."
	case errors.Is(err, registration.ErrNoClient):
		f.remedy = "`linkgate clients register` registers one."
	case isKnown:
		f.err, f.remedy = known.Cause, known.Remedy
	}
	if errors.Is(err, provider.ErrUnavailable) {
		f.code = exitUnanswered
		if f.remedy == "" {
			f.remedy = "Try again; `linkgate check` tells what answers and what does not."
		}
	}
	return f
}
