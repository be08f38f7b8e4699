package main

import (
	"fmt"
	"io"

	"linkgate/config"
	"linkgate/connect"
)

// difference is one in the list.
type difference struct {
	Kind            string `json:"kind"`
	UserID          string `json:"user_id"`
	AuthID          string `json:"auth_id"`
	ServiceName     string `json:"service_name"` // empty: the connection is not configured any more
	Side            string `json:"side"`         // who has it: "linkgate", "host" or "both"
	AccountID       string `json:"account_id,omitempty"`
	LinkedAccountID string `json:"linked_account_id,omitempty"` // the host's id of its record
	Detail          string `json:"detail"`
	Fix             string `json:"fix"` // what --fix does: "add", "update" or "delete" at the host, or "none"
	Repaired        bool   `json:"repaired"`

	outcome string // in words
}

// listed words the differences. tried: those that can be were to be repaired.
func (r *reconciliation) listed(found []connect.Difference, tried bool) []difference {
	list := make([]difference, 0, len(found))
	for _, d := range found {
		line := difference{
			Kind: string(d.Kind), UserID: d.HostUserID, AuthID: d.AuthID, Side: sideOf(d), AccountID: d.AccountID, LinkedAccountID: d.HostID,
			Detail: d.Detail, Fix: fixOf(d), Repaired: d.Repaired, outcome: outcomeWords(d, tried),
		}
		if p, ours := r.service.Connections[d.AuthID]; ours {
			line.ServiceName = p.Connection.Name
		}
		list = append(list, line)
	}
	return list
}

// sideOf says who has what differs.
func sideOf(d connect.Difference) string {
	switch {
	case d.AccountID == "":
		return "host"
	case d.Kind == connect.OutOfStep:
		return "both"
	}
	return "linkgate"
}

func fixOf(d connect.Difference) string {
	switch d.Kind {
	case connect.MissingAtHost:
		return "add"
	case connect.OutOfStep:
		return "update"
	case connect.UnknownHere:
		return "delete"
	}
	return "none"
}

// outcomeWords says what has been done about it, or what --fix would do.
func outcomeWords(d connect.Difference, tried bool) string {
	fix := fixOf(d)
	switch {
	case d.Repaired && fix == "delete":
		return "deleted at the host"
	case d.Repaired:
		return fix + " at the host: promised"
	case d.Kind == connect.InFlux:
		return "nothing: it has changed meanwhile"
	case fix == "none" || tried:
		return "nothing"
	}
	return fix + " at the host"
}

// writeDifferences prints a table for people, and nothing where nothing differs.
func writeDifferences(w io.Writer, list []difference) error {
	if len(list) == 0 {
		return nil
	}
	err := writeTable(w, list, "", "USER\tSERVICE\tAT\tACCOUNT OR RECORD\tDIFFERENCE\t--FIX", func(d difference) []any {
		service, id := d.ServiceName, d.AccountID
		if service == "" {
			service = d.AuthID
		}
		if id == "" {
			id = d.LinkedAccountID
		}
		return []any{oneLine(d.UserID), oneLine(service), d.Side, oneLine(id), d.Detail, d.outcome}
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(w)
	return nil
}

// summaryWords are the last line.
func summaryWords(s connect.Summary) string {
	words := fmt.Sprintf("Compared %s of %s: ", config.Count(s.Accounts, "account"), config.Count(s.Users, "user"))
	switch {
	case s.Differences == 0:
		words += "nothing differs."
	case s.Repaired == 0:
		words += config.Count(s.Differences, "difference") + "."
	default:
		words += fmt.Sprintf("%s, %d repaired.", config.Count(s.Differences, "difference"), s.Repaired)
	}
	if s.Pending > 0 {
		words += fmt.Sprintf(" Left alone, since something is owed about them: %d (`linkgate outbox list`).", s.Pending)
	}
	return words
}
