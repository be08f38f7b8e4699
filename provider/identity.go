package provider

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxSubject = 255 // bytes; OIDC Core §2
	maxName    = 200 // runes
)

// IdentityInToken in place of identity.url: the token answer itself says who the account is, and the
// service can't be asked later.
const IdentityInToken = "token"

// identifiedByToken: see IdentityInToken.
func (c Connection) identifiedByToken() bool { return c.Identity.URL == IdentityInToken }

// document is a JSON value whose numbers keep all their digits.
type document struct{ value any }

// UnmarshalJSON implements json.Unmarshaler.
func (d *document) UnmarshalJSON(data []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber() // a float64 would make neighbours of two large ids the same account
	return decoder.Decode(&d.value)
}

// at follows a path of names and indexes; nil when it leads nowhere.
func (d document) at(path string) any {
	value := d.value
	for step := range strings.SplitSeq(path, ".") {
		switch container := value.(type) {
		case map[string]any:
			value = container[step]
		case []any:
			index, err := strconv.ParseUint(step, 10, 31)
			if err != nil || int(index) >= len(container) {
				return nil
			}
			value = container[index]
		default:
			return nil
		}
	}
	return value
}

// text reads a string, or a whole number in digits; others can be written in several ways.
func (d document) text(path string) (string, bool) {
	switch value := d.at(path).(type) {
	case string:
		return value, true
	case json.Number:
		digits := strings.TrimPrefix(value.String(), "-")
		return value.String(), strings.Trim(digits, "0123456789") == ""
	}
	return "", false
}

// subject reads an account's id. What can't be told from another (empty, blanks at its ends, control
// characters) is no id.
func (d document) subject(path string) (string, bool) {
	text, ok := d.text(path)
	return text, ok && isSubject(text)
}

func isSubject(s string) bool {
	if s == "" || len(s) > maxSubject || s != strings.TrimSpace(s) || !utf8.ValidString(s) {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == utf8.RuneError })
}

// name reads what to call an account, made fit to be shown: one line, bounded. The first path that
// leads to something wins; there may be nothing.
func (d document) name(paths ...string) string {
	for _, path := range paths {
		text, _ := d.at(path).(string)
		text = strings.Map(visible, text)
		text = strings.Join(strings.Fields(text), " ")
		if runes := []rune(text); len(runes) > maxName {
			text = strings.TrimSpace(string(runes[:maxName]))
		}
		if text != "" {
			return text
		}
	}
	return ""
}

// visible drops what has no shape of its own, such as the characters that turn the rest of a line
// around. The two joiners stay: names in Persian and Hindi need them.
func visible(r rune) rune {
	const nonJoiner, joiner = '\u200c', '\u200d'
	switch {
	case unicode.IsSpace(r):
		return ' '
	case unicode.IsGraphic(r), r == nonJoiner, r == joiner:
		return r
	}
	return -1
}

// identityOf is whom a profile is of, without settings.
func (c Connection) identityOf(profile document, issuer string) (Identity, error) {
	subject, ok := profile.subject(c.Identity.ID)
	if !ok {
		return Identity{}, &Error{Op: opIdentify, Kind: ErrNotVerified, Code: "no usable id at identity.id"}
	}
	identity := Identity{Issuer: issuer, Subject: subject}
	if c.Identity.Name != "" {
		identity.Name = profile.name(c.Identity.Name)
	}
	return identity, nil
}

// bodyProblems are those of identity.body, which only oauth2 and what is typed have a use for.
func (c Connection) bodyProblems() []Problem {
	const key = "identity.body"
	switch protocol := c.protocol(); {
	case c.Identity.Body == "":
		return nil
	case protocol == "oidc", protocol == "oauth1":
		return []Problem{{key, "is not used by this protocol", "leave it out"}}
	case c.Identity.URL == "", c.identifiedByToken():
		return []Problem{{key, "has no address to go to", "set identity.url, or leave it out"}}
	case !json.Valid([]byte(c.Identity.Body)):
		return []Problem{{key, "is no JSON document", `write it in single quotes, such as '{"query": "{me {id name}}"}'`}}
	}
	return nil
}
