package main

import (
	"fmt"
	"io"
	"time"

	"linkgate/registration"
)

// registeredClient is a registration in JSON. Times are absent when there are none.
type registeredClient struct {
	AuthID          string    `json:"auth_id"`
	Name            string    `json:"name"`
	Dialect         string    `json:"dialect"`
	State           string    `json:"state"`
	ClientID        string    `json:"client_id,omitempty"`
	RedirectURI     string    `json:"redirect_uri,omitempty"`
	SecretIssuedAt  time.Time `json:"secret_issued_at,omitzero"`
	SecretExpiresAt time.Time `json:"secret_expires_at,omitzero"`
	Managed         bool      `json:"managed"`
}

func registeredClients(all []registration.Registration) []registeredClient {
	list := make([]registeredClient, 0, len(all))
	for _, r := range all {
		list = append(list, registeredClient{
			AuthID: r.AuthID, Name: r.Name, Dialect: r.Dialect, State: clientState(r), ClientID: r.ClientID, RedirectURI: r.RedirectURI,
			SecretIssuedAt: r.IssuedAt, SecretExpiresAt: r.SecretExpiresAt, Managed: r.Managed,
		})
	}
	return list
}

// clientState says in a word what is so.
func clientState(r registration.Registration) string {
	switch {
	case r.Removed:
		return "deleted"
	case r.ClientID == "":
		return "none yet"
	case r.Outdated:
		return "outdated"
	}
	return "registered"
}

func expiryWords(at time.Time) string {
	if at.IsZero() {
		return "never"
	}
	return at.Format(time.RFC3339)
}

func writeClients(w io.Writer, all []registration.Registration) error {
	const none = "No connection registers itself: each has its client_id in connections.yaml."
	return writeTable(w, all, none, "AUTH ID\tNAME\tSTATE\tCLIENT ID\tSECRET EXPIRES", func(r registration.Registration) []any {
		id, expires := "-", "-"
		if r.ClientID != "" {
			id, expires = oneLine(r.ClientID), expiryWords(r.SecretExpiresAt)
		}
		return []any{r.AuthID, oneLine(r.Name), clientState(r), id, expires}
	})
}

func writeClient(w io.Writer, r registration.Registration) error {
	table := newTable(w)
	fmt.Fprintf(table, "auth id\t%s\nname\t%s\ndialect\t%s\nstate\t%s\n", r.AuthID, oneLine(r.Name), r.Dialect, clientState(r))
	if r.ClientID != "" {
		managed := "yes"
		if !r.Managed {
			managed = "no: the service gave no address for it (RFC 7592)"
		}
		fmt.Fprintf(table, "client id\t%s\nredirect URI\t%s\nsecret since\t%s\nsecret expires\t%s\ncan be managed\t%s\n",
			oneLine(r.ClientID), oneLine(r.RedirectURI), r.IssuedAt.Format(time.RFC3339), expiryWords(r.SecretExpiresAt), managed)
	}
	return flushed(table)
}
