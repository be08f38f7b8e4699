package templates

import (
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLocale(t *testing.T) {
	p := newPages(t)
	for _, tc := range []struct{ accept, want string }{
		{"", "en"},
		{"de", "de"},
		{"de-CH,de;q=0.9,en;q=0.8", "de"},
		{"fr-CA", "fr"},
		{"es-419,es;q=0.9", "es"},
		{"ar-EG", "ar"},
		{"ja,ko;q=0.5", "en"},
		{"ja,fr;q=0.5", "fr"},
		{"de;q=0,fr", "fr"},
		{"*", "en"},
		{"not a language at all;;;", "en"},
		{"\xff\xfe", "en"},
		{strings.Repeat("de,", 1000), "en"},
	} {
		if got := p.Locale(tc.accept).Lang(); got != tc.want {
			t.Errorf("%.30q: got %s, want %s", tc.accept, got, tc.want)
		}
	}
}

func TestEveryLanguageHasEveryMessage(t *testing.T) {
	p := newPages(t)
	placeholder := regexp.MustCompile(`\{[^}]*\}`)
	places := func(message string) []string {
		found := placeholder.FindAllString(message, -1)
		slices.Sort(found)
		return slices.Compact(found)
	}
	english := p.locales[0].messages
	for _, l := range p.locales[1:] {
		for key, message := range english {
			translated, ok := l.messages[key]
			if !ok || strings.TrimSpace(translated) == "" {
				t.Errorf("%s: no %q", l.Lang(), key)
				continue
			}
			if diff := cmp.Diff(places(message), places(translated)); diff != "" {
				t.Errorf("%s: %q: placeholders (-English +%s):\n%s", l.Lang(), key, l.Lang(), diff)
			}
		}
		for key := range l.messages {
			if _, ok := english[key]; !ok {
				t.Errorf("%s: %q is in no page", l.Lang(), key)
			}
		}
	}
}

func TestEveryMessageFileIsUsed(t *testing.T) {
	entries, err := fs.ReadDir(files, "messages")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, strings.TrimSuffix(e.Name(), ".json"))
	}
	want := slices.Sorted(slices.Values(languages()))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("languages (-want +files):\n%s", diff)
	}
}

// TestEveryMessageIsUsed finds sentences that no page shows any more.
func TestEveryMessageIsUsed(t *testing.T) {
	p := newPages(t)
	l := p.locales[0]
	marked := map[string]string{}
	for key, message := range l.messages {
		marked[key] = "⟦" + key + "⟧" + message
	}
	l.messages = marked
	var all strings.Builder
	for _, page := range everyPage() {
		all.WriteString(render(t, p, l, page))
	}
	for key := range marked {
		if !strings.Contains(all.String(), "⟦"+key+"⟧") {
			t.Errorf("no page shows %q", key)
		}
	}
}

func TestFillRefusesWhatItDoesNotKnow(t *testing.T) {
	l := newPages(t).locales[0]
	if _, err := l.T("no.such.key"); err == nil {
		t.Error("unknown key: got no error")
	}
	if _, err := l.T("ticket.heading", "user", "Ada"); err == nil {
		t.Error("missing value: got no error")
	}
}

func TestFillIsolatesAndEscapes(t *testing.T) {
	l := Locale{messages: map[string]string{"k": "a & {x} <b>"}}
	html, err := l.T("k", "x", "{x}<i>")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(html), "a &amp; <bdi>{x}&lt;i&gt;</bdi> &lt;b&gt;"; got != want {
		t.Errorf("HTML: got %q, want %q", got, want)
	}
	plain, err := l.Plain("k", "x", "{x}<i>")
	if err != nil {
		t.Fatal(err)
	}
	if want := "a & \u2068{x}<i>\u2069 <b>"; plain != want {
		t.Errorf("text: got %q, want %q", plain, want)
	}
}
