package provider

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"linkgate/secret"
)

// maxLifetime is the longest expires_in that is believed. Longer means as much as none.
const maxLifetime = 10 * 365 * 24 * time.Hour

// tokenAnswer is a successful answer of the token endpoint (RFC 6749 §5.1). What services get
// wrong often, the types of expires_in and scope, is read with patience.
type tokenAnswer struct {
	AccessToken  string          `json:"access_token"`
	RefreshToken string          `json:"refresh_token"`
	TokenType    string          `json:"token_type"`
	ExpiresIn    json.RawMessage `json:"expires_in"`
	Scope        json.RawMessage `json:"scope"`
	IDToken      string          `json:"id_token"`
}

func readTokenAnswer(ans answer) (tokenAnswer, error) {
	var tokens tokenAnswer
	if json.Unmarshal(ans.body, &tokens) != nil {
		return tokenAnswer{}, &Error{Op: opExchange, Kind: ErrUnavailable, Code: "answer is not the JSON expected", Status: ans.status}
	}
	if !isToken(tokens.AccessToken) {
		return tokenAnswer{}, &Error{Op: opExchange, Kind: ErrUnavailable, Code: "no usable access token", Status: ans.status}
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

func (t tokenAnswer) credential(now time.Time) Credential {
	return Credential{
		AccessToken:  secret.New(t.AccessToken),
		RefreshToken: secret.New(t.RefreshToken),
		TokenType:    t.TokenType,
		ExpiresAt:    expiry(t.ExpiresIn, now),
	}
}

// expiry reads expires_in, a number or a number in quotes, and is zero when there is none to believe.
func expiry(expiresIn json.RawMessage, now time.Time) time.Time {
	seconds, err := strconv.ParseFloat(strings.Trim(string(expiresIn), `"`), 64)
	if err == nil && seconds > 0 && seconds <= maxLifetime.Seconds() {
		return now.Add(time.Duration(seconds) * time.Second).UTC()
	}
	return time.Time{}
}
