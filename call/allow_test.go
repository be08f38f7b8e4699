package call

import (
	"strings"
	"testing"
)

func TestAllow(t *testing.T) {
	var texts []string
	var allowed rules
	grouping := false
	for _, e := range corpus(t, "rules.txt", 150) {
		verdict, rest, _ := strings.Cut(e.text, " ")
		if verdict == "rule" {
			if !grouping {
				texts = nil
			}
			grouping, texts = true, append(texts, rest)
			parsed, problems := parseRules(texts)
			if allowed = parsed; len(problems) > 0 {
				t.Errorf("line %d: problems: %v", e.line, problems)
			}
			continue
		}
		grouping = false
		method, escaped, _ := strings.Cut(rest, " ")
		p, err := readPath(escaped)
		got := err == nil && allowed.allow(method, p)
		if want := verdict == "yes"; got != want || verdict != "yes" && verdict != "no" {
			t.Errorf("line %d: %q: %s: allowed %t, %v, readings %q", e.line, texts, rest, got, err, p.readings)
		}
	}
}

// TestAllowNothing: what has not been read has no reading that is forbidden, and is not allowed.
func TestAllowNothing(t *testing.T) {
	everything, problems := parseRules([]string{"* /**"})
	if len(problems) > 0 || everything.allow("GET", path{}) {
		t.Errorf("a path that was never read is allowed (problems: %v)", problems)
	}
	p, err := readPath("/user")
	if err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{"", "G ET", "GET\r\nX:", "GÉT"} {
		if everything.allow(method, p) {
			t.Errorf("method %q is allowed", method)
		}
	}
	if rules(nil).allow("GET", p) {
		t.Error("without rules a request is allowed")
	}
}

func TestRuleFor(t *testing.T) {
	tests := []struct{ method, path, want string }{
		{"GET", "/user", "GET /user"},
		{"HEAD", "/user", "HEAD /user"},
		{"DELETE", "/", "DELETE /"},
		{"GET", "/user/", "GET /user/"},
		{"GET", "/a%20b/caf%c3%a9", "GET /a%20b/caf%C3%A9"},
		{"GET", "/*/:id/x:y", "GET /%2A/%3Aid/x:y"},
		{"GET", "/100%25", "GET /100%25"},
		{"GET", "/users('id')", "GET /users('id')"},
		{"GET", "/projects/group%2Fproject", "GET /projects/**"},
		{"GET", "/projects/group%2Fproject/issues", "GET /projects/**/issues"},
		{"GET", "/a/b%2Fb/b", "GET /a/**/b"},
		{"GET", "/a/b%5Cb/b", "GET /a/**/b"},
		{"GET", "/lang/C%23", "GET /lang/*"},
		{"GET", "/a;v=1/b", "GET /*/b"},
		{"GET", "/labels/%23bug", "GET /labels/**"},
		{"GET", "/sites/https%3A%2F%2Fx%2F/q", "GET /sites/**/q"},
	}
	for _, test := range tests {
		p, err := readPath(test.path)
		if err != nil {
			t.Errorf("%s: %v", test.path, err)
			continue
		}
		got := ruleFor(test.method, p)
		if got != test.want {
			t.Errorf("ruleFor(%s, %s): want %q, got %q", test.method, test.path, test.want, got)
		}
		if r, problems := parseRules([]string{got}); len(problems) > 0 || !r.allow(test.method, p) {
			t.Errorf("%q does not allow %s %s: %v", got, test.method, test.path, problems)
		}
	}
}

func TestRuleMistakes(t *testing.T) {
	for _, e := range corpus(t, "rule_mistakes.txt", 60) {
		rule, rest := quotedPrefix(t, e, e.text)
		want := strings.Split(strings.TrimPrefix(rest, "| "), " | ")
		parsed, problems := parseRules([]string{rule})
		if len(problems) != 1 || len(parsed) != 0 || len(want) != 2 {
			t.Errorf("line %d: %q: rules %v, problems %v", e.line, rule, parsed, problems)
			continue
		}
		p := problems[0]
		if p.Key != "calls.allow" || !strings.Contains(p.Text, want[0]) || !strings.Contains(p.Remedy, want[1]) {
			t.Errorf("line %d: %q: got %v", e.line, rule, p)
		}
		if strings.Contains(p.Error(), "hunter2") {
			t.Errorf("line %d: a query is repeated: %v", e.line, p)
		}
	}
}

// TestEveryMistakeIsTold, with its place, and the good rules are kept.
func TestEveryMistakeIsTold(t *testing.T) {
	parsed, problems := parseRules([]string{"get /a", "GET /b", strings.Repeat("x", 100), "GET /" + strings.Repeat("a/", maxPath/2)})
	var got []string
	for _, p := range problems {
		got = append(got, p.Text)
	}
	if len(parsed) != 1 || len(got) != 3 ||
		!strings.HasPrefix(got[0], `rule 1, "get /a", `) ||
		!strings.HasPrefix(got[1], `rule 3, "`+strings.Repeat("x", 80)+`…", `) || !strings.Contains(got[2], "is longer than") {
		t.Errorf("rules %v, problems %q", parsed, got)
	}
}
