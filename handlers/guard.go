package handlers

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"

	"linkgate/handlers/inbound"
	"linkgate/secret"
)

// The headers that the host adds, in Go's canonical spelling: they are looked up in the map
// itself, because Header.Get hides duplicates.
const (
	secretHeader = "Blink-Auth-Proxysecret"
	userHeader   = "Blink-Auth-Userid"
)

// guard lets only the host in.
type guard struct {
	hashes [][sha256.Size]byte // of the proxy secrets
}

func newGuard(secrets []secret.Text) guard {
	var g guard
	for _, s := range secrets {
		if !s.IsZero() {
			g.hashes = append(g.hashes, sha256.Sum256([]byte(s.Reveal())))
		}
	}
	return g
}

// user is the id of the host user who acted. The user header counts for nothing unless the secret
// is right, so the secret is checked first. errNotHost, errNoUser.
func (g guard) user(h http.Header) (string, error) {
	if !g.isHost(h[secretHeader]) {
		return "", errNotHost
	}
	users := h[userHeader]
	if len(users) != 1 || !inbound.IsUserID(users[0]) {
		return "", errNoUser
	}
	return users[0], nil
}

// isHost compares hashes, so that neither the length nor a common beginning of a secret shows in
// the time it takes, and looks at all of them, so that neither does which one it is.
func (g guard) isHost(values []string) bool {
	if len(values) != 1 {
		return false
	}
	sum := sha256.Sum256([]byte(values[0]))
	found := 0
	for i := range g.hashes {
		found |= subtle.ConstantTimeCompare(sum[:], g.hashes[i][:])
	}
	return found == 1
}
