// Package secret holds what must not be seen: Text, a string that can't be printed,
// and Keyring, which seals bytes so that they open only at the place they were sealed for.
package secret

// Text is a secret string. Every way of printing it gives "[redacted]"; Reveal is the only way
// out, so that a search for Reveal finds every place a secret leaves. The zero value is empty.
type Text struct{ s string }

// New wraps s.
func New(s string) Text { return Text{s} }

// Reveal returns the secret itself.
func (t Text) Reveal() string { return t.s }

// IsZero tells whether there is no secret at all.
func (t Text) IsZero() bool { return t.s == "" }
