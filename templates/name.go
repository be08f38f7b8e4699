package templates

import (
	"strings"
	"unicode"
)

const (
	nameLimit = 80 // runes: a longer name would push the warning out of sight
	markLimit = 4  // combining marks in a row: more would paint over the lines around
)

// displayName makes a name that somebody else chose safe to show beside our own words. Characters
// that turn the reading direction around or can't be seen are dropped, white space becomes one
// space, and it is cut when it is too long. Joiners stay: Persian and many emoji need them.
func displayName(name string) string { return displayText(name, nameLimit) }

// displayText does the same for text that may have limit runes.
func displayText(text string, limit int) string {
	seen := strings.Map(func(r rune) rune {
		if invisible(r) && !unicode.IsSpace(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	var out []rune
	marks := 0
	for _, r := range strings.Join(strings.Fields(seen), " ") {
		if unicode.In(r, unicode.Mn, unicode.Me) {
			marks++
		} else {
			marks = 0
		}
		switch {
		case marks > markLimit:
		case len(out) == limit:
			return strings.TrimSpace(string(out)) + "…"
		default:
			out = append(out, r)
		}
	}
	return string(out)
}

func invisible(r rune) bool {
	switch r {
	case '\u200C', '\u200D': // joiners
		return false
	case '\u115F', '\u1160', '\u3164', '\uFFA0', '\u2800': // blank letters
		return true
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
}

// initial is the letter on a tile: the name's first letter or digit, in upper case.
func initial(name string) string {
	for _, r := range name {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return string(unicode.ToUpper(r))
		}
	}
	return "·"
}

// displayNames does displayName for each, leaving out what is empty then.
func displayNames(names []string) []string {
	var out []string
	for _, n := range names {
		if n = displayName(n); n != "" {
			out = append(out, n)
		}
	}
	return out
}
