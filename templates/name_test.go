package templates

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestDisplayName(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"plain", "Ada Lovelace", "Ada Lovelace"},
		{"white space", " Ada \r\n\t Lovelace\u00a0", "Ada Lovelace"},
		{"right-to-left override", "safe\u202Etxt.exe", "safetxt.exe"},
		{"isolates and marks", "\u2066a\u2067b\u2068c\u2069d\u200Ee\u200Ff\u061Cg", "abcdefg"},
		{"zero width", "a\u200Bb\u2060c\uFEFFd\u00ADe", "abcde"},
		{"tag characters", "a\U000E0041\U000E007Fb", "ab"},
		{"line separators", "a\u2028b\u2029c", "a b c"},
		{"control characters", "a\x00b\x1bc\x7fd", "abcd"},
		{"blank letters", "\u3164\u115F\u2800", ""},
		{"invalid UTF-8", "a\xffb", "a\uFFFDb"},
		{"joiners stay", "می\u200cخواهم", "می\u200cخواهم"},
		{"emoji family stays", "👩\u200d👧", "👩\u200d👧"},
		{"arabic", "أحمد", "أحمد"},
		{"marks on marks", "Z" + strings.Repeat("\u0301", 40), "Z" + strings.Repeat("\u0301", markLimit)},
		{"long", strings.Repeat("x", 200), strings.Repeat("x", nameLimit) + "…"},
		{"just fits", strings.Repeat("ä", nameLimit), strings.Repeat("ä", nameLimit)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := displayName(tc.in); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func FuzzDisplayName(f *testing.F) {
	f.Add("Ada\u202E\x00 Lovelace\xff")
	f.Fuzz(func(t *testing.T, in string) {
		got := displayName(in)
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > nameLimit+1 {
			t.Errorf("got %q", got)
		}
		for _, r := range got {
			if invisible(r) {
				t.Errorf("got %q with %U", got, r)
			}
		}
		if again := displayName(got); again != got && !strings.HasSuffix(got, "…") {
			t.Errorf("not stable: %q, then %q", got, again)
		}
	})
}

func TestInitial(t *testing.T) {
	for in, want := range map[string]string{"github": "G", "  «émile»": "É", "8c1f": "8", "أحمد": "أ", "": "·", "—": "·"} {
		if got := initial(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
