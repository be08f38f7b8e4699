package provider

import (
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"linkgate/secret"
)

// What is wrong with a value that a user has typed.
var (
	ErrFieldMissing   = errors.New("nothing is typed")
	ErrFieldMalformed = errors.New("it can't be right")
)

const maxFieldValue = 4 << 10 // bytes; keys that are JSON documents have two to three thousand

// CheckFields looks at what a user has typed, by field key, as far as that can be done without
// asking the service. What was typed with blanks around it is taken without them. The mistakes are
// ErrFieldMissing or ErrFieldMalformed, by field key.
func (c Connection) CheckFields(typed map[string]secret.Text) (values map[string]secret.Text, mistakes map[string]error) {
	values, mistakes = map[string]secret.Text{}, map[string]error{}
	for _, f := range c.Fields {
		value := strings.TrimSpace(typed[f.Key].Reveal())
		if f.Secret {
			value = typed[f.Key].Reveal() // a password may have blanks at its ends
		}
		switch {
		case value == "":
			mistakes[f.Key] = ErrFieldMissing
		case !c.fits(f, value):
			mistakes[f.Key] = ErrFieldMalformed
		default:
			values[f.Key] = secret.New(value)
		}
	}
	return values, mistakes
}

func (c Connection) fits(f Field, value string) bool {
	if len(value) > maxFieldValue || !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl) {
		return false
	}
	if f.Pattern != "" {
		pattern, err := regexp.Compile(`\A(?:` + f.Pattern + `)\z`)
		if err != nil || !pattern.MatchString(value) {
			return false
		}
	}
	if c.inHeaders(f.Key) && !IsHeaderValue(value) {
		return false
	}
	return !slices.ContainsFunc(c.templates(), func(template *string) bool {
		return strings.Contains(*template, "{"+f.Key+"}") && !fitsURL(*template, f.Key, value)
	})
}

// asked are the fields whose values stand in URLs, or in headers of calls. They are kept with the account.
func (c Connection) asked() []string {
	var keys []string
	for _, f := range c.Fields {
		used := slices.ContainsFunc(c.templates(), func(template *string) bool { return strings.Contains(*template, "{"+f.Key+"}") })
		if (used || c.inHeaders(f.Key)) && !f.Secret {
			keys = append(keys, f.Key)
		}
	}
	return keys
}

// Settings picks what is kept with the account out of what a user has typed.
func (c Connection) Settings(values map[string]secret.Text) map[string]string {
	var settings map[string]string
	for _, key := range c.asked() {
		if settings == nil {
			settings = map[string]string{}
		}
		settings[key] = values[key].Reveal()
	}
	return settings
}

// secretField is the key of the first field that is a secret; empty: there is none.
func (c Connection) secretField() string {
	for _, f := range c.Fields {
		if f.Secret {
			return f.Key
		}
	}
	return ""
}

// fieldProblems are those of what the user is to be asked.
func (c Connection) fieldProblems() []Problem {
	var problems []Problem
	seen := map[string]bool{}
	for i, f := range c.Fields {
		at := "fields." + strconv.Itoa(i)
		add := func(key, text, remedy string) { problems = append(problems, Problem{at + key, text, remedy}) }
		switch {
		case !settingName.MatchString(f.Key):
			add(".key", shown(f.Key)+" can't be a field's key", "use small letters, digits and _, beginning with a letter")
		case f.Key == subjectPlaceholder || c.Identity.Settings[f.Key] != "":
			add(".key", "is the name of something that the identity tells", "choose another key")
		case f.Key == "refresh_token" || f.Key == "form_token":
			add(".key", "means something else", "choose another key")
		case seen[f.Key]:
			add(".key", "is there twice", "give each field a key of its own")
		}
		seen[f.Key] = true
		if f.Label == "" {
			add(".label", "is missing", "write what the service calls it, such as API key")
		}
		if _, err := regexp.Compile(f.Pattern); err != nil {
			add(".pattern", "is no regular expression", "write it as RE2 has it; it must match the whole value")
		}
		if f.Link != "" {
			problems = append(problems, urlProblem(at+".link", f.Link, optional)...)
		}
		if f.Example != "" && !f.Secret && !c.fits(f, f.Example) {
			add(".example", "does not fit the field itself", "mend the pattern or the example")
		}
	}
	return problems
}
