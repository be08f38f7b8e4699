// Package secret holds what must not be seen: Text, a string that can't be printed,
// and Keyring, which seals bytes so that they open only at the place they were sealed for.
//
// A Keyring reads a keyset, itself a Text. The functions on keysets (NewKeyset, AddKey,
// PromoteKey, DisableKey) are what an operator rotates keys with: add a key everywhere, promote
// it, seal anew what Stale tells, then disable the old one.
package secret

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Text is a secret string. Every way of printing it gives "[redacted]"; Reveal is the only way
// out, so that a search for Reveal finds every place a secret leaves. The zero value is empty.
type Text struct {
	// Forbids ==, which would compare addresses.
	_ [0]func()
	// A pointer, because fmt calls no methods on unexported fields of other structs, nor for %p:
	// there it prints what it finds, which is then an address.
	s *string
}

var (
	_ fmt.Formatter  = Text{}
	_ fmt.GoStringer = Text{}
	_ slog.LogValuer = Text{}
)

// New wraps s.
func New(s string) Text {
	if s == "" {
		return Text{}
	}
	return Text{s: &s}
}

// Reveal returns the secret itself.
func (t Text) Reveal() string {
	if t.s == nil {
		return ""
	}
	return *t.s
}

// IsZero tells whether there is no secret at all.
func (t Text) IsZero() bool { return t.s == nil }

// Equal compares in a time that depends on neither content nor common prefix. Two empty texts
// are equal: whoever guards a door with Equal refuses an empty secret first.
func (t Text) Equal(u Text) bool {
	a, b := sha256.Sum256([]byte(t.Reveal())), sha256.Sum256([]byte(u.Reveal()))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// Format prints "[redacted]" for every verb and flag.
func (t Text) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// String is for those who ask for it without fmt, such as a panic.
func (t Text) String() string { return redacted }

// GoString is for %#v where Format does not get to see it.
func (t Text) GoString() string { return redacted }

// MarshalText gives [redacted] to JSON, YAML, XML and others. What stores a secret on purpose says
// Reveal.
func (t Text) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue gives "[redacted]" to slog.
func (t Text) LogValue() slog.Value { return slog.StringValue(redacted) }

// UnmarshalText takes the secret from an environment variable, YAML or JSON. It refuses
// "[redacted]": somebody has copied or stored a printed secret and would find out much later.
func (t *Text) UnmarshalText(b []byte) error {
	if string(b) == redacted {
		return errors.New("the secret is the placeholder " + redacted + ", not a secret")
	}
	*t = New(string(b))
	return nil
}
