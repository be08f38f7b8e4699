package call

import (
	"fmt"
	"strings"

	"linkgate/provider"
)

// parseRules reads calls.allow. A rule with a mistake is left out and reported.
func parseRules(allow []string) (rules, []provider.Problem) {
	var parsed rules
	var problems []provider.Problem
	for i, text := range allow {
		one, m := parseRule(text)
		if m == (mistake{}) {
			parsed = append(parsed, one)
			continue
		}
		where := fmt.Sprintf("rule %d, %s, ", i+1, quoted(text))
		problems = append(problems, provider.Problem{Key: "calls.allow", Text: where + m.text, Remedy: m.remedy})
	}
	return parsed, problems
}

// quoted shows a rule to its author, without a query: a token might have been left in it.
func quoted(text string) string {
	const most = 80
	text, _, _ = strings.Cut(text, "?")
	if len(text) > most {
		text = text[:most] + "…"
	}
	return fmt.Sprintf("%q", text)
}

// mistake is what is wrong with a value of the operator's, and what to do; the zero value: nothing.
type mistake struct{ text, remedy string }

func parseRule(text string) (rule, mistake) {
	words := strings.Fields(text)
	switch {
	case len(words) == 0:
		return rule{}, mistake{"is empty", `write a method and a path: "GET /user"`}
	case len(words) == 1 && strings.Contains(text, "/"):
		return rule{}, mistake{"has no method", `write the method, a blank and the path: "GET /user"; "*" stands for any method`}
	case len(words) == 1:
		return rule{}, mistake{"has no path", `write the method, a blank and the path: "GET /user"; "/**" stands for any path`}
	case len(words) > 2:
		return rule{}, mistake{"has a blank too many", `write one method and one path in each rule, and %20 for a blank in a path`}
	}
	if m := methodMistake(words[0]); m != (mistake{}) {
		return rule{}, m
	}
	pattern, m := parsePattern(words[1])
	return rule{words[0], pattern}, m
}

func methodMistake(method string) mistake {
	switch {
	case method == "*":
		return mistake{}
	case strings.Contains(method, "*"):
		return mistake{"has a * inside its method", `write the whole method, or "*" for any`}
	case !isToken(method), strings.Contains(method, "|"):
		return mistake{"has something other than one method before the path", `write a rule for each method: "GET /user"`}
	case isNeverSent(method):
		return mistake{"is for a method that is never sent", "leave the rule out: CONNECT and TRACE would hand the user's credential over"}
	case method != strings.ToUpper(method):
		return mistake{"has a method in small letters, and methods are case-sensitive", "write " + strings.ToUpper(method)}
	}
	return mistake{}
}

// parsePattern reads the path of a rule.
func parsePattern(text string) ([]part, mistake) {
	switch {
	case strings.Contains(text, "://"):
		return nil, mistake{"has a whole address", `write only what follows calls.base_url, beginning with a slash: "GET /user"`}
	case !strings.HasPrefix(text, "/"):
		return nil, mistake{"has a path that does not begin with a slash", "write a slash before it"}
	case strings.ContainsAny(text, "?#"):
		return nil, mistake{"has a query or fragment", "leave out ? or # and what follows: rules are about paths, and any query may be sent"}
	case strings.ContainsAny(text, "{}<>"):
		return nil, mistake{"has a placeholder", "write * for one segment, whatever it is"}
	}
	var pattern []part
	words := strings.Split(text[1:], "/")
	for i, word := range words {
		one, m := parsePart(word, i == len(words)-1)
		if m != (mistake{}) {
			return nil, m
		}
		pattern = append(pattern, one)
	}
	return pattern, lengthMistake(text)
}

func lengthMistake(text string) mistake {
	if len(text) > maxPath {
		return mistake{fmt.Sprintf("is longer than %d bytes", maxPath), "write ** for a part of it"}
	}
	return mistake{}
}

func parsePart(word string, last bool) (part, mistake) {
	switch {
	case word == "*":
		return part{kind: oneSegment}, mistake{}
	case word == "**":
		return part{kind: anyNumber}, mistake{}
	case word == "" && last:
		return part{}, mistake{}
	case word == "":
		return part{}, mistake{"has an empty segment", "write one slash between segments"}
	case strings.Contains(word, "*"):
		return part{}, mistake{"has a * inside a word", "write * for a whole segment and ** for any number of them; a real asterisk is %2A"}
	case strings.HasPrefix(word, ":"):
		return part{}, mistake{"has a placeholder", "write * for one segment, whatever it is; a real colon at its beginning is %3A"}
	}
	return literalPart(word)
}

// literalPart reads a segment as a request's path is read, which must be possible in one way only:
// a request whose path has several is held against all of them.
func literalPart(word string) (part, mistake) {
	p, why := readings("/-/" + word) // the "-" because a first segment has rules of its own
	switch {
	case strings.ContainsFunc(word, mustBeEncoded):
		return part{}, mistake{"has a character that must be encoded", `write "` + encoded(word, mustBeEncoded) + `" for that segment`}
	case why != "":
		return part{}, mistake{"never matches, for " + why + ", and such paths are refused", "leave the rule out, or write * for that segment"}
	case len(p) > 1:
		return part{}, mistake{"has a segment that can be read in more than one way", "write * for it if it is one segment in each of them, else **"}
	}
	return part{text: p[0][1]}, mistake{}
}

// encoded is a word with every byte encoded that must be by must's judgement.
func encoded(word string, must func(rune) bool) string {
	var fixed strings.Builder
	for i := range len(word) {
		if c := word[i]; must(rune(c)) {
			fmt.Fprintf(&fixed, "%%%02X", c)
		} else {
			fixed.WriteByte(c)
		}
	}
	return fixed.String()
}
