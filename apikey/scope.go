package apikey

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Scope is something that a key may do at the accounts API.
type Scope string

// What there is to be allowed.
const (
	AccountsRead  Scope = "accounts:read" // accounts, components and events
	AccountsWrite Scope = "accounts:write"
	TokensRead    Scope = "tokens:read" // access tokens in the clear
	SessionsWrite Scope = "sessions:write"
	CallsWrite    Scope = "calls:write"
	UsersDelete   Scope = "users:delete" // off-boarding
)

// AllScopes is every scope there is.
func AllScopes() []Scope {
	return []Scope{AccountsRead, AccountsWrite, TokensRead, SessionsWrite, CallsWrite, UsersDelete}
}

// ErrScope: a word that is no scope. It does not repeat the word, for it may be part of a key.
var ErrScope = errors.New("not a scope")

// ParseScopes reads scopes, each once, in the order of AllScopes. ErrScope also when there are none.
func ParseScopes(words []string) ([]Scope, error) {
	for i, word := range words {
		if !slices.Contains(AllScopes(), Scope(word)) {
			return nil, fmt.Errorf("number %d of the scopes: %w", i+1, ErrScope)
		}
	}
	scopes := slices.DeleteFunc(AllScopes(), func(s Scope) bool { return !slices.Contains(words, string(s)) })
	if len(scopes) == 0 {
		return nil, fmt.Errorf("none at all: %w", ErrScope)
	}
	return scopes, nil
}

// Words is scopes as they are written in a list.
func Words(scopes []Scope, separator string) string {
	words := make([]string, len(scopes))
	for i, s := range scopes {
		words[i] = string(s)
	}
	return strings.Join(words, separator)
}
