package call

import (
	"slices"
	"strings"
)

// ruleFor is the narrowest rule that allows a request: what the operator may add to calls.allow.
func ruleFor(method string, p path) string {
	return method + " /" + strings.Join(commonPattern(p.readings), "/")
}

// commonPattern spells what the readings of a path have in common, with a wildcard for the rest.
func commonPattern(readings [][]string) []string {
	first := readings[0]
	if len(readings) == 1 {
		return spelled(first)
	}
	before, after, shortest := len(first), len(first), len(first)
	for _, other := range readings[1:] {
		before = min(before, commonPrefix(first, other))
		after = min(after, commonSuffix(first, other))
		shortest = min(shortest, len(other))
	}
	after = min(after, shortest-before)
	wildcard := "**"
	if differInOne(readings, before, after) {
		wildcard = "*"
	}
	pattern := append(spelled(first[:before]), wildcard)
	return append(pattern, spelled(first[len(first)-after:])...)
}

// differInOne tells that the readings differ in a single segment, which none leaves empty.
func differInOne(readings [][]string, before, after int) bool {
	return !slices.ContainsFunc(readings, func(r []string) bool {
		return len(r) != before+1+after || r[before] == ""
	})
}

func commonPrefix(a, b []string) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

func commonSuffix(a, b []string) int {
	n := 0
	for n < min(len(a), len(b)) && a[len(a)-1-n] == b[len(b)-1-n] {
		n++
	}
	return n
}

func spelled(segments []string) []string {
	words := make([]string, 0, len(segments)+1)
	for _, segment := range segments {
		words = append(words, spelledSegment(segment))
	}
	return words
}

// spelledSegment spells a decoded segment as parseRules reads it.
func spelledSegment(segment string) string {
	word := encoded(segment, func(r rune) bool { return mustBeEncoded(r) || strings.ContainsRune("/*;%", r) })
	if rest, found := strings.CutPrefix(word, ":"); found {
		return "%3A" + rest // else it is taken for a placeholder
	}
	return word
}
