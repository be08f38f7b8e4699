package apikey

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"math/big"
	"regexp"
	"strings"

	"linkgate/secret"
)

// A key is
//
//	lg_IIIIIIIIIIIIIIII_SSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSCCCCCC
//
// with 16 characters of its id, 43 for 32 random bytes and 6 of checksum: the CRC-32 (IEEE) of all
// before it. All three are numbers in base 62 (0-9, a-z, A-Z; the largest digit first), so that a
// double click selects the whole, and a scanner for leaks can be sure of what it has found without
// asking anybody.
const (
	prefix      = "lg_"
	idDigits    = 16
	keyDigits   = 43
	checkDigits = 6
	keyBytes    = 32

	idLength    = len(prefix) + idDigits
	checkedPart = idLength + len("_") + keyDigits
)

var form = regexp.MustCompile(`^lg_[0-9A-Za-z]{16}_[0-9A-Za-z]{49}$`)

// generate makes a key and its id.
func generate() (id string, whole secret.Text, err error) {
	limit := new(big.Int).Exp(big.NewInt(62), big.NewInt(idDigits), nil)
	number, err := rand.Int(rand.Reader, limit)
	if err != nil {
		return "", secret.Text{}, fmt.Errorf("making an API key: %w", err)
	}
	random := make([]byte, keyBytes)
	if _, err := rand.Read(random); err != nil {
		return "", secret.Text{}, fmt.Errorf("making an API key: %w", err)
	}
	id = prefix + base62(number, idDigits)
	body := id + "_" + base62(new(big.Int).SetBytes(random), keyDigits)
	return id, secret.New(body + checksum(body)), nil
}

func base62(n *big.Int, digits int) string {
	text := n.Text(62)
	return strings.Repeat("0", digits-len(text)) + text
}

func checksum(body string) string {
	return base62(new(big.Int).SetUint64(uint64(crc32.ChecksumIEEE([]byte(body)))), checkDigits)
}

// isOurs tells what means to be a key that was made here, rather than one of the operator's own.
func isOurs(presented string) bool { return strings.HasPrefix(presented, prefix) }

// parse finds the id in a key with the right form and checksum.
func parse(presented string) (id string, ok bool) {
	if !form.MatchString(presented) || checksum(presented[:checkedPart]) != presented[checkedPart:] {
		return "", false
	}
	return presented[:idLength], true
}

// IDOf is the id of a key that somebody gave for its id, as with a key that was found somewhere;
// else what was given.
func IDOf(given string) string {
	if form.MatchString(given) {
		return given[:idLength]
	}
	return given
}

// minStatic is the least length of a key in API_KEYS, in characters.
const minStatic = 32

// Mistakes in API_KEYS.
var (
	ErrShort    = fmt.Errorf("shorter than %d characters", minStatic)
	ErrUnusable = errors.New("not free of spaces, control characters and characters beyond ASCII")
)

// ParseStatic reads one key of API_KEYS: the key, or the key, "=" and its scopes with "+" between
// them; without any it has all. It may be of our form (ErrMalformed) or any 32 characters that fit
// into a header (ErrShort, ErrUnusable). ErrScope. No error repeats any of it.
func ParseStatic(text secret.Text) (Key, error) {
	whole, scopes := text.Reveal(), AllScopes()
	if i := strings.LastIndexByte(whole, '='); i >= 0 && i < len(whole)-1 { // one at the end is base64's
		var err error
		if scopes, err = ParseScopes(strings.Split(whole[i+1:], "+")); err != nil {
			return Key{}, err
		}
		whole = whole[:i]
	}
	switch {
	case strings.ContainsFunc(whole, func(r rune) bool { return r <= ' ' || r > '~' }):
		return Key{}, ErrUnusable
	case len(whole) < minStatic:
		return Key{}, ErrShort
	}
	if _, ok := parse(whole); isOurs(whole) && !ok {
		return Key{}, ErrMalformed
	}
	hash := sha256.Sum256([]byte(whole))
	return Key{ID: staticID(hash), Name: "API_KEYS", Scopes: scopes, hash: hash}, nil
}

const staticPrefix = "env_"

// staticID names a key of API_KEYS in lists and logs.
func staticID(hash [sha256.Size]byte) string { return staticPrefix + hex.EncodeToString(hash[:4]) }
