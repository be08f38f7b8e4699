package host

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"linkgate/secret"
)

// Everything in this file is the host's to name: paths, JSON fields and envelope. The public
// documents describe the fields without printing every name, so a correction belongs here, and
// nothing elsewhere knows any of it.

// Paths, below Options.BaseURL.
func userPath(userID string) (string, error) { return join("v2", "users", userID) }

func accountsPath(userID string) (string, error) {
	return join("v2", "users", userID, "linked_accounts")
}

func accountPath(userID, id string) (string, error) {
	return join("v2", "users", userID, "linked_accounts", id)
}

// join escapes each segment, so that an id stays one segment whatever is in it. Empty, "." and
// ".." can't be escaped and would name another resource: no record can have such an id.
func join(segments ...string) (string, error) {
	var path strings.Builder
	for _, s := range segments {
		if s == "" || s == "." || s == ".." {
			return "", fmt.Errorf("id %q is no path segment: %w", s, ErrNotFound)
		}
		path.WriteString("/" + url.PathEscape(s))
	}
	return path.String(), nil
}

// Headers and codes.
const (
	headerIdempotencyKey = "Idempotency-Key"
	codeOK               = "OK"
	codeInvalidID        = "INVALID_ID" // ours: refused without asking
)

// envelope is around every answer. Its message is not even read.
type envelope struct {
	Code string          `json:"code"`
	Data json.RawMessage `json:"data"`
}

// open tells whether an answer is in the envelope, and what it says.
func open(answer []byte) (e envelope, ok bool) {
	err := json.Unmarshal(answer, &e)
	return e, err == nil && e.Code != ""
}

// maxCode is shorter than what a key or token that is all letters would be.
const maxCode = 48

// code is the envelope's code if it looks like one: words without digits. A stranger's text is not
// passed on, nor our own key or a token, should the host repeat it there.
func (e envelope) code() string {
	notCode := func(r rune) bool {
		return !(r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r == '_' || r == '-')
	}
	if len(e.Code) > maxCode || strings.ContainsFunc(e.Code, notCode) {
		return ""
	}
	return e.Code
}

type wireAccount struct {
	ID                string   `json:"id,omitempty"`
	AuthID            string   `json:"auth_id"`
	ExternalAccountID string   `json:"external_account_id"`
	Expiry            wireTime `json:"expiry,omitzero"`
	RefreshToken      string   `json:"refresh_token,omitempty"`
	RequiresReauth    bool     `json:"requires_reauth"`
	AccessToken       string   `json:"access_token,omitempty"`
	Extra             string   `json:"extra"`
}

// toWire is the body of an add or update; the record's id is in the path.
func toWire(a LinkedAccount) wireAccount {
	return wireAccount{
		AuthID:            a.AuthID,
		ExternalAccountID: a.ExternalAccountID,
		Expiry:            wireTime{a.Expiry},
		RefreshToken:      a.RefreshToken.Reveal(),
		RequiresReauth:    a.RequiresReauth,
		AccessToken:       a.AccessToken.Reveal(),
		Extra:             a.Extra,
	}
}

func (w *wireAccount) account() LinkedAccount {
	return LinkedAccount{
		ID:                w.ID,
		AuthID:            w.AuthID,
		ExternalAccountID: w.ExternalAccountID,
		Extra:             w.Extra,
		Expiry:            w.Expiry.Time,
		RequiresReauth:    w.RequiresReauth,
		AccessToken:       secret.New(w.AccessToken),
		RefreshToken:      secret.New(w.RefreshToken),
	}
}

func (w *wireAccount) hasID() bool { return w.ID != "" }

type wireAccounts []wireAccount

// valid wants a list (null is none: taken for an empty one, it would add an account again) whose
// every record can be named.
func (w *wireAccounts) valid() bool {
	for _, a := range *w {
		if !a.hasID() {
			return false
		}
	}
	return *w != nil
}

func (w *wireAccounts) accounts() []LinkedAccount {
	var all []LinkedAccount
	for _, a := range *w {
		all = append(all, a.account())
	}
	return all
}

type wireUser struct {
	ID          string `json:"id"`
	DisplayName string `json:"display_name"`
	FirstName   string `json:"first_name"`
	SecondName  string `json:"second_name"`
}

func (w *wireUser) name() string {
	if w.DisplayName != "" {
		return w.DisplayName
	}
	return strings.TrimSpace(w.FirstName + " " + w.SecondName)
}

// wireTime reads what is not a date-time as none: records from before Linkgate hold what their
// makers pleased, and one of them must not make a user's whole list unreadable.
type wireTime struct{ time.Time }

func (t *wireTime) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) == nil {
		t.Time = dateTime(s)
	}
	return nil
}

// dateTime is zero for what is none.
func dateTime(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}
	}
	return t
}
