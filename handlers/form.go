package handlers

import (
	"fmt"
	"mime"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"linkgate/connect"
	"linkgate/handlers/inbound"
	"linkgate/secret"
	"linkgate/templates"
)

const (
	urlEncoded = "application/x-www-form-urlencoded"
	valueLimit = 4 << 10 // bytes of a value that is shown again
)

// typed is what the user has typed on the ticket page, by field key. It is read out of the body
// alone: an address is kept in histories and logs. Which of it is asked for, connect knows. A field
// that comes twice is refused: which one counts would be anybody's guess.
func typed(r *http.Request) (map[string]secret.Text, error) {
	if sent := r.Header.Get("Content-Type"); sent != "" {
		if kind, _, err := mime.ParseMediaType(sent); err != nil || kind != urlEncoded {
			return nil, fmt.Errorf("the form's type: %w", inbound.ErrMalformed)
		}
	}
	if err := r.ParseForm(); err != nil {
		return nil, inbound.BodyError(err)
	}
	values := map[string]secret.Text{}
	for key, sent := range r.PostForm {
		if len(sent) > 1 {
			return nil, fmt.Errorf("a field comes twice: %w", inbound.ErrMalformed)
		}
		if key != "form_token" {
			values[key] = secret.New(sent[0])
		}
	}
	return values, nil
}

// ticketPage says who is about to connect what, and asks for what is needed.
func ticketPage(view connect.View, ticket, browser string) page {
	return page{Page: ticketOfView(view, ticket, browser), form: true, stays: view.Form}
}

// ticketPageAgain is the same page with what is wrong, and with what was typed but for the secrets.
func ticketPageAgain(mistaken *connect.FieldsError, ticket, browser string, values map[string]secret.Text) page {
	shown := ticketOfView(mistaken.View, ticket, browser)
	shown.Again = true
	for i := range shown.Fields {
		f := &shown.Fields[i]
		f.Mistake = string(mistaken.Mistakes[f.Key])
		if !f.Secret {
			f.Value = keepable(values[f.Key].Reveal())
		}
	}
	return page{Page: shown, form: true, stays: mistaken.View.Form}
}

func ticketOfView(view connect.View, ticket, browser string) templates.Ticket {
	return templates.Ticket{
		ServiceName: view.ServiceName,
		UserName:    view.HostUserName,
		UserID:      view.HostUserID,
		Scopes:      view.Scopes,
		Fields:      fieldsOf(view),
		Form:        view.Form,
		Shared:      view.Shared,
		Action:      ticketPath(ticket),
		CodeAction:  codeAction(view, ticket),
		FormToken:   formToken(browser),
	}
}

// codeAction is where the button posts to that asks for a code; empty: there is none.
func codeAction(view connect.View, ticket string) string {
	if !view.ByCode {
		return ""
	}
	return codePath(ticket)
}

func fieldsOf(view connect.View) []templates.Field {
	var fields []templates.Field
	for _, f := range view.Fields {
		fields = append(fields, templates.Field{
			Key: f.Key, Label: f.Label, Help: f.Help, Link: f.Link, Example: f.Example, Secret: f.Secret,
		})
	}
	return fields
}

// keepable is a value that a page can give back as it was typed; what no user types there is not
// given back at all.
func keepable(value string) string {
	if len(value) > valueLimit || !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl) {
		return ""
	}
	return value
}
