package provider

import (
	"encoding/json"
	"time"

	"linkgate/secret"
)

// tokenAnswer is a successful answer of the token endpoint (RFC 6749 §5.1). What services get
// wrong often, the types of expires_in and scope, is read with patience.
type tokenAnswer struct {
	AccessToken  string          `json:"access_token"`
	RefreshToken string          `json:"refresh_token"`
	TokenType    string          `json:"token_type"`
	ExpiresIn    json.RawMessage `json:"expires_in"`
	ExpiresAt    json.RawMessage `json:"expires_at"` // some services say a moment, under this name
	ExpiresOn    json.RawMessage `json:"expires_on"` // or this
	Scope        json.RawMessage `json:"scope"`
	IDToken      string          `json:"id_token"`

	whole document // what services of some kinds say of the account beside the tokens
}

func readTokenAnswer(op string, ans answer) (tokenAnswer, error) {
	var tokens tokenAnswer
	if json.Unmarshal(ans.body, &tokens) != nil || json.Unmarshal(ans.body, &tokens.whole) != nil {
		return tokenAnswer{}, &Error{Op: op, Kind: ErrUnavailable, Code: "answer is not the JSON expected", Status: ans.status}
	}
	if !isToken(tokens.AccessToken) {
		return tokenAnswer{}, &Error{Op: op, Kind: ErrUnavailable, Code: "no usable access token", Status: ans.status}
	}
	return tokens, nil
}

// isToken tells whether s can be a token: RFC 6749 §A.12 allows printable ASCII, and what goes into
// a header can't have a space in it (RFC 6750 §2.1).
func isToken(s string) bool {
	for _, r := range s {
		if r <= 0x20 || r > 0x7e {
			return false
		}
	}
	return s != ""
}

// credential is what the answer brings, at the moment it came; lifetime as in Connection.
func (t tokenAnswer) credential(now time.Time, lifetime time.Duration) Credential {
	return Credential{
		AccessToken:  secret.New(t.AccessToken),
		RefreshToken: secret.New(t.RefreshToken),
		TokenType:    t.TokenType,
		IssuedAt:     now.UTC(),
		ExpiresAt:    t.expiry(now, lifetime),
	}
}
