package secret

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
)

// What is wrong with a keyset or a key id. The texts are for an operator and hold no key.
var (
	ErrKeyset      = errors.New("not a usable keyset")
	ErrNoKey       = errors.New("the keyset has no key with this id")
	ErrPrimaryKey  = errors.New("the primary key can't be disabled: promote another one first")
	ErrKeyDisabled = errors.New("a disabled key can't become primary")
)

// KeyInfo describes a key of a keyset, without the key.
type KeyInfo struct {
	ID      uint32
	Status  string // "enabled", "disabled" or "destroyed"
	Primary bool   // what is sealed now is sealed with this one
}

// NewKeyset makes a keyset of one fresh key. Its text is one line: base64 of Tink's JSON.
func NewKeyset() (Text, error) {
	h, err := keyset.NewHandle(keyTemplate())
	if err != nil {
		return Text{}, fmt.Errorf("making a keyset: %w", err)
	}
	return writeKeyset(h)
}

// AddKey adds a fresh key that opens but does not seal yet, so that every replica can be given
// the new keyset before PromoteKey makes the first ciphertext with it.
func AddKey(text Text) (_ Text, id uint32, err error) {
	h, err := readKeyset(text)
	if err != nil {
		return Text{}, 0, err
	}
	m := keyset.NewManagerFromHandle(h)
	if id, err = m.Add(keyTemplate()); err != nil {
		return Text{}, 0, fmt.Errorf("adding a key: %w", err)
	}
	text, err = finishEdit(m)
	return text, id, err
}

// PromoteKey makes a key the one to seal with. ErrNoKey, ErrKeyDisabled.
func PromoteKey(text Text, id uint32) (Text, error) {
	return editKey(text, id, func(m *keyset.Manager, key KeyInfo) error {
		if key.Status != statusName(keyset.Enabled) {
			return ErrKeyDisabled
		}
		return m.SetPrimary(id)
	})
}

// DisableKey makes what was sealed with a key unreadable, reversibly: the key stays in the
// keyset. ErrNoKey, ErrPrimaryKey.
func DisableKey(text Text, id uint32) (Text, error) {
	return editKey(text, id, func(m *keyset.Manager, key KeyInfo) error {
		if key.Primary {
			return ErrPrimaryKey
		}
		return m.Disable(id)
	})
}

// Keys lists a keyset's keys in its own order.
func Keys(text Text) ([]KeyInfo, error) {
	h, err := readKeyset(text)
	if err != nil {
		return nil, err
	}
	return keyInfos(h)
}

// XAES-256-GCM: AES-256 with 192-bit nonces, which can be random without a limit on how many.
func keyTemplate() *tinkpb.KeyTemplate { return aead.XAES256GCM192BitNonceKeyTemplate() }

// statusName is Tink's own word in lower case.
func statusName(s keyset.KeyStatus) string { return strings.ToLower(s.String()) }

func keyInfos(h *keyset.Handle) ([]KeyInfo, error) {
	var keys []KeyInfo
	for i := range h.Len() {
		e, err := h.Entry(i)
		if err != nil {
			return nil, fmt.Errorf("listing keys: %w", err)
		}
		keys = append(keys, KeyInfo{ID: e.KeyID(), Status: statusName(e.KeyStatus()), Primary: e.IsPrimary()})
	}
	return keys, nil
}

func editKey(text Text, id uint32, edit func(*keyset.Manager, KeyInfo) error) (Text, error) {
	h, err := readKeyset(text)
	if err != nil {
		return Text{}, err
	}
	keys, err := keyInfos(h)
	if err != nil {
		return Text{}, err
	}
	for _, key := range keys {
		if key.ID != id {
			continue
		}
		m := keyset.NewManagerFromHandle(h)
		if err := edit(m, key); err != nil {
			return Text{}, fmt.Errorf("key %d: %w", id, err)
		}
		return finishEdit(m)
	}
	return Text{}, fmt.Errorf("key %d: %w", id, ErrNoKey)
}

func finishEdit(m *keyset.Manager) (Text, error) {
	h, err := m.Handle()
	if err != nil {
		return Text{}, fmt.Errorf("editing the keyset: %w", err)
	}
	return writeKeyset(h)
}

func writeKeyset(h *keyset.Handle) (Text, error) {
	var b bytes.Buffer
	if err := insecurecleartextkeyset.Write(h, keyset.NewJSONWriter(&b)); err != nil {
		return Text{}, fmt.Errorf("writing the keyset: %w", err)
	}
	return New(base64.StdEncoding.EncodeToString(b.Bytes())), nil
}

// readKeyset wraps no error of a decoder: they quote what they read, which is the key.
func readKeyset(text Text) (*keyset.Handle, error) {
	raw, err := keysetJSON(text)
	if err != nil {
		return nil, err
	}
	h, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(raw)))
	if err != nil {
		return nil, fmt.Errorf("%w: it is JSON but not a Tink keyset in clear text with a primary key", ErrKeyset)
	}
	for _, info := range h.KeysetInfo().GetKeyInfo() {
		// Without its id before the ciphertext, a key could not be told from others.
		if info.GetOutputPrefixType() != tinkpb.OutputPrefixType_TINK {
			return nil, fmt.Errorf("%w: key %d has not the output prefix type TINK", ErrKeyset, info.GetKeyId())
		}
	}
	return h, nil
}

// keysetJSON accepts base64 with or without line breaks, as mail and terminals wrap it, and JSON.
func keysetJSON(text Text) ([]byte, error) {
	s := strings.Join(strings.Fields(text.Reveal()), "")
	if s == "" {
		return nil, fmt.Errorf("%w: it is empty (linkgate keys new makes one)", ErrKeyset)
	}
	raw := []byte(s)
	if !strings.HasPrefix(s, "{") {
		var err error
		if raw, err = base64.StdEncoding.DecodeString(s); err != nil {
			return nil, fmt.Errorf("%w: it is neither base64 nor JSON; was it cut short?", ErrKeyset)
		}
	}
	if !json.Valid(raw) {
		return nil, fmt.Errorf("%w: it does not hold whole JSON; was it cut short?", ErrKeyset)
	}
	return raw, nil
}
