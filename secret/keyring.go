package secret

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// ErrSealed is Open's answer when it can't open: sealed for another place, altered, or sealed
// with a key that this keyring lacks or has disabled. It does not tell which.
var ErrSealed = errors.New("the sealed value does not open here")

// Place is where a sealed value lives. It is bound to the ciphertext as associated data, so a
// ciphertext that is moved to another row, user, connection or column does not open.
type Place struct {
	Table      string
	Account    string
	HostUser   string
	Connection string
	Field      string
}

// placeVersion names the encoding of Place, so that another one can follow without confusion.
const placeVersion = "linkgate place 1"

// associatedData encodes p: each part is preceded by its length, so that no two places have the
// same encoding, whatever characters their parts hold.
func (p Place) associatedData() []byte {
	var b []byte
	for _, part := range []string{placeVersion, p.Table, p.Account, p.HostUser, p.Connection, p.Field} {
		b = binary.BigEndian.AppendUint64(b, uint64(len(part)))
		b = append(b, part...)
	}
	return b
}

// Keyring seals and opens with a Tink keyset. It is safe for concurrent use.
type Keyring struct {
	aead tink.AEAD
	// What Tink puts before a ciphertext of the primary key: a byte for the format and the key's id.
	primaryPrefix []byte
}

// OpenKeyring reads a keyset as `linkgate keys new` prints it.
func OpenKeyring(keyset Text) (*Keyring, error) {
	h, err := readKeyset(keyset)
	if err != nil {
		return nil, err
	}
	primitive, err := aead.New(h)
	if err != nil {
		// Tink's words are left out: they come from reading keys.
		return nil, fmt.Errorf("%w: its keys are not for authenticated encryption (AEAD)", ErrKeyset)
	}
	primary, err := h.Primary()
	if err != nil {
		return nil, fmt.Errorf("%w: it has no primary key", ErrKeyset)
	}
	return &Keyring{aead: primitive, primaryPrefix: keyPrefix(primary.KeyID())}, nil
}

// Seal encrypts plain for at, with the primary key.
func (k *Keyring) Seal(plain []byte, at Place) ([]byte, error) {
	sealed, err := k.aead.Encrypt(plain, at.associatedData())
	if err != nil {
		return nil, fmt.Errorf("sealing: %w", err)
	}
	return sealed, nil
}

// Open decrypts what Seal made for the same place, with any enabled key; else ErrSealed.
func (k *Keyring) Open(sealed []byte, at Place) ([]byte, error) {
	plain, err := k.aead.Decrypt(sealed, at.associatedData())
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}

// Stale tells whether sealed was not sealed with the primary key, so that it wants sealing anew.
func (k *Keyring) Stale(sealed []byte) bool { return !bytes.HasPrefix(sealed, k.primaryPrefix) }

// keyPrefix is Tink's wire format for ciphertexts of keys of the TINK output type, the only type
// that readKeyset lets in.
func keyPrefix(id uint32) []byte { return binary.BigEndian.AppendUint32([]byte{1}, id) }
