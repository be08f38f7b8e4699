//go:build unix

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"linkgate/secret"
)

// An administrator edits the keyset, and the service can still read it.
func TestKeysKeepOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyset")
	keyset, err := secret.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(keyset.Reveal()), 0o600); err != nil {
		t.Fatal(err)
	}
	owner := os.Geteuid()
	if owner == 0 {
		owner = 65534 // nobody
		if err := os.Chown(path, owner, owner); err != nil {
			t.Fatal(err)
		}
	}
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"keys", "add", "--file", path}, strings.NewReader(""), &stdout, &stderr); code != exitFine {
		t.Fatalf("exit code %d: %s", code, stderr.String())
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := int(info.Sys().(*syscall.Stat_t).Uid); got != owner {
		t.Errorf("owner is %d, want %d", got, owner)
	}
}
