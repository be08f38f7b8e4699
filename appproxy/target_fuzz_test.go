package appproxy

import (
	"net/http"
	"net/url"
	"path"
	"strings"
	"testing"

	"linkgate/secret"
)

// FuzzTarget: the app gets every target as it came, behind the base, and none that leads out of it.
func FuzzTarget(f *testing.F) {
	for _, seed := range []string{"/", "/a/b?c=d", "/a%2fb", "/%2e%2e/x", "/..;/x", `/a\..\b`, "//x", "/a?b#c", "/a b", "/é", "/%zz", "/a/./b"} {
		f.Add(seed)
	}
	p, err := New(Options{URL: "http://app.example/base", Secret: secret.New(aSecret)})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, target string) {
		r, err := http.NewRequest("GET", "/", nil)
		if err != nil || !strings.HasPrefix(target, "/") {
			return
		}
		if r.URL, err = url.ParseRequestURI(target); err != nil || passable(r) != nil {
			return
		}
		got := p.target(r.URL)
		if want := "/base" + target; got.RequestURI() != want {
			t.Errorf("got %q, want %q", got.RequestURI(), want)
		}
		if cleaned := cleanest(got.Path); cleaned != "/base" && !strings.HasPrefix(cleaned, "/base/") {
			t.Errorf("%q leads to %q", target, cleaned)
		}
	})
}

// cleanest is where a server would go that takes backslashes for slashes and drops parameters.
func cleanest(p string) string {
	segments := strings.Split(strings.ReplaceAll(p, `\`, "/"), "/")
	for i, s := range segments {
		segments[i], _, _ = strings.Cut(s, ";")
	}
	return path.Clean(strings.Join(segments, "/"))
}
