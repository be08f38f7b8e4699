package secret_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"linkgate/secret"
)

func TestLoadOrCreateKeyset(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data", "keyset")
	first, created, err := secret.LoadOrCreateKeyset(path)
	if err != nil || !created {
		t.Fatalf("first: created = %v, %v", created, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode(); got != 0o600 {
		t.Errorf("mode %v, want 0600", got)
	}
	second, created, err := secret.LoadOrCreateKeyset(path)
	if err != nil || created {
		t.Fatalf("second: created = %v, %v", created, err)
	}
	sealed := seal(t, openKeyring(t, first), plain, home)
	wantOpens(t, "read again", openKeyring(t, second), sealed)
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("left %v beside the keyset, %v", entries, err)
	}
}

func TestLoadOrCreateKeysetAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyset")
	const processes = 32
	keysets, makers := make([]secret.Text, processes), make([]bool, processes)
	var wg sync.WaitGroup
	for i := range processes {
		wg.Go(func() {
			var err error
			if keysets[i], makers[i], err = secret.LoadOrCreateKeyset(path); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	made := 0
	sealed := seal(t, openKeyring(t, keysets[0]), plain, home)
	for i := range processes {
		wantOpens(t, "another process", openKeyring(t, keysets[i]), sealed)
		if makers[i] {
			made++
		}
	}
	if made != 1 {
		t.Errorf("%d processes say that they made the keyset, want 1", made)
	}
}

func TestLoadOrCreateKeysetRefuses(t *testing.T) {
	keyset := newKeyset(t)
	for _, tt := range []struct {
		name    string
		content string
		mode    fs.FileMode
		want    error
	}{
		{"group may read", keyset.Reveal(), 0o640, secret.ErrKeysetFileMode},
		{"others may read", keyset.Reveal(), 0o604, secret.ErrKeysetFileMode},
		{"group may write", keyset.Reveal(), 0o620, secret.ErrKeysetFileMode},
		{"cut short", keyset.Reveal()[:50], 0o600, secret.ErrKeyset},
		{"empty", "", 0o600, secret.ErrKeyset},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "keyset")
			if err := os.WriteFile(path, []byte(tt.content), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, tt.mode); err != nil {
				t.Fatal(err)
			}
			if _, _, err := secret.LoadOrCreateKeyset(path); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if after, err := os.ReadFile(path); err != nil || string(after) != tt.content {
				t.Errorf("the file was changed, %v", err)
			}
		})
	}
	t.Run("a directory", func(t *testing.T) {
		if _, _, err := secret.LoadOrCreateKeyset(t.TempDir()); !errors.Is(err, secret.ErrKeysetFileMode) {
			t.Errorf("got %v, want ErrKeysetFileMode", err)
		}
	})
	t.Run("a file in the way of the directory", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "data")
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, created, err := secret.LoadOrCreateKeyset(filepath.Join(path, "keyset")); err == nil || created {
			t.Errorf("created = %v, %v", created, err)
		}
	})
}
