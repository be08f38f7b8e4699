package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const passing = `
{"Action":"run","Package":"linkgate/a","Test":"TestA"}
{"Action":"output","Package":"linkgate/a","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Package":"linkgate/a","Test":"TestA","Output":"    a_test.go:9: chatter\n"}
{"Action":"pass","Package":"linkgate/a","Test":"TestA"}
{"Action":"output","Package":"linkgate/a","Output":"PASS\n"}
{"Action":"output","Package":"linkgate/a","Output":"ok  \tlinkgate/a\t0.1s\n"}
{"Action":"pass","Package":"linkgate/a"}
{"Action":"output","Package":"linkgate/none","Output":"?   \tlinkgate/none\t[no test files]\n"}
{"Action":"skip","Package":"linkgate/none"}
`

const failing = `
{"Action":"output","Package":"linkgate/b","Test":"TestB","Output":"=== RUN   TestB\n"}
{"Action":"output","Package":"linkgate/b","Test":"TestB","Output":"    b_test.go:7: got 1, want 2\n"}
{"Action":"output","Package":"linkgate/b","Test":"TestB","Output":"--- FAIL: TestB (0.00s)\n"}
{"Action":"fail","Package":"linkgate/b","Test":"TestB"}
{"Action":"output","Package":"linkgate/b","Output":"FAIL\n"}
{"Action":"output","Package":"linkgate/b","Output":"FAIL\tlinkgate/b\t0.1s\n"}
{"Action":"fail","Package":"linkgate/b"}
`

const panicking = `
{"Action":"run","Package":"linkgate/c","Test":"TestC"}
{"Action":"output","Package":"linkgate/c","Test":"TestC","Output":"panic: out of cheese\n"}
{"Action":"output","Package":"linkgate/c","Output":"FAIL\tlinkgate/c\t0.1s\n"}
{"Action":"fail","Package":"linkgate/c"}
`

const unbuildable = `
{"ImportPath":"linkgate/d","Action":"build-output","Output":"d/d.go:3:1: syntax error\n"}
{"ImportPath":"linkgate/d","Action":"build-fail"}
{"Action":"output","Package":"linkgate/d","Output":"FAIL\tlinkgate/d [build failed]\n"}
{"Action":"fail","Package":"linkgate/d","FailedBuild":"linkgate/d"}
`

const skipping = `
{"Action":"skip","Package":"linkgate/e","Test":"TestE"}
{"Action":"output","Package":"linkgate/e","Output":"ok  \tlinkgate/e\t0.1s\n"}
{"Action":"pass","Package":"linkgate/e"}
`

func TestReport(t *testing.T) {
	for _, test := range []struct {
		name   string
		events string
		ci     bool
		ok     bool
		want   string
	}{
		{"passing", passing, true, true, "ok  \tlinkgate/a\t0.1s\n?   \tlinkgate/none\t[no test files]\n"},
		{"failing", failing + passing, true, false, "    b_test.go:7: got 1, want 2\n--- FAIL: TestB (0.00s)\nFAIL\tlinkgate/b\t0.1s\n" +
			"ok  \tlinkgate/a\t0.1s\n?   \tlinkgate/none\t[no test files]\n\nFailed:\nFAIL\tlinkgate/b\t0.1s\n"},
		{"panicking", panicking, true, false, "panic: out of cheese\nFAIL\tlinkgate/c\t0.1s\n\nFailed:\nFAIL\tlinkgate/c\t0.1s\n"},
		{"unbuildable", unbuildable, true, false, "d/d.go:3:1: syntax error\nFAIL\tlinkgate/d [build failed]\n\nFailed:\nFAIL\tlinkgate/d [build failed]\n"},
		{"skipping", skipping, false, true, "ok  \tlinkgate/e\t0.1s\nSKIP\tlinkgate/e\tTestE\n"},
		{"skipping in CI", skipping, true, false, "ok  \tlinkgate/e\t0.1s\nSKIP\tlinkgate/e\tTestE\n\nFailed:\nFAIL\tlinkgate/e\ttests were skipped, and CI=true\n"},
		{"nothing", "", false, false, "\nFailed:\nFAIL\tno package was tested\n"},
		{"go itself", "go: no such module\n", false, false, "go: no such module\n\nFailed:\nFAIL\tno package was tested\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			events := strings.TrimPrefix(strings.ReplaceAll(test.events, "\n\n", "\n"), "\n")
			var out strings.Builder
			r := newReport(&out, test.ci)
			if err := r.read(strings.NewReader(events)); err != nil {
				t.Fatal(err)
			}
			if got := r.finish(); got != test.ok {
				t.Errorf("ok: got %v, want %v", got, test.ok)
			}
			if diff := cmp.Diff(test.want, out.String()); diff != "" {
				t.Errorf("output (-want +got):\n%s", diff)
			}
		})
	}
}
