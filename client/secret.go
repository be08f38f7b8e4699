package client

import (
	"fmt"
	"io"
	"log/slog"
)

// Secret is a string that is not printed: package fmt and package log/slog show "[redacted]".
// string(s) is the secret itself, and so is its JSON, which is how it travels.
type Secret string

const redacted = "[redacted]"

var (
	_ fmt.Formatter  = Secret("")
	_ slog.LogValuer = Secret("")
)

// Format prints "[redacted]" for every verb and flag.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue gives "[redacted]" to slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
