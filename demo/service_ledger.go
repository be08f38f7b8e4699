package demo

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"slices"
	"sync"
)

// ledger remembers the secrets that passed through the service. The zero value is empty.
type ledger struct {
	mu      sync.Mutex
	secrets []string
	known   map[string]bool
	issued  []string       // codes
	sent    map[string]int // token requests by code
}

// add remembers secrets; empty ones and repeated ones are left out.
func (l *ledger) add(secrets ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known == nil {
		l.known = map[string]bool{}
	}
	for _, s := range secrets {
		if s != "" && !l.known[s] {
			l.known[s] = true
			l.secrets = append(l.secrets, s)
		}
	}
}

func (l *ledger) issueCode(code string) {
	if code == "" {
		return
	}
	l.add(code)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.issued = append(l.issued, code)
}

func (l *ledger) useCode(code string) {
	if code == "" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sent == nil {
		l.sent = map[string]int{}
	}
	l.sent[code]++
}

func (l *ledger) uses(code string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sent[code]
}

func (l *ledger) codes() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.issued)
}

func (l *ledger) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.secrets)
}

// secretHasher keeps client secrets as SHA-256: they are random and long, so a slow hash would
// protect nothing and cost each token request a quarter of a second.
type secretHasher struct{}

var errWrongSecret = errors.New("wrong client secret")

func (secretHasher) Compare(_ context.Context, hash, data []byte) error {
	if subtle.ConstantTimeCompare(hash, hashSecret(data)) != 1 {
		return errWrongSecret
	}
	return nil
}

func (secretHasher) Hash(_ context.Context, data []byte) ([]byte, error) {
	return hashSecret(data), nil
}

func hashSecret(data []byte) []byte {
	sum := sha256.Sum256(data)
	return sum[:]
}
