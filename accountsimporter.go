package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"linkgate/client"
)

// importer imports lines, some at a time. What it holds does not grow with their number.
type importer struct {
	api     *client.Client
	options client.ImportOptions
	done    *importState
	report  *importReport
	show    *importDisplay
	counts  importCounts
	// unanswered counts lines in a row that failed because something did not answer.
	unanswered atomic.Int64
}

// importLine is one line of the file.
type importLine struct {
	number  int64 // from 1
	text    []byte
	size    int  // with its end, in bytes
	tooLong bool // and text is not all of it
}

const (
	longestImport  = 1 << 20 // bytes of a line: what the API takes
	unansweredMost = 32      // lines in a row, then the rest would fare no better
)

// importCounts are how many lines have met which end.
type importCounts struct {
	lines, imported, updated, replayed, skipped, failed atomic.Int64
}

// importTotals are importCounts at one moment.
type importTotals struct {
	Lines    int64 `json:"lines"`    // that were read, without empty ones
	Imported int64 `json:"imported"` // new accounts
	Updated  int64 `json:"updated"`  // the user had the account
	Replayed int64 `json:"replayed"` // Linkgate had imported the line for an earlier run, within a day
	Skipped  int64 `json:"skipped"`  // as the progress file tells, an earlier run has imported them
	Failed   int64 `json:"failed"`
}

func (c *importCounts) snapshot() importTotals {
	return importTotals{c.lines.Load(), c.imported.Load(), c.updated.Load(), c.replayed.Load(), c.skipped.Load(), c.failed.Load()}
}

func (t importTotals) words() string {
	words := fmt.Sprintf("%d imported", t.Imported)
	for _, part := range []struct {
		n    int64
		word string
	}{{t.Updated, "updated"}, {t.Replayed, "imported by an earlier request"}, {t.Skipped, "done before"}, {t.Failed, "failed"}} {
		if part.n > 0 {
			words += fmt.Sprintf(", %d %s", part.n, part.word)
		}
	}
	return words
}

// run imports all lines of in. stop ends ctx, with the reason that run returns then.
func (i *importer) run(ctx context.Context, stop context.CancelCauseFunc, in io.Reader, parallel int) error {
	lines := make(chan importLine)
	var workers sync.WaitGroup
	for range parallel {
		workers.Go(func() {
			for line := range lines {
				if err := i.one(ctx, line); err != nil {
					stop(err)
				}
			}
		})
	}
	err := readLines(ctx, in, lines)
	close(lines)
	workers.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// readLines sends each line that is not empty.
func readLines(ctx context.Context, in io.Reader, lines chan<- importLine) error {
	r := bufio.NewReaderSize(in, 64<<10)
	for number := int64(1); ; number++ {
		line, err := readLine(r)
		if line.number = number; len(line.text) > 0 || line.tooLong {
			select {
			case lines <- line:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading what is to be imported: %w", err)
		}
	}
}

// readLine reads a line of any length, and keeps of it as much as can be imported.
func readLine(r *bufio.Reader) (line importLine, err error) {
	for {
		part, err := r.ReadSlice('\n')
		line.size += len(part)
		if len(line.text)+len(part) > longestImport {
			line.tooLong, line.text = true, nil
		}
		if !line.tooLong {
			line.text = append(line.text, part...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		line.text = bytes.TrimSpace(line.text)
		return line, err
	}
}

// one imports a line. The error is one that ends everything.
func (i *importer) one(ctx context.Context, line importLine) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	i.counts.lines.Add(1)
	defer func() { i.show.advance(line.size, func() string { return i.counts.snapshot().words() }) }()
	switch {
	case line.tooLong:
		return i.failed(line, importFailure{Problem: string(client.PayloadTooLarge), Detail: "the line is longer than 1 MiB"})
	case !json.Valid(line.text):
		return i.failed(line, importFailure{Problem: string(client.InvalidRequest), Detail: "the line is not JSON"})
	}
	sum := i.sum(line.text)
	if i.done.has(line.number, sum) {
		i.counts.skipped.Add(1)
		return nil
	}
	options := i.options
	options.IdempotencyKey = "import-" + base64.RawURLEncoding.EncodeToString(sum[:])
	imported, err := i.patiently(ctx, line.text, options)
	if err != nil {
		return i.unimported(ctx, line, err)
	}
	i.unanswered.Store(0)
	switch {
	case imported.Replayed:
		i.counts.replayed.Add(1)
	case imported.Created:
		i.counts.imported.Add(1)
	default:
		i.counts.updated.Add(1)
	}
	return i.done.mark(line.number, sum)
}

// patiently goes on for as long as there are too many requests.
func (i *importer) patiently(ctx context.Context, text []byte, options client.ImportOptions) (client.Imported, error) {
	for {
		imported, err := i.api.ImportJSON(ctx, text, options)
		if !client.IsProblem(err, client.TooManyRequests) || ctx.Err() != nil {
			return imported, err
		}
	}
}

// sum is what a line is known by: the same line, imported in the same way, has the same.
func (i *importer) sum(text []byte) [sha256.Size]byte {
	return sha256.Sum256(fmt.Appendf(nil, "%t %t\n%s", i.options.AllowMissingScopes, i.options.TrustProfile, text))
}

// unimported tells a failure of one line from one of all.
func (i *importer) unimported(ctx context.Context, line importLine, err error) error {
	if ctx.Err() != nil {
		i.counts.lines.Add(-1) // what became of it is not known
		return err
	}
	p, ok := errors.AsType[*client.Problem](err)
	if !ok {
		return err
	}
	switch p.Kind() {
	case client.Unauthorized, client.InsufficientScope, "":
		return err
	case client.Unavailable:
		if i.unanswered.Add(1) >= unansweredMost {
			return err
		}
	default:
		i.unanswered.Store(0)
	}
	return i.failed(line, importFailure{
		Problem: string(p.Kind()), Status: p.Status, Detail: p.Detail, Errors: p.Errors, Request: p.Instance,
	})
}

func (i *importer) failed(line importLine, f importFailure) error {
	i.counts.failed.Add(1)
	f.Line = line.number
	var named struct {
		UserID string `json:"user_id"`
		AuthID string `json:"auth_id"`
	}
	if json.Unmarshal(line.text, &named) == nil {
		f.UserID, f.AuthID = named.UserID, named.AuthID
	}
	i.show.say(f.words())
	return i.report.add(f)
}
