package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"linkgate/config"
	"linkgate/secret"
)

// keysetFile is where in DATA_DIR a single machine keeps its keyset.
const keysetFile = "keyset"

// keysetPlace is the keyset that a keys command works on: a file that is edited in place, or the
// standard input, with the new keyset on the standard output.
type keysetPlace struct {
	file  string
	stdin bool
}

func (p *keysetPlace) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.file, "file", "", "the keyset's `path` (default DATA_DIR/keyset)")
	cmd.Flags().BoolVar(&p.stdin, "stdin", false, "read the keyset from the standard input, write to the standard output")
}

// path is the file: --file, or the keyset in the configured DATA_DIR.
func (p *keysetPlace) path() string {
	if p.file != "" {
		return p.file
	}
	return filepath.Join(config.DataDir(config.OS()), keysetFile)
}

func (p *keysetPlace) read(cmd *cobra.Command) (secret.Text, error) {
	switch {
	case p.stdin && p.file != "":
		return secret.Text{}, misuse("Use one of them.", "--file and --stdin both say where the keyset is")
	case p.stdin:
		b, err := io.ReadAll(cmd.InOrStdin())
		if err != nil {
			return secret.Text{}, fmt.Errorf("reading the keyset: %w", err)
		}
		return secret.New(string(b)), nil
	}
	b, err := os.ReadFile(p.path())
	if errors.Is(err, fs.ErrNotExist) {
		return secret.Text{}, misuse("Name another with --file or --stdin; `linkgate keys new` makes one, and so does `linkgate serve` on its first start.",
			"there is no keyset at %s", p.path())
	}
	if err != nil {
		return secret.Text{}, fmt.Errorf("reading the keyset: %w", err)
	}
	return secret.New(string(b)), nil
}

// edit changes the keyset where it is. A file is replaced whole, or not at all.
func (p *keysetPlace) edit(cmd *cobra.Command, change func(secret.Text) (secret.Text, error)) error {
	if p.stdin {
		keyset, err := p.read(cmd)
		if err != nil {
			return err
		}
		if keyset, err = change(keyset); err != nil {
			return p.explain(err)
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), keyset.Reveal())
		return err
	}
	return p.editFile(cmd, change)
}

// editFile writes the new keyset beside the old and renames it. The new file is made exclusively,
// so it also keeps a second edit from beginning before the first has ended.
func (p *keysetPlace) editFile(cmd *cobra.Command, change func(secret.Text) (secret.Text, error)) error {
	if _, err := p.read(cmd); err != nil {
		return err
	}
	path, err := filepath.EvalSymlinks(p.path())
	if err != nil {
		return fmt.Errorf("finding the keyset: %w", err)
	}
	fresh := path + ".new"
	f, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return &failure{code: exitFailure, err: fmt.Errorf("%s is there: another edit is under way or was cut off", fresh),
			remedy: "If no other is under way, remove that file: the keyset itself is whole."}
	}
	if err != nil {
		return fmt.Errorf("editing the keyset: %w", err)
	}
	if err := p.replace(cmd, f, path, change); err != nil {
		return errors.Join(err, os.Remove(fresh))
	}
	return syncDir(filepath.Dir(path))
}

// replace reads the keyset once more, now that nobody else can edit it, and puts the changed one
// in its place by way of f.
func (p *keysetPlace) replace(cmd *cobra.Command, f *os.File, path string, change func(secret.Text) (secret.Text, error)) error {
	keyset, err := p.read(cmd)
	if err == nil {
		keyset, err = change(keyset)
	}
	if err != nil {
		return errors.Join(p.explain(err), f.Close())
	}
	old, err := os.Stat(path)
	if err == nil {
		err = keepOwner(f, old)
	}
	if err == nil {
		_, err = fmt.Fprintln(f, keyset.Reveal())
	}
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("writing the keyset: %w", err)
	}
	return os.Rename(f.Name(), path)
}

// syncDir makes a renamed file's new name survive a loss of power.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("syncing %s: %w", dir, err)
	}
	return errors.Join(d.Sync(), d.Close())
}

// explain adds to an error of package secret what the user can do.
func (p *keysetPlace) explain(err error) error {
	remedies := map[error]string{
		secret.ErrKeyset:      "Give it the whole output of `linkgate keys new`, unchanged.",
		secret.ErrNoKey:       "`linkgate keys list` shows the ids of the keys.",
		secret.ErrPrimaryKey:  "`linkgate keys promote` makes another key primary.",
		secret.ErrKeyDisabled: "`linkgate keys add` makes a new key.",
	}
	for known, remedy := range remedies {
		if errors.Is(err, known) {
			return &failure{code: exitUsage, err: err, remedy: remedy}
		}
	}
	return err
}
