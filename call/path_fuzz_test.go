package call

import (
	"encoding/hex"
	"net/url"
	stdpath "path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"linkgate/linkedaccount"
)

var (
	anyTriplet    = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)
	anyParameters = regexp.MustCompile(`;[^/]*`)
	anyQuery      = regexp.MustCompile(`(?s)[?#].*`)
)

// understandings are what services may take a path for, found without path.go: decoded up to three
// times, with backslashes taken for slashes and parameters and queries cut off before and after.
func understandings(escaped string) []string {
	doings := []func(string) string{
		func(s string) string { return s },
		func(s string) string { return strings.ReplaceAll(s, `\`, "/") },
		func(s string) string { return anyParameters.ReplaceAllString(s, "") },
		func(s string) string { return anyQuery.ReplaceAllString(s, "") },
	}
	found := []string{escaped}
	for range 4 {
		for _, do := range doings {
			for _, text := range found {
				if done := do(text); !slices.Contains(found, done) {
					found = append(found, done)
				}
			}
		}
		for _, text := range found {
			decoded := anyTriplet.ReplaceAllStringFunc(text, func(triplet string) string {
				b, _ := hex.DecodeString(triplet[1:])
				return string(b)
			})
			if !slices.Contains(found, decoded) {
				found = append(found, decoded)
			}
		}
	}
	return found
}

// FuzzReadPath: whatever a service does to a path that was accepted, it stays under the base; and
// when a rule allows it, under what the rule says.
func FuzzReadPath(f *testing.F) {
	for _, e := range corpus(f, "paths.txt", 150) {
		_, rest, _ := strings.Cut(e.text, " ")
		escaped, _ := quotedPrefix(f, e, rest)
		f.Add(escaped)
		f.Add("/pub" + escaped)
	}
	b, problems := parseBase("https://api.example.com/base")
	pub, more := parseRules([]string{"GET /pub/**"})
	one, evenMore := parseRules([]string{"GET /pub/*"})
	if len(problems)+len(more)+len(evenMore) > 0 {
		f.Fatal(problems, more, evenMore)
	}
	f.Fuzz(func(t *testing.T, escaped string) {
		p, err := readPath(escaped)
		if err != nil || len(escaped) > 1000 { // what must hold doesn't depend on the length, and the oracle is slow
			return
		}
		u, err := b.target(p, "", &linkedaccount.Account{})
		if err != nil {
			t.Fatal(err)
		}
		again, err := url.Parse(u.String())
		if err != nil || again.Host != "api.example.com" || u.RequestURI() != "/base"+escaped || again.RequestURI() != u.RequestURI() {
			t.Errorf("%q is sent as %q to %q (%v)", escaped, u.RequestURI(), again.Host, err)
		}
		for _, text := range understandings(escaped) {
			clean := stdpath.Clean("/base" + text)
			if !under(clean, "/base") || strings.Contains(clean, "\x00") {
				t.Errorf("%q can be taken for %q: outside the base", escaped, clean)
			}
			if pub.allow("GET", p) && !under(clean, "/base/pub") {
				t.Errorf("%q can be taken for %q: outside GET /pub/**", escaped, clean)
			}
			if one.allow("GET", p) && (!under(clean, "/base/pub") || strings.Count(clean, "/") != 3) {
				t.Errorf("%q can be taken for %q: outside GET /pub/*", escaped, clean)
			}
		}
	})
}

func under(clean, dir string) bool { return clean == dir || strings.HasPrefix(clean, dir+"/") }
