package secret

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrKeysetFileMode: somebody but the owner may read or write the keyset's file.
var ErrKeysetFileMode = errors.New("the keyset file must be for its owner alone: chmod 600")

// A keyset of a hundred keys is some 30 KB.
const maxKeysetFile = 1 << 20

// LoadOrCreateKeyset reads the keyset in the file path, or makes one there with mode 0600. Of
// processes that start at once one makes it and all read the same; after a crash the file is
// whole or absent. A file that is there is never replaced, since what is sealed with it would be lost.
func LoadOrCreateKeyset(path string) (text Text, created bool, err error) {
	text, err = loadKeyset(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return text, false, err
	}
	if text, err = NewKeyset(); err != nil {
		return Text{}, false, err
	}
	err = writeNewFile(path, text.Reveal()+"\n")
	if errors.Is(err, fs.ErrExist) { // another process was first: its keyset counts
		text, err = loadKeyset(path)
		return text, false, err
	}
	if err != nil {
		return Text{}, false, fmt.Errorf("writing the keyset file: %w", err)
	}
	return text, true, nil
}

func loadKeyset(path string) (Text, error) {
	f, err := os.Open(path)
	if err != nil {
		return Text{}, fmt.Errorf("opening the keyset file: %w", err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return Text{}, fmt.Errorf("looking at the keyset file: %w", err)
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 {
		return Text{}, fmt.Errorf("%s has mode %v: %w", path, info.Mode(), ErrKeysetFileMode)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxKeysetFile))
	if err != nil {
		return Text{}, fmt.Errorf("reading the keyset file: %w", err)
	}
	text := New(string(b))
	if _, err := readKeyset(text); err != nil {
		return Text{}, fmt.Errorf("reading %s: %w", path, err)
	}
	return text, nil
}

// writeNewFile makes path appear at once with all of its content on the disk, or fails with
// fs.ErrExist when it is there: a hard link, unlike a rename, never replaces.
func writeNewFile(path, content string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".keyset-*") // O_EXCL, mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.WriteString(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir makes a new name in dir survive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
