package secret_test

import (
	"bytes"
	"errors"
	"testing"

	"linkgate/secret"
)

func newKeyset(t testing.TB) secret.Text {
	t.Helper()
	keyset, err := secret.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	return keyset
}

func openKeyring(t testing.TB, keyset secret.Text) *secret.Keyring {
	t.Helper()
	k, err := secret.OpenKeyring(keyset)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func seal(t testing.TB, k *secret.Keyring, plain string, at secret.Place) []byte {
	t.Helper()
	sealed, err := k.Seal([]byte(plain), at)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

var home = secret.Place{Table: "accounts", Account: "acc_1", HostUser: "u1", Connection: "7f3c", Field: "credential"}

func TestSealedOpensOnlyAtItsPlace(t *testing.T) {
	k := openKeyring(t, newKeyset(t))
	sealed := seal(t, k, plain, home)
	if bytes.Contains(sealed, []byte(plain)) {
		t.Fatal("the ciphertext shows the plaintext")
	}
	if got, err := k.Open(sealed, home); err != nil || string(got) != plain {
		t.Fatalf("Open at its place: %v", err)
	}
	for name, move := range map[string]func(*secret.Place){
		"table":      func(p *secret.Place) { p.Table = "sessions" },
		"account":    func(p *secret.Place) { p.Account = "acc_2" },
		"host user":  func(p *secret.Place) { p.HostUser = "u2" },
		"connection": func(p *secret.Place) { p.Connection = "7f3d" },
		"field":      func(p *secret.Place) { p.Field = "attempt" },
		// The next keep the concatenation of the parts, and only move a border between two.
		"table|account":      func(p *secret.Place) { p.Table, p.Account = "accountsacc_", "1" },
		"account|host user":  func(p *secret.Place) { p.Account, p.HostUser = "acc_1u", "1" },
		"user|connection":    func(p *secret.Place) { p.HostUser, p.Connection = "u17", "f3c" },
		"connection|field":   func(p *secret.Place) { p.Connection, p.Field = "7f3", "ccredential" },
		"empty part between": func(p *secret.Place) { p.Account, p.HostUser = "", "acc_1u1" },
	} {
		at := home
		move(&at)
		if _, err := k.Open(sealed, at); !errors.Is(err, secret.ErrSealed) {
			t.Errorf("%s moved: got %v, want ErrSealed", name, err)
		}
	}
}

func TestAlteredDoesNotOpen(t *testing.T) {
	k := openKeyring(t, newKeyset(t))
	sealed := seal(t, k, plain, home)
	for i := range sealed {
		altered := bytes.Clone(sealed)
		altered[i] ^= 1
		if _, err := k.Open(altered, home); !errors.Is(err, secret.ErrSealed) {
			t.Errorf("byte %d altered: got %v, want ErrSealed", i, err)
		}
		if _, err := k.Open(sealed[:i], home); !errors.Is(err, secret.ErrSealed) {
			t.Errorf("cut to %d bytes: got %v, want ErrSealed", i, err)
		}
	}
	other := openKeyring(t, newKeyset(t))
	if _, err := other.Open(sealed, home); !errors.Is(err, secret.ErrSealed) {
		t.Errorf("another keyset: got %v, want ErrSealed", err)
	}
}

func TestSealingTwiceDiffers(t *testing.T) {
	k := openKeyring(t, newKeyset(t))
	if bytes.Equal(seal(t, k, plain, home), seal(t, k, plain, home)) {
		t.Error("equal plaintexts have equal ciphertexts")
	}
}

func TestRotation(t *testing.T) {
	keyset := newKeyset(t)
	keys, err := secret.Keys(keyset)
	if err != nil {
		t.Fatal(err)
	}
	oldID := keys[0].ID
	sealed := seal(t, openKeyring(t, keyset), plain, home)

	keyset, newID, err := secret.AddKey(keyset)
	if err != nil {
		t.Fatal(err)
	}
	k := openKeyring(t, keyset)
	wantOpens(t, "added", k, sealed)
	if k.Stale(sealed) || k.Stale(seal(t, k, plain, home)) {
		t.Error("a key that was only added is used to seal")
	}
	beforePromotion := openKeyring(t, keyset) // a replica with yesterday's keyset

	if keyset, err = secret.PromoteKey(keyset, newID); err != nil {
		t.Fatal(err)
	}
	k = openKeyring(t, keyset)
	wantOpens(t, "promoted", k, sealed)
	fresh := seal(t, k, plain, home)
	wantOpens(t, "promoted, at a replica that has the key added", beforePromotion, fresh)
	if !k.Stale(sealed) || k.Stale(fresh) {
		t.Errorf("Stale(old) = %v, Stale(new) = %v, want true, false", k.Stale(sealed), k.Stale(fresh))
	}

	if keyset, err = secret.DisableKey(keyset, oldID); err != nil {
		t.Fatal(err)
	}
	k = openKeyring(t, keyset)
	wantOpens(t, "disabled", k, fresh)
	if _, err := k.Open(sealed, home); !errors.Is(err, secret.ErrSealed) {
		t.Errorf("sealed with a disabled key: got %v, want ErrSealed", err)
	}
}

func wantOpens(t *testing.T, when string, k *secret.Keyring, sealed []byte) {
	t.Helper()
	if got, err := k.Open(sealed, home); err != nil || string(got) != plain {
		t.Errorf("%s: does not open: %v", when, err)
	}
}

func FuzzSealOpen(f *testing.F) {
	f.Add([]byte("plain"), "accounts", "acc_1", "u1", "7f3c", "credential", []byte("moved"))
	f.Add([]byte{}, "", "", "", "", "", []byte{1, 0, 0, 0, 1})
	f.Add([]byte{0}, "a\x00b", "ü", "\xff", "|", ":", bytes.Repeat([]byte{1}, 64))
	k := openKeyring(f, newKeyset(f))
	f.Fuzz(func(t *testing.T, plain []byte, table, account, user, connection, field string, garbage []byte) {
		at := secret.Place{Table: table, Account: account, HostUser: user, Connection: connection, Field: field}
		sealed, err := k.Seal(plain, at)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := k.Open(sealed, at); err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("Open(Seal(%x)) = %x, %v", plain, got, err)
		}
		moved := secret.Place{Table: table + account, HostUser: user, Connection: connection, Field: field}
		if account != "" {
			if _, err := k.Open(sealed, moved); !errors.Is(err, secret.ErrSealed) {
				t.Fatalf("opened at %+v what was sealed at %+v", moved, at)
			}
		}
		if _, err := k.Open(garbage, at); !errors.Is(err, secret.ErrSealed) {
			t.Fatalf("garbage opened: %v", err)
		}
	})
}
