package call

import (
	"encoding/hex"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// oracle is another way to tell what a rule allows: the rule becomes a regular expression over
// segments in hexadecimal.
func oracle(t *testing.T, rule, method string, segments []string) bool {
	words := strings.Fields(rule)
	asked := words[0] == method || words[0] == "*" || words[0] == "GET" && method == "HEAD"
	if !asked || strings.EqualFold(method, "TRACE") || strings.EqualFold(method, "CONNECT") {
		return false
	}
	var expression, subject strings.Builder
	for word := range strings.SplitSeq(words[1][1:], "/") {
		switch word {
		case "*":
			expression.WriteString(`/[0-9a-f]+`)
		case "**":
			expression.WriteString(`(/[0-9a-f]*)*`)
		default:
			decoded, err := url.PathUnescape(word)
			if err != nil {
				t.Fatalf("rule %q has been accepted: %v", rule, err)
			}
			expression.WriteString("/" + hex.EncodeToString([]byte(decoded)))
		}
	}
	for _, segment := range segments {
		subject.WriteString("/" + hex.EncodeToString([]byte(segment)))
	}
	return regexp.MustCompile("^" + expression.String() + "$").MatchString(subject.String())
}

// FuzzRules: rules agree with the oracle, and the rule that ruleFor gives for a request allows it.
func FuzzRules(f *testing.F) {
	var rule string
	for _, e := range corpus(f, "rules.txt", 150) {
		verdict, rest, _ := strings.Cut(e.text, " ")
		if verdict == "rule" {
			rule = rest
			continue
		}
		method, escaped, _ := strings.Cut(rest, " ")
		f.Add(rule, method, escaped)
	}
	for _, e := range corpus(f, "rule_mistakes.txt", 60) {
		mistaken, _ := quotedPrefix(f, e, e.text)
		f.Add(mistaken, "GET", "/user")
	}
	f.Fuzz(func(t *testing.T, rule, method, escaped string) {
		if len(rule)+len(escaped) > 1000 {
			return // the oracle is slow
		}
		p, err := readPath(escaped)
		if err != nil || !isToken(method) {
			return
		}
		if r, problems := parseRules([]string{rule}); len(problems) == 0 {
			want := true
			for _, segments := range p.readings {
				want = want && oracle(t, rule, method, segments)
			}
			if got := r.allow(method, p); got != want {
				t.Errorf("%q allows %s %s: want %t, got %t", rule, method, escaped, want, got)
			}
		}
		narrow := ruleFor("GET", p)
		if r, problems := parseRules([]string{narrow}); len(problems) > 0 || !r.allow("GET", p) {
			t.Errorf("%q does not allow %s: %v", narrow, escaped, problems)
		}
	})
}
