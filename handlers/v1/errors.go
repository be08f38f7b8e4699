package v1

import (
	"errors"
	"fmt"
	"strings"

	"linkgate/apikey"
)

// What is wrong with a request before any use case is called. *Invalid, *ScopeError say more of theirs.
var (
	ErrUnauthorized = errors.New("the API key is missing, doubled, unknown or revoked")
	ErrTooMany      = errors.New("too many requests with this API key")
	ErrMediaType    = errors.New("the body is not JSON")
	ErrScope        = errors.New("the API key lacks a scope")      // *ScopeError
	ErrInvalid      = errors.New("the request has mistakes in it") // *Invalid
)

// ScopeError tells that the key may not do this.
type ScopeError struct{ Needed apikey.Scope }

// Error implements error.
func (e *ScopeError) Error() string {
	return "the API key lacks the scope " + string(e.Needed)
}

// Unwrap lets errors.Is find ErrScope.
func (e *ScopeError) Unwrap() error { return ErrScope }

// Mistake is what is wrong with one part of a request.
type Mistake struct {
	Pointer string `json:"pointer"` // a JSON pointer into the body (RFC 6901), or "?name", or a header's name
	Detail  string `json:"detail"`
}

// Invalid lists the mistakes of a request: all that were found.
type Invalid struct{ Mistakes []Mistake }

// Error implements error. It has names in it, and no values.
func (e *Invalid) Error() string {
	var names []string
	for _, m := range e.Mistakes {
		names = append(names, m.Pointer)
	}
	return "invalid request: " + strings.Join(names, ", ")
}

// Unwrap lets errors.Is find ErrInvalid.
func (e *Invalid) Unwrap() error { return ErrInvalid }

// Detail is what the caller is told.
func (e *Invalid) Detail() string {
	var all []string
	for _, m := range e.Mistakes {
		all = append(all, fmt.Sprintf("%s: %s", m.Pointer, m.Detail))
	}
	return strings.Join(all, "; ")
}

func invalid(pointer, format string, args ...any) *Invalid {
	return &Invalid{[]Mistake{{pointer, fmt.Sprintf(format, args...)}}}
}
