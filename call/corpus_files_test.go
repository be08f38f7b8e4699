package call

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// entry is a line of a corpus: what is not blank and not a comment.
type entry struct {
	line int
	text string
}

// corpus reads a file of testdata, which must have at least so many lines that count.
func corpus(t testing.TB, name string, atLeast int) []entry {
	t.Helper()
	file, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var entries []entry
	scanner := bufio.NewScanner(file)
	for line := 1; scanner.Scan(); line++ {
		if text := scanner.Text(); strings.TrimSpace(text) != "" && !strings.HasPrefix(text, "#") {
			entries = append(entries, entry{line, text})
		}
	}
	if scanner.Err() != nil || len(entries) < atLeast {
		t.Fatalf("reading %s: %d entries, want at least %d, and %v", name, len(entries), atLeast, scanner.Err())
	}
	return entries
}
