package v1

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// query reads a request's parameters and gathers every mistake in them.
type query struct {
	values   url.Values
	known    []string
	mistakes []Mistake
}

func readQuery(raw string) *query {
	values, err := url.ParseQuery(raw)
	q := &query{values: values}
	if err != nil {
		q.mistake("?", "it is not well-formed")
	}
	return q
}

func (q *query) mistake(name, format string, args ...any) {
	q.mistakes = append(q.mistakes, Mistake{name, fmt.Sprintf(format, args...)})
}

// many are all values of a parameter; none may be empty.
func (q *query) many(name string) []string {
	q.known = append(q.known, name)
	values := q.values[name]
	for _, v := range values {
		if v == "" || len(v) > longestParameter || !utf8.ValidString(v) {
			q.mistake("?"+name, "it needs a value of %d bytes at the most", longestParameter)
			return nil
		}
	}
	return values
}

const longestParameter = 1024 // bytes

// text is a parameter that may come once; empty when it does not.
func (q *query) text(name string) string {
	values := q.many(name)
	switch len(values) {
	case 0:
		return ""
	case 1:
		return values[0]
	}
	q.mistake("?"+name, "it may come once")
	return ""
}

// number is a whole number between two bounds, or fallback.
func (q *query) number(name string, least, most, fallback int64) int64 {
	text := q.text(name)
	if text == "" {
		return fallback
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < least || n > most {
		q.mistake("?"+name, "it must be a whole number from %d to %d", least, most)
		return fallback
	}
	return n
}

// flag is true or false, or fallback.
func (q *query) flag(name string, fallback bool) bool {
	switch q.text(name) {
	case "":
		return fallback
	case "true":
		return true
	case "false":
		return false
	}
	q.mistake("?"+name, "it must be true or false")
	return fallback
}

// err is every mistake, a parameter that nobody has read among them: most likely it is misspelt.
func (q *query) err() error {
	for name := range q.values {
		if !slices.Contains(q.known, name) {
			q.mistake("?"+misspelt(name), "there is no such parameter here; there are: %s", cmp.Or(strings.Join(q.known, ", "), "none"))
		}
	}
	if len(q.mistakes) == 0 {
		return nil
	}
	slices.SortStableFunc(q.mistakes, func(a, b Mistake) int { return strings.Compare(a.Pointer, b.Pointer) })
	return &Invalid{q.mistakes}
}

// misspelt is a name that a caller has made up, if it can have been meant for one of ours; else empty.
// Anything else may be a secret in the wrong place, and problems and logs are kept.
func misspelt(name string) string {
	const longest = 24
	if len(name) > longest || strings.ContainsFunc(name, notInName) {
		return ""
	}
	return name
}

func notInName(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '_' && r != '-'
}
