package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Mistake is one thing the operator has to mend. It is either in a file (File, and Line and
// Column from 1 where known) or in a variable of the environment.
type Mistake struct {
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"`
	Variable string `json:"variable,omitempty"`
	Text     string `json:"text"`   // what is wrong, without a value that may be secret
	Remedy   string `json:"remedy"` // what to do, as a sentence
}

// Place is where the mistake is: the variable's name, or file:line:column.
func (m Mistake) Place() string {
	switch {
	case m.File == "":
		return m.Variable
	case m.Line == 0:
		return m.File
	default:
		return fmt.Sprintf("%s:%d:%d", m.File, m.Line, m.Column)
	}
}

// String is the mistake in one line. The text about a variable names it already.
func (m Mistake) String() string {
	if m.File == "" {
		return m.Text
	}
	return m.Place() + ": " + m.Text
}

// Error is every mistake that Load found: the environment's first, then the file's by line.
type Error struct {
	Mistakes []Mistake
}

func (e *Error) Error() string {
	lines := make([]string, 0, len(e.Mistakes)+1)
	lines = append(lines, fmt.Sprintf("the configuration has %s", Count(len(e.Mistakes), "mistake")))
	for _, m := range e.Mistakes {
		lines = append(lines, m.String())
	}
	return strings.Join(lines, "\n")
}

// Count is n and the noun, in the plural where that is due.
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func sortByPlace(mistakes []Mistake) {
	slices.SortStableFunc(mistakes, func(a, b Mistake) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}
