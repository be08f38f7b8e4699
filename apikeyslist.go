package main

import (
	"io"
	"time"

	"linkgate/apikey"
)

// listedKey is a key in JSON. Times are null when there are none.
type listedKey struct {
	ID         string         `json:"id"`
	Name       string         `json:"name"`
	Scopes     []apikey.Scope `json:"scopes"`
	CreatedAt  *time.Time     `json:"created_at"`
	LastUsedAt *time.Time     `json:"last_used_at"`
	RevokedAt  *time.Time     `json:"revoked_at"`
}

func listedKeys(all []apikey.Key) []listedKey {
	list := make([]listedKey, 0, len(all))
	for _, k := range all {
		list = append(list, listedKey{
			ID: k.ID, Name: k.Name, Scopes: k.Scopes,
			CreatedAt: orNull(k.CreatedAt), LastUsedAt: orNull(k.LastUsedAt), RevokedAt: orNull(k.RevokedAt),
		})
	}
	return list
}

func orNull(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return &at
}

func orNever(at time.Time) string {
	if at.IsZero() {
		return "never"
	}
	return span(time.Since(at)) + " ago"
}

func writeAPIKeys(w io.Writer, all []apikey.Key) error {
	const none = "There are no API keys: `linkgate apikeys new` makes one."
	return writeTable(w, all, none, "ID\tNAME\tSTATE\tMADE\tLAST USED\tSCOPES", func(k apikey.Key) []any {
		state, made, used := "in force", orNever(k.CreatedAt), orNever(k.LastUsedAt)
		switch {
		case k.InEnvironment():
			made, used = "-", "-"
		case !k.RevokedAt.IsZero():
			state = "revoked"
		}
		return []any{k.ID, oneLine(k.Name), state, made, used, apikey.Words(k.Scopes, " ")}
	})
}
