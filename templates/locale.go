package templates

import (
	"encoding/json"
	"fmt"
	"html"
	"strings"

	"golang.org/x/text/language"
)

// Locale is a language that pages can be written in.
type Locale struct {
	tag      language.Tag
	rtl      bool
	messages map[string]string
}

// languages are what messages/ has. The first is for everybody whose language is not among them.
func languages() []string { return []string{"en", "de", "fr", "es", "ar"} }

func readLocales() ([]Locale, error) {
	var locales []Locale
	for _, name := range languages() {
		raw, err := files.ReadFile("messages/" + name + ".json")
		if err != nil {
			return nil, fmt.Errorf("reading messages: %w", err)
		}
		l := Locale{tag: language.Make(name), rtl: name == "ar"}
		if err := json.Unmarshal(raw, &l.messages); err != nil {
			return nil, fmt.Errorf("reading messages of %s: %w", name, err)
		}
		locales = append(locales, l)
	}
	return locales, nil
}

func newMatcher(locales []Locale) language.Matcher {
	var tags []language.Tag
	for _, l := range locales {
		tags = append(tags, l.tag)
	}
	return language.NewMatcher(tags)
}

// acceptLanguageLimit bounds what is parsed: an honest header is far shorter.
const acceptLanguageLimit = 512

// Locale picks the language that suits an Accept-Language header (RFC 9110 §12.5.4) best; English
// when none does or the header makes no sense.
func (p *Pages) Locale(acceptLanguage string) Locale {
	if acceptLanguage == "" || len(acceptLanguage) > acceptLanguageLimit {
		return p.locales[0]
	}
	_, index := language.MatchStrings(p.matcher, acceptLanguage)
	return p.locales[index]
}

// Lang is the value of the lang attribute.
func (l Locale) Lang() string { return l.tag.String() }

// Dir is the value of the dir attribute.
func (l Locale) Dir() string {
	if l.rtl {
		return "rtl"
	}
	return "ltr"
}

// HTML is markup that is safe to put into a page as it is; only Locale.T makes it.
type HTML string

// T is the message as HTML. pairs are names and values of its placeholders; a value is escaped and
// put into <bdi>, so that a name in another script does not turn the sentence around.
func (l Locale) T(key string, pairs ...string) (HTML, error) {
	s, err := l.fill(key, "<bdi>", "</bdi>", html.EscapeString, pairs)
	return HTML(s), err
}

// Plain is the message as text, for places that take no markup. Values are isolated by the
// characters that do there what <bdi> does in HTML (FSI and PDI, UAX #9).
func (l Locale) Plain(key string, pairs ...string) (string, error) {
	return l.fill(key, "\u2068", "\u2069", func(s string) string { return s }, pairs)
}

func (l Locale) fill(key, open, closing string, escape func(string) string, pairs []string) (string, error) {
	message, ok := l.messages[key]
	if !ok {
		return "", fmt.Errorf("no message %q in %s", key, l.tag)
	}
	var b strings.Builder
	for message != "" {
		before, rest, found := strings.Cut(message, "{")
		b.WriteString(escape(before))
		if !found {
			break
		}
		name, after, _ := strings.Cut(rest, "}")
		value, ok := lookup(pairs, name)
		if !ok {
			return "", fmt.Errorf("message %q in %s: no value for %q", key, l.tag, name)
		}
		b.WriteString(open + escape(value) + closing)
		message = after
	}
	return b.String(), nil
}

func lookup(pairs []string, name string) (string, bool) {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i] == name {
			return pairs[i+1], true
		}
	}
	return "", false
}
