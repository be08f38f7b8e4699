package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"

	"linkgate/client"
)

// importFailure is why a line was not imported. It has no credential in it.
type importFailure struct {
	Line    int64               `json:"line"`
	UserID  string              `json:"user_id"`
	AuthID  string              `json:"auth_id"`
	Problem string              `json:"problem"` // its kind, as in the API's document
	Status  int                 `json:"status,omitempty"`
	Detail  string              `json:"detail"`
	Errors  []client.FieldError `json:"errors,omitempty"`
	Request string              `json:"request,omitempty"` // names it in Linkgate's log
}

func (f importFailure) words() string {
	return fmt.Sprintf("line %d: %s: %s", f.Line, f.Problem, oneLine(f.Detail))
}

// importReport writes failures as they come, so that it holds none.
type importReport struct {
	mu    sync.Mutex
	f     *os.File // nil: nobody wants one
	w     *bufio.Writer
	isNot bool // the first one is written
}

func newImportReport(path string) (*importReport, error) {
	if path == "" {
		return &importReport{}, nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, misuse("", "--report: %w", err)
	}
	r := &importReport{f: f, w: bufio.NewWriter(f)}
	_, err = r.w.WriteString("{\"failures\": [")
	return r, err
}

func (r *importReport) add(f importFailure) error {
	if r.f == nil {
		return nil
	}
	text, err := json.Marshal(f)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	separator := ",\n  "
	if !r.isNot {
		separator, r.isNot = "\n  ", true
	}
	if _, err := r.w.WriteString(separator + string(text)); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

// close writes the totals, which are known at the end.
func (r *importReport) close(t importTotals) error {
	if r.f == nil {
		return nil
	}
	text, err := json.Marshal(t)
	if err != nil {
		return err
	}
	_, _ = r.w.WriteString("\n], \"totals\": " + string(text) + "}\n") // Flush tells
	if err := r.w.Flush(); err != nil {
		return err
	}
	return r.f.Close()
}

// importDisplay shows how far it is: a bar at a terminal, else a line now and then.
type importDisplay struct {
	mu   sync.Mutex
	w    io.Writer
	bar  *progressbar.ProgressBar // nil: no terminal
	next time.Time                // when a line is due
}

const (
	displayEach = 5 * time.Second        // lines
	barEach     = 100 * time.Millisecond // drawings
)

// newImportDisplay shows on w; size is of all there is to import, in bytes, or -1.
func newImportDisplay(w io.Writer, size int64) *importDisplay {
	d := &importDisplay{w: w, next: time.Now().Add(displayEach)}
	if isTerminal(w) {
		d.bar = progressbar.NewOptions64(size, progressbar.OptionSetWriter(w), progressbar.OptionThrottle(barEach),
			progressbar.OptionSetWidth(30), progressbar.OptionClearOnFinish(), progressbar.OptionSetPredictTime(size > 0))
	}
	return d
}

// advance is told of each line that is settled, how many bytes it had, and what to say.
func (d *importDisplay) advance(size int, words func() string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.bar != nil {
		d.bar.Describe(words())
		_ = d.bar.Add(size) // what can't be shown is no reason to stop
		return
	}
	if now := time.Now(); now.After(d.next) {
		d.next = now.Add(displayEach)
		fmt.Fprintln(d.w, words()+" so far")
	}
}

// say prints a line, above the bar.
func (d *importDisplay) say(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.bar != nil {
		_ = d.bar.Clear()
	}
	fmt.Fprintln(d.w, line)
}

func (d *importDisplay) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.bar != nil {
		_ = d.bar.Finish()
	}
}
