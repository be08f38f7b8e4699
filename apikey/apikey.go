// Package apikey knows who calls the accounts API: keys with scopes, made by `linkgate apikeys new`
// or given in API_KEYS. It owns their form (token.go), their rows in SQL (store.go) and what each
// replica remembers of those, so that a request that shows a known key costs no SQL (known.go).
//
// A key is shown once. What is kept is its SHA-256, which is enough: a key that is made here has 256
// random bits, so that there is nothing to guess and no need for a slow hash. What a request may do
// with which scope is for package handlers to say.
package apikey

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"slices"
	"strings"
	"time"

	"linkgate/secret"
)

// Errors of Authenticate and of the Store. None repeats what was presented.
var (
	// ErrUnknown: no key in force; it was never made here, or is revoked.
	ErrUnknown = errors.New("the API key is not known, or was revoked")
	// ErrMalformed: it looks like a key of ours, and its checksum is wrong.
	ErrMalformed = errors.New("the API key is not whole: a character is missing or wrong")
	// ErrTooMany: the key's limit (API_RATE) is reached for now.
	ErrTooMany = errors.New("too many requests with this API key")
	// ErrNotFound: there is no key with this id in the database.
	ErrNotFound = errors.New("no API key with this id")
)

// Key is an API key without the key itself.
type Key struct {
	ID         string // with which the key begins (lg_ and 16 characters), or env_ and 8 hex digits: in API_KEYS
	Name       string
	Scopes     []Scope
	CreatedAt  time.Time // zero: in API_KEYS, and not known
	LastUsedAt time.Time // to the minute; zero: never, or in API_KEYS, and not known
	RevokedAt  time.Time // zero: in force

	hash [sha256.Size]byte // of the whole key
}

// Allows tells whether the key has a scope.
func (k Key) Allows(s Scope) bool { return slices.Contains(k.Scopes, s) }

// InEnvironment tells a key of API_KEYS: it has no row in SQL and is revoked by taking it out there.
func (k Key) InEnvironment() bool { return strings.HasPrefix(k.ID, staticPrefix) }

// SameAs tells whether two are the same key, wherever each is kept.
func (k Key) SameAs(other Key) bool { return k.is(other.hash) }

// is compares in constant time.
func (k Key) is(hash [sha256.Size]byte) bool {
	return subtle.ConstantTimeCompare(k.hash[:], hash[:]) == 1
}

// Limiter says whether id may do once more what is limited.
type Limiter interface {
	Allow(id string) (bool, error)
}

// Authenticate finds the key that was presented: ErrUnknown, ErrMalformed or ErrTooMany; any other
// error is the database's. Keys of API_KEYS are known without it.
//
// Time tells nothing of a key. It is looked for by its id, which is no secret, or by eight digits of
// its hash; what decides is a comparison of whole hashes in constant time.
func (s *Store) Authenticate(ctx context.Context, presented secret.Text) (Key, error) {
	k, err := s.identify(ctx, presented.Reveal())
	if err != nil {
		return Key{}, err
	}
	if s.Limit != nil {
		if ok, err := s.Limit.Allow(k.ID); err != nil || !ok {
			return k, ErrTooMany
		}
	}
	s.touch(ctx, k)
	return k, nil
}

func (s *Store) identify(ctx context.Context, presented string) (Key, error) {
	hash := sha256.Sum256([]byte(presented))
	for _, k := range s.Static {
		if k.ID == staticID(hash) && k.is(hash) {
			return k, nil
		}
	}
	if !isOurs(presented) {
		return Key{}, ErrUnknown
	}
	id, ok := parse(presented)
	if !ok {
		return Key{}, ErrMalformed
	}
	k, err := s.find(ctx, id)
	if err != nil {
		return Key{}, err
	}
	if !k.is(hash) {
		return Key{}, ErrUnknown
	}
	return k, nil
}
