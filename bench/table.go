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
	rows []string
}

// add makes a row of what was measured in the same rounds. Ratios are medians of the rounds'
// ratios: what slows a whole round down drops out of them.
func (t *table) add(what, format string, figures [3][]float64) {
	ours, theirs := fmt.Sprintf(format, median(figures[linkgate])), fmt.Sprintf(format, median(figures[bare]))
	t.rows = append(t.rows, fmt.Sprintf("| %s | %s | %s | %.2f | %.2f |", what, ours, theirs,
		ratio(figures[linkgate], figures[bare]), ratio(figures[control], figures[bare])))
}

func (t table) String() string {
	return "| | Linkgate | bare Echo | ratio | A/A |\n|---|---:|---:|---:|---:|\n" + strings.Join(t.rows, "\n") + "\n"
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
