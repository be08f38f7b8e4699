package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"

	"linkgate/client"
)

// importState keeps which lines are imported, for the next run: a page that says of which import it is, and for each
// line a part of its hash once it is imported, at a place that follows from its number. So it is as fast for the last
// line as for the first, nothing of it is kept in memory, and a line that was edited is imported again.
type importState struct {
	f    *os.File // nil: nothing is kept
	path string
}

const (
	statePage = 1024 // bytes
	stateSum  = 16   // bytes of a line's hash
)

// openImportState opens what an earlier run has left at path, or begins; no path: nothing is kept.
func openImportState(path, address string, o client.ImportOptions) (*importState, error) {
	if path == "" {
		return &importState{}, nil
	}
	page := fmt.Appendf(nil, "linkgate accounts import, to %s (validate-scope=%t, request-profile=%t)\n", address, !o.AllowMissingScopes, !o.TrustProfile)
	if len(page) > statePage {
		return nil, misuse("", "the address of Linkgate is too long")
	}
	page = append(page, bytes.Repeat([]byte{' '}, statePage-len(page))...)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, &failure{code: exitFailure, err: fmt.Errorf("keeping what is done: %w", err), remedy: "--resume FILE keeps it elsewhere."}
	}
	found := make([]byte, statePage)
	switch n, err := f.ReadAt(found, 0); {
	case n == 0 && errors.Is(err, io.EOF):
		_, err = f.WriteAt(page, 0)
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("keeping what is done: %w", err)
		}
	case !bytes.Equal(found, page):
		f.Close()
		return nil, misuse("Give the same address and flags again, or begin anew: delete the file, or name another with --resume.",
			"%s is of another import%s", path, ofWhich(found))
	}
	return &importState{f: f, path: path}, nil
}

// ofWhich quotes the first line of a state file, if it is one.
func ofWhich(page []byte) string {
	line, _, _ := bytes.Cut(page, []byte{'\n'})
	_, which, ok := bytes.Cut(line, []byte("linkgate accounts import, "))
	if !ok {
		return ""
	}
	return ": " + oneLine(string(which))
}

// has tells whether the line is imported.
func (s *importState) has(number int64, sum [sha256.Size]byte) bool {
	if s.f == nil {
		return false
	}
	found := make([]byte, stateSum)
	_, err := s.f.ReadAt(found, stateAt(number))
	return err == nil && bytes.Equal(found, sum[:stateSum])
}

// mark keeps that the line is imported.
func (s *importState) mark(number int64, sum [sha256.Size]byte) error {
	if s.f == nil {
		return nil
	}
	if _, err := s.f.WriteAt(sum[:stateSum], stateAt(number)); err != nil {
		return &failure{code: exitFailure, err: fmt.Errorf("keeping what is done: %w", err)}
	}
	return nil
}

func stateAt(number int64) int64 { return statePage + (number-1)*stateSum }

// Close closes the file.
func (s *importState) Close() error {
	if s.f == nil {
		return nil
	}
	return s.f.Close()
}
