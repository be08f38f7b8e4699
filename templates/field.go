package templates

import (
	"slices"
	"strings"
)

// Field is something that the ticket page asks the user for.
type Field struct {
	Key     string // the input's name
	Label   string
	Help    string // may be empty
	Link    string // where the value is found; may be empty
	Example string // may be empty
	Secret  bool
	Value   string // what was typed before; of a secret it is never shown
	Mistake string // missing, malformed, rejected; empty: none
	Focus   bool   // the page opens there; of one field at most
}

const wordsLimit = 400 // runes of a help: whole sentences are longer than names

// Title is the label to show.
func (f Field) Title() string { return displayName(f.Label) }

// Words is the help to show.
func (f Field) Words() string { return displayText(f.Help, wordsLimit) }

// Sample is the example to show.
func (f Field) Sample() string { return displayName(f.Example) }

// Kind is the input's type.
func (f Field) Kind() string {
	if f.Secret {
		return "password"
	}
	return "text"
}

// Typed is what the input has in it. The check for a secret is here too, so that no caller's slip
// puts one on a page.
func (f Field) Typed() string {
	if f.Secret {
		return ""
	}
	return f.Value
}

// Autocomplete tells password managers what belongs here (HTML §4.10.18.7). A key is nothing that
// one should offer to keep in place of the password of this site.
func (f Field) Autocomplete() string {
	called := func(names ...string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return strings.Contains(f.Key, n) })
	}
	switch {
	case f.Secret && called("password", "passwd", "passphrase"):
		return "current-password"
	case !f.Secret && called("user", "login", "email"):
		return "username"
	}
	return "off"
}

// Message is the key of the sentence about the mistake.
func (f Field) Message() string {
	switch f.Mistake {
	case "missing", "rejected":
		return "ticket.mistake." + f.Mistake
	}
	return "ticket.mistake.malformed"
}

// ID is the input's id in the page.
func (f Field) ID() string { return "field-" + f.Key }

// Describes are the ids of what explains the input; the mistake is read first.
func (f Field) Describes() string {
	var ids []string
	for _, part := range []struct {
		there bool
		id    string
	}{{f.Mistake != "", "mistake-" + f.Key}, {f.Words() != "", "help-" + f.Key}} {
		if part.there {
			ids = append(ids, part.id)
		}
	}
	return strings.Join(ids, " ")
}
