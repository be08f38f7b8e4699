// Command testreport reads what `go test -json` prints and shows what a person wants to know of
// it: go test's own line for each package, and before it the output of its failed tests. When
// CI=true a skipped test is a failure, since a test that never runs proves nothing.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

// event is one line of `go test -json`; see `go doc test2json`.
type event struct {
	Action      string
	Package     string
	ImportPath  string // of build output
	Test        string // empty: the event concerns the whole package
	Output      string
	FailedBuild string
}

// report collects the events of one run.
type report struct {
	out         io.Writer
	forbidSkips bool

	output  map[string]map[string][]string // package → test → lines not shown yet
	last    map[string]string              // package → go test's line about it
	skipped map[string][]string            // package → names of skipped tests
	failed  []string                       // last lines of the packages that failed
	passed  int                            // packages
}

func main() {
	r := newReport(os.Stdout, os.Getenv("CI") == "true")
	if err := r.read(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
		os.Exit(2)
	}
	if !r.finish() {
		os.Exit(1)
	}
}

func newReport(out io.Writer, forbidSkips bool) *report {
	return &report{
		out:         out,
		forbidSkips: forbidSkips,
		output:      make(map[string]map[string][]string),
		last:        make(map[string]string),
		skipped:     make(map[string][]string),
	}
}

func (r *report) read(in io.Reader) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		var e event
		if json.Unmarshal([]byte(line), &e) == nil && e.Action != "" {
			r.add(e)
		} else {
			fmt.Fprint(r.out, line) // go's own words, such as a module that can't be had
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading events: %w", err)
		}
	}
}

func (r *report) add(e event) {
	switch e.Action {
	case "build-output":
		fmt.Fprint(r.out, e.Output)
	case "output":
		r.keep(e)
	case "skip":
		if e.Test != "" {
			r.skipped[e.Package] = append(r.skipped[e.Package], e.Test)
			return
		}
		r.endPackage(e, true) // it has no test files
	case "pass":
		r.endOf(e, true)
	case "fail":
		r.endOf(e, false)
	}
}

// keep holds output back until it is known whether anybody needs it.
func (r *report) keep(e event) {
	if e.Test == "" && isPackageLine(e.Output) {
		r.last[e.Package] = e.Output
		return
	}
	if r.output[e.Package] == nil {
		r.output[e.Package] = make(map[string][]string)
	}
	r.output[e.Package][e.Test] = append(r.output[e.Package][e.Test], e.Output)
}

func isPackageLine(s string) bool {
	return strings.HasPrefix(s, "ok  \t") || strings.HasPrefix(s, "FAIL\t") || strings.HasPrefix(s, "?   \t")
}

func (r *report) endOf(e event, ok bool) {
	if e.Test == "" {
		r.endPackage(e, ok)
		return
	}
	if !ok {
		r.show(e.Package, e.Test)
	}
	delete(r.output[e.Package], e.Test)
}

func (r *report) endPackage(e event, ok bool) {
	if !ok {
		// A test that never ended (a panic, a time-out) has not been shown.
		for test := range r.output[e.Package] {
			r.show(e.Package, test)
		}
	}
	line := r.last[e.Package]
	if line == "" && !ok {
		line = fmt.Sprintf("FAIL\t%s\n", e.Package)
	}
	fmt.Fprint(r.out, line)
	if ok {
		r.passed++
	} else {
		r.failed = append(r.failed, line)
	}
	delete(r.output, e.Package)
}

func (r *report) show(pkg, test string) {
	for _, line := range r.output[pkg][test] {
		if !strings.HasPrefix(line, "=== ") && line != "PASS\n" && line != "FAIL\n" {
			fmt.Fprint(r.out, line)
		}
	}
	delete(r.output[pkg], test)
}

// finish repeats what failed at the end, where it is looked for, and tells whether all is well.
func (r *report) finish() bool {
	lines := r.failed
	for pkg, tests := range r.skipped {
		for _, test := range tests {
			fmt.Fprintf(r.out, "SKIP\t%s\t%s\n", pkg, test)
		}
		if r.forbidSkips {
			lines = append(lines, fmt.Sprintf("FAIL\t%s\ttests were skipped, and CI=true\n", pkg))
		}
	}
	if r.passed+len(r.failed) == 0 {
		lines = append(lines, "FAIL\tno package was tested\n")
	}
	if len(lines) > 0 {
		fmt.Fprintf(r.out, "\nFailed:\n%s", strings.Join(lines, ""))
	}
	return len(lines) == 0
}
