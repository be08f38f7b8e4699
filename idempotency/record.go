package idempotency

import (
	"encoding/json"
	"fmt"
	"strings"

	"linkgate/secret"
)

// What a slot holds: a claim, with 26 characters that tell it from all others, or an answer.
const (
	claimed     = "claim "
	kept        = "answer "
	ownerLength = 26 // of rand.Text
)

// record is what is sealed.
type record struct {
	Fingerprint []byte  `json:"fingerprint"`      // SHA-256
	Answer      *Answer `json:"answer,omitempty"` // nil: a claim, or too large
}

// place binds a record to its slot and kind: one that somebody has moved elsewhere does not open.
func place(slot, kind string) secret.Place {
	return secret.Place{Table: "idempotency", Account: slot, Field: strings.TrimSpace(kind)}
}

func (s *Store) seal(r record, slot, kind string) (string, error) {
	plain, err := json.Marshal(r)
	if err != nil {
		return "", fmt.Errorf("writing an idempotency record: %w", err)
	}
	sealed, err := s.Keyring.Seal(plain, place(slot, kind))
	if err != nil {
		return "", fmt.Errorf("sealing an idempotency record: %w", err)
	}
	return string(sealed), nil
}

func (s *Store) open(found, slot, kind string) (r record, err error) {
	sealed := strings.TrimPrefix(found, kind)
	if kind == claimed {
		sealed = sealed[min(ownerLength, len(sealed)):]
	}
	plain, err := s.Keyring.Open([]byte(sealed), place(slot, kind))
	if err != nil {
		return record{}, err
	}
	if err := json.Unmarshal(plain, &r); err != nil {
		return record{}, fmt.Errorf("reading an idempotency record: %w", err)
	}
	return r, nil
}
