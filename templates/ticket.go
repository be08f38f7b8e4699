package templates

import (
	"slices"

	"github.com/a-h/templ"
)

// Ticket is the page that is shown before anything is granted: who connects what. It is the only
// thing between a forwarded address and somebody else's account, so it names the host user and
// warns (cross-user session fixation, see SECURITY in the README).
type Ticket struct {
	ServiceName string
	UserName    string // may be empty; users may choose theirs, so it proves nothing by itself
	UserID      string // shown as well, below the name
	Scopes      []string
	Fields      []Field // what the user is asked for
	Form        bool    // what is typed is the credential, or brings one; else the user goes on to the service
	Shared      bool    // the account is the company's: nobody signs in, and all act with the app's own access
	Again       bool    // what was typed before was not taken
	Action      string  // path that the button posts to
	CodeAction  string  // path that the button for a sign-in by code posts to; empty: there is none
	FormToken   string  // sent along with it
}

func (t Ticket) in(v view) (templ.Component, error) {
	service, err := v.service(t.Service())
	if err != nil {
		return nil, err
	}
	title, err := t.title(v.Locale, service)
	return t.markup(v, title, service), err
}

// title begins with the mistake, if there is one: of a page that comes again it is read first.
func (t Ticket) title(l Locale, service string) (string, error) {
	title, err := l.Plain("ticket.title", "service", service)
	if err != nil || !t.Again {
		return title, err
	}
	again, err := l.Plain("ticket.again.heading")
	return again + " · " + title, err
}

// Service is the name to show.
func (t Ticket) Service() string { return displayName(t.ServiceName) }

// User is the name to show; empty when there is none.
func (t Ticket) User() string { return displayName(t.UserName) }

// ID is the id to show.
func (t Ticket) ID() string { return displayName(t.UserID) }

// ServiceInitial is the letter on the service's tile.
func (t Ticket) ServiceInitial() string { return initial(t.Service()) }

// UserInitial is the letter on the user's tile.
func (t Ticket) UserInitial() string {
	if t.User() == "" {
		return initial(t.ID())
	}
	return initial(t.User())
}

// ScopeList is the scopes to show.
func (t Ticket) ScopeList() []string { return displayNames(t.Scopes) }

// Inputs is the fields to show. After a mistake the page opens at the first, which needs no script.
func (t Ticket) Inputs() []Field {
	inputs := slices.Clone(t.Fields)
	if !t.Again || len(inputs) == 0 {
		return inputs
	}
	first := slices.IndexFunc(inputs, func(f Field) bool { return f.Mistake != "" })
	inputs[max(first, 0)].Focus = true
	return inputs
}

// Mistaken is the fields that have a mistake.
func (t Ticket) Mistaken() []Field {
	return slices.DeleteFunc(slices.Clone(t.Fields), func(f Field) bool { return f.Mistake == "" })
}

// Emptied tells whether there was a secret, which has to be typed once more.
func (t Ticket) Emptied() bool {
	return slices.ContainsFunc(t.Fields, func(f Field) bool { return f.Secret })
}

// Button is the key of the button's word.
func (t Ticket) Button() string {
	if t.Form {
		return "ticket.connect"
	}
	return "ticket.continue"
}

// Lead is the key of the sentence that says what is linked.
func (t Ticket) Lead() string { return t.worded("ticket.lead") }

// Danger is the key of what the warning ends with.
func (t Ticket) Danger() string { return t.worded("ticket.danger") }

// Promise is the key of what is said of what happens here.
func (t Ticket) Promise() string { return t.worded("ticket.form") }

// worded is a key, or that of the same for an account that is nobody's own.
func (t Ticket) worded(key string) string {
	if t.Shared {
		return key + ".shared"
	}
	return key
}
