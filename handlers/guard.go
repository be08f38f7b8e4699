package handlers

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"linkgate/secret"
)

// The headers that the host adds, in Go's canonical spelling: they are looked up in the map
// itself, because Header.Get hides duplicates.
const (
	secretHeader = "Blink-Auth-Proxysecret"
	userHeader   = "Blink-Auth-Userid"
)

const userIDLimit = 256 // bytes

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
	if len(users) != 1 || !validUserID(users[0]) {
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

// validUserID tells whether id can be what the host sent for exactly one user. A comma can't: a
// proxy on the way may have joined two headers with it (RFC 9110 §5.3). A dot segment can't: the
// id becomes part of a path in calls to the host.
func validUserID(id string) bool {
	return id != "" && len(id) <= userIDLimit && !strings.Contains(id, ",") && validSegment(id)
}

// validSegment tells whether a value from outside can be an id: one path segment of visible
// characters, with no space around it.
func validSegment(s string) bool {
	if s == "" || s == "." || s == ".." || s != strings.TrimSpace(s) || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !unicode.IsGraphic(r) || r == '/' || r == '\\' {
			return false
		}
	}
	return true
}
