package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"

	"linkgate/event"
	"linkgate/linkedaccount"
	"linkgate/outbox"
)

// promise is a message in JSON. Times are absent when they are not known or never were.
type promise struct {
	ID           string    `json:"id"`
	Kind         string    `json:"kind"`
	AccountID    string    `json:"account_id"`
	Attempts     int       `json:"attempts"`
	CreatedAt    time.Time `json:"created_at"`
	DueAt        time.Time `json:"due_at"`
	FailingSince time.Time `json:"failing_since,omitzero"`
	DeadAt       time.Time `json:"dead_at,omitzero"`
	LastError    string    `json:"last_error,omitempty"`
}

func promises(messages []outbox.Message) []promise {
	list := make([]promise, 0, len(messages))
	for _, m := range messages {
		list = append(list, promise{
			ID: m.ID, Kind: m.Kind, AccountID: m.AccountID, Attempts: m.Attempts, CreatedAt: m.CreatedAt,
			DueAt: m.DueAt, FailingSince: m.FailingSince, DeadAt: m.DeadAt, LastError: m.LastError,
		})
	}
	return list
}

const noDeadLetters = "There are no dead letters."

// writeOwed prints a table for people, or says that there is nothing to print.
func writeOwed(w io.Writer, owed []outbox.Message, onlyDead bool) error {
	none := "Nothing is owed: every promise to the host and to services is kept."
	if onlyDead {
		none = noDeadLetters
	}
	now := time.Now()
	err := writeTable(w, owed, none, "ID\tOWED\tSINCE\tTRIES\tNEXT\tLAST ERROR", func(m outbox.Message) []any {
		return []any{m.ID, owedWords(m.Kind), span(now.Sub(m.CreatedAt)) + " ago", m.Attempts, nextTry(m, now), oneLine(m.LastError)}
	})
	if err != nil {
		return err
	}
	if slices.ContainsFunc(owed, isDeadLetter) {
		fmt.Fprintln(w, "\nNobody tries the dead ones any more. Once their error is mended: `linkgate outbox retry --all-dead`.")
	}
	return nil
}

func isDeadLetter(m outbox.Message) bool { return !m.DeadAt.IsZero() }

// owedWords says what a kind of message promises.
func owedWords(kind string) string {
	switch kind {
	case linkedaccount.HostAdd:
		return "add at the host"
	case linkedaccount.HostUpdate:
		return "update at the host"
	case linkedaccount.HostDelete:
		return "delete at the host"
	case linkedaccount.Revoke:
		return "revoke at the service"
	case event.Kind:
		return "tell your back end"
	}
	return oneLine(kind) // another version's
}

func nextTry(m outbox.Message, now time.Time) string {
	switch {
	case isDeadLetter(m):
		return "dead"
	case !m.DueAt.After(now):
		return "now"
	}
	return "in " + span(m.DueAt.Sub(now))
}

// span is a duration in its largest unit.
func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(max(d, 0).Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

// oneLine makes what another system said fit to be shown at a terminal, which it must not control.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
}
