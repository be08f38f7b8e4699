package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
)

// table is the outcome, as Markdown.
type table struct {
	names []string // of Linkgate, of what it stands beside, and perhaps of something else to compare with
	rows  []string
}

// add makes a row of what was measured in the same rounds, by contestant. Ratios are medians of the
// rounds' ratios: what slows a whole round down drops out of them.
func (t *table) add(what, format string, figures [][]float64) {
	cell := func(i int) string { return fmt.Sprintf(format, median(figures[i])) }
	row := fmt.Sprintf("| %s | %s | %s | %.2f | %.2f |", what, cell(linkgate), cell(bare),
		ratio(figures[linkgate], figures[bare]), ratio(figures[control], figures[bare]))
	if len(figures) > other {
		row += fmt.Sprintf(" %s | %.2f |", cell(other), ratio(figures[linkgate], figures[other]))
	}
	t.rows = append(t.rows, row)
}

func (t table) String() string {
	if len(t.rows) == 0 {
		return ""
	}
	header, line := fmt.Sprintf("| | %s | %s | ratio | A/A |", t.names[0], t.names[1]), "|---|---:|---:|---:|---:|"
	if len(t.names) > 2 {
		header += fmt.Sprintf(" %s | ratio |", t.names[2])
		line += "---:|---:|"
	}
	return header + "\n" + line + "\n" + strings.Join(t.rows, "\n") + "\n\n"
}

func ratio(ours, theirs []float64) float64 {
	var ratios []float64
	for i := range ours {
		ratios = append(ratios, ours[i]/theirs[i])
	}
	return median(ratios)
}

func median(figures []float64) float64 {
	sorted := slices.Sorted(slices.Values(figures))
	n := len(sorted)
	if n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[n/2]
}

// machine says what was measured on.
func machine() string {
	model := "unknown processor"
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(info)) {
			if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("%s, %d × %s.", runtime.Version(), runtime.NumCPU(), model)
}
