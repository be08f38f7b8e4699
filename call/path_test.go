package call

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadPath(t *testing.T) {
	for _, e := range corpus(t, "paths.txt", 150) {
		verdict, rest, _ := strings.Cut(e.text, " ")
		escaped, rest := quotedPrefix(t, e, rest)
		p, err := readPath(escaped)
		switch verdict {
		case "ok":
			if err != nil || p.escaped != escaped {
				t.Errorf("line %d: readPath(%q) = %q, %v", e.line, escaped, p.escaped, err)
			}
			if diff := cmp.Diff(readingsOf(t, e, rest), p.readings); diff != "" {
				t.Errorf("line %d: readings of %q (-want +got):\n%s", e.line, escaped, diff)
			}
		case "bad":
			if !errors.Is(err, ErrBadPath) || !strings.Contains(err.Error(), strings.TrimSpace(rest)) {
				t.Errorf("line %d: readPath(%q): got %v and %q, want ErrBadPath: %s", e.line, escaped, err, p.readings, rest)
			}
		default:
			t.Fatalf("line %d: unknown verdict %q", e.line, verdict)
		}
	}
}

// quotedPrefix takes a Go string from the beginning of text.
func quotedPrefix(t testing.TB, e entry, text string) (value, rest string) {
	t.Helper()
	text = strings.TrimLeft(text, " ")
	quoted, err := strconv.QuotedPrefix(text)
	if err == nil {
		value, err = strconv.Unquote(quoted)
	}
	if err != nil {
		t.Fatalf("line %d: %s: %v", e.line, text, err)
	}
	return value, strings.TrimLeft(text[len(quoted):], " ")
}

func readingsOf(t *testing.T, e entry, text string) [][]string {
	t.Helper()
	var found [][]string
	for reading := range strings.SplitSeq(text, " | ") {
		var segments []string
		for reading = strings.TrimSpace(reading); reading != ""; {
			var segment string
			segment, reading = quotedPrefix(t, e, reading)
			segments = append(segments, segment)
		}
		found = append(found, segments)
	}
	return found
}

// TestReadPathLength: the bound is of what comes, however it is read.
func TestReadPathLength(t *testing.T) {
	longest := "/" + strings.Repeat("a", maxPath-1)
	if _, err := readPath(longest); err != nil {
		t.Errorf("%d bytes: %v", len(longest), err)
	}
	if _, err := readPath(longest + "a"); !errors.Is(err, ErrBadPath) {
		t.Errorf("%d bytes: got %v, want ErrBadPath", len(longest)+1, err)
	}
}
