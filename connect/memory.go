package connect

import (
	"encoding/json"
	"fmt"

	"linkgate/oauthstate"
	"linkgate/provider"
	"linkgate/secret"
)

// memory is what a session remembers of its current attempt. It holds secrets, so that Redis
// only ever has it sealed for the session's place.
type memory struct {
	Ticket      string
	Attempt     []byte      // provider.Attempt, marshalled; gone once it is used
	FinishToken secret.Text // of Relaying
	Callback    provider.Callback
	Grant       *provider.Grant // of Relaying, where it is known already: of a form, or of a sign-in by code
	Waiting     *waiting        // of a sign-in by code
}

// memoryForm is memory as it is sealed: the secrets in the clear.
type memoryForm struct {
	Ticket      string `json:"ticket"`
	Attempt     []byte `json:"attempt,omitempty"`
	FinishToken string `json:"finish,omitempty"`
	Code        string `json:"code,omitempty"`
	Issuer      string `json:"iss,omitempty"`
	Token       string `json:"token,omitempty"`    // oauth1
	Verifier    string `json:"verifier,omitempty"` // oauth1
	Grant       []byte `json:"grant,omitempty"`
	Waiting     []byte `json:"waiting,omitempty"`
}

func (s *Service) remember(session oauthstate.Session, m memory) ([]byte, error) {
	var grant []byte
	if m.Grant != nil {
		var err error
		if grant, err = m.Grant.Marshal(); err != nil {
			return nil, fmt.Errorf("writing a grant: %w", err)
		}
	}
	var waits []byte
	if m.Waiting != nil {
		var err error
		if waits, err = m.Waiting.marshal(); err != nil {
			return nil, fmt.Errorf("writing what is waited for: %w", err)
		}
	}
	plain, err := json.Marshal(memoryForm{
		Grant: grant, Waiting: waits,
		Ticket: m.Ticket, Attempt: m.Attempt, FinishToken: m.FinishToken.Reveal(),
		Code: m.Callback.Code.Reveal(), Issuer: m.Callback.Issuer,
		Token: m.Callback.OAuthToken.Reveal(), Verifier: m.Callback.OAuthVerifier.Reveal(),
	})
	if err != nil {
		return nil, fmt.Errorf("writing what a session remembers: %w", err)
	}
	sealed, err := s.Keyring.Seal(plain, sessionPlace(session))
	if err != nil {
		return nil, fmt.Errorf("sealing what a session remembers: %w", err)
	}
	return sealed, nil
}

func (s *Service) recall(session oauthstate.Session) (memory, error) {
	plain, err := s.Keyring.Open(session.Sealed, sessionPlace(session))
	if err != nil {
		return memory{}, fmt.Errorf("opening what a session remembers: %w", err)
	}
	var f memoryForm
	if err := json.Unmarshal(plain, &f); err != nil {
		return memory{}, fmt.Errorf("reading what a session remembers: %w", err)
	}
	var grant *provider.Grant
	if len(f.Grant) > 0 {
		g, err := provider.UnmarshalGrant(f.Grant)
		if err != nil {
			return memory{}, fmt.Errorf("reading a grant: %w", err)
		}
		grant = &g
	}
	var waits *waiting
	if len(f.Waiting) > 0 {
		if waits, err = unmarshalWaiting(f.Waiting); err != nil {
			return memory{}, fmt.Errorf("reading what is waited for: %w", err)
		}
	}
	return memory{
		Grant: grant, Waiting: waits,
		Ticket: f.Ticket, Attempt: f.Attempt, FinishToken: secret.New(f.FinishToken),
		Callback: provider.Callback{
			Code: secret.New(f.Code), Issuer: f.Issuer,
			OAuthToken: secret.New(f.Token), OAuthVerifier: secret.New(f.Verifier),
		},
	}, nil
}

func sessionPlace(x oauthstate.Session) secret.Place {
	return secret.Place{
		Table: "sessions", Account: x.ID, HostUser: x.HostUserID, Connection: x.AuthID, Field: "memory",
	}
}
