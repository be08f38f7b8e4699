package call

import (
	"slices"
	"strings"
	"testing"
)

// TestUnmistakable: what needs no closer look has one reading under it too.
func TestUnmistakable(t *testing.T) {
	for _, plain := range []string{"/", "/user", "/user/", "/repos/one_two/issues-3/Last", "/" + strings.Repeat("a", maxPath-1)} {
		if !isUnmistakable(plain) {
			t.Errorf("%.40q: wants a closer look", plain)
		}
		segments := view{text: plain}.segments()
		if views, why := closeReadings(plain); why != "" || len(views) != 1 || !slices.Equal(views[0], segments) {
			t.Errorf("%.40q: %q %s", plain, views, why)
		}
	}
	for _, other := range []string{
		"", "user", "//", "/a//b", "/..", "/a/../b", "/.", "/a.b", "/a;b", "/a%2fb", `/a\b`, "/a?b", "/a#b", "/ä", "/\x00", "/a b", "/a:b",
		"/" + strings.Repeat("a", maxPath),
	} {
		if isUnmistakable(other) {
			t.Errorf("%.40q: is taken without a closer look", other)
		}
	}
}
