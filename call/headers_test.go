package call

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"linkgate/secret"
)

// headerSet is one set of a corpus of headers.
type headerSet struct {
	line       int
	credential string // the header that the service takes its credential in
	given      http.Header
	want       http.Header
}

func headerSets(t *testing.T, name string, atLeast int) []headerSet {
	t.Helper()
	var sets []headerSet
	last := -1
	for _, e := range corpus(t, name, atLeast) {
		if e.line != last+1 {
			sets = append(sets, headerSet{line: e.line, given: http.Header{}, want: http.Header{}})
		}
		last = e.line
		set := &sets[len(sets)-1]
		verdict, header, _ := strings.Cut(e.text, " ")
		field, value, _ := strings.Cut(header, ": ")
		switch verdict {
		case "credential":
			set.credential = header
			continue
		case "+":
			set.want[field] = append(set.want[field], value)
		case "-":
		default:
			t.Fatalf("%s, line %d: unknown verdict %q", name, e.line, verdict)
		}
		set.given[field] = append(set.given[field], value)
	}
	if len(sets) < atLeast {
		t.Fatalf("%s has %d sets, want at least %d", name, len(sets), atLeast)
	}
	return sets
}

func TestStripRequest(t *testing.T) {
	for _, set := range headerSets(t, "request_headers.txt", 60) {
		passed := http.Header{}
		passRequest(passed, set.given, strings.ToLower(set.credential))
		if diff := cmp.Diff(set.want, passed); diff != "" {
			t.Errorf("the set at line %d, passed (-want +got):\n%s", set.line, diff)
		}
		stripRequest(set.given, strings.ToLower(set.credential))
		if diff := cmp.Diff(set.want, set.given); diff != "" {
			t.Errorf("the set at line %d (-want +got):\n%s", set.line, diff)
		}
	}
}

func TestStripAnswer(t *testing.T) {
	for _, set := range headerSets(t, "answer_headers.txt", 15) {
		passed := http.Header{}
		passAnswer(passed, set.given, secret.New("t0k/en+="))
		stripAnswer(set.given, secret.New("t0k/en+="))
		if diff := cmp.Diff(set.want, set.given); diff != "" {
			t.Errorf("the set at line %d (-want +got):\n%s", set.line, diff)
		}
		guardAnswer(set.want)
		if diff := cmp.Diff(set.want, passed); diff != "" {
			t.Errorf("the set at line %d, passed (-want +got):\n%s", set.line, diff)
		}
	}
}

// TestKeepPrivate: only what says so may be kept for others.
func TestKeepPrivate(t *testing.T) {
	for _, test := range []struct{ said, want []string }{
		{nil, []string{"private"}},
		{[]string{"max-age=60"}, []string{"max-age=60", "private"}},
		{[]string{"no-cache"}, []string{"no-cache", "private"}},
		{[]string{"max-age=60", "No-Store"}, []string{"max-age=60", "No-Store"}},
		{[]string{"private, max-age=60"}, []string{"private, max-age=60"}},
		{[]string{"public, max-age=60"}, []string{"public, max-age=60"}},
		{[]string{"s-maxage=60"}, []string{"s-maxage=60"}},
	} {
		h := http.Header{}
		if test.said != nil {
			h["Cache-Control"] = test.said
		}
		keepPrivate(h)
		if diff := cmp.Diff(test.want, h["Cache-Control"]); diff != "" {
			t.Errorf("%q: -want +got:\n%s", test.said, diff)
		}
	}
}

// TestStripAnswerSniffing: there is one good value, and it is set over any other.
func TestStripAnswerSniffing(t *testing.T) {
	h := http.Header{}
	passAnswer(h, http.Header{"X-Content-Type-Options": {"sniff", "nosniff"}, "Location": {"/x"}},
		secret.Text{}) // the empty token is in every value, and drops none
	want := http.Header{"X-Content-Type-Options": {"nosniff"}, "Location": {"/x"}, "Cache-Control": {"private"}}
	if diff := cmp.Diff(want, h); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
