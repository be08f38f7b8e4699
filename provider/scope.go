package provider

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// scopeSeparator is a space (RFC 6749 §3.3) unless the service has its own way.
func (c Connection) scopeSeparator() string {
	if c.ScopeSeparator == "" {
		return " "
	}
	return c.ScopeSeparator
}

// scopesOf is what an attempt asks for: the connection's scopes, unless it has some of its own.
func (c Connection) scopesOf(own []string) []string {
	if len(own) > 0 {
		return own
	}
	return c.Scopes
}

// ErrScopes: scopes that can't be asked for.
var ErrScopes = errors.New("these scopes can't be asked for")

// scopesMost is how many a sign-in may ask for: more makes no address that services take.
const scopesMost = 100

// CheckScopes tells whether a sign-in may ask for scopes in place of the connection's. The error
// wraps ErrScopes and says why not.
func (p *Provider) CheckScopes(scopes []string) error {
	if len(scopes) == 0 {
		return nil
	}
	if p.Redirector == nil || p.Connection.protocol() == oauth1Name {
		return fmt.Errorf("%w: sign-ins at this connection have none", ErrScopes)
	}
	if len(scopes) > scopesMost {
		return fmt.Errorf("%w: more than %d", ErrScopes, scopesMost)
	}
	for _, scope := range scopes {
		if !p.Connection.isOneScope(scope) {
			return fmt.Errorf("%w: %s is not one scope", ErrScopes, shown(scope))
		}
	}
	return nil
}

// isOneScope tells whether s can stand in the list: scopes hold no separator.
func (c Connection) isOneScope(s string) bool {
	return isScope(s) && !strings.Contains(s, c.scopeSeparator())
}

// granted tells the scopes of a grant and which of those asked for are missing. A service that says
// nothing has granted what was asked (RFC 6749 §5.1).
func (c Connection) granted(asked []string, answered json.RawMessage) (scopes, missing []string) {
	scopes, told := c.readScopes(asked, answered)
	if !told {
		return slices.Clone(asked), nil
	}
	return scopes, lacking(asked, scopes)
}

// MissingScopes tells which of the scopes that the connection asks for now are not among those that
// an account was granted, perhaps when it asked for others.
func (c Connection) MissingScopes(granted []string) []string { return lacking(c.Scopes, granted) }

// lacking are the scopes that were asked for, and not granted as far as that can be seen.
func lacking(asked, granted []string) (missing []string) {
	for _, scope := range asked {
		if !slices.Contains(granted, scope) && !seenElsewhere(scope) {
			missing = append(missing, scope)
		}
	}
	return missing
}

// readScopes reads the scope member: a list in one string, or an array. The string is cut at spaces
// and at the connection's separator; commas, GitHub's way of answering, cut a piece that nobody
// asked for, since a scope may itself hold one.
func (c Connection) readScopes(asked []string, answered json.RawMessage) (scopes []string, told bool) {
	var text *string
	var list []string
	switch {
	case json.Unmarshal(answered, &text) == nil:
		if text == nil {
			return nil, false
		}
		list = strings.Fields(strings.ReplaceAll(*text, c.scopeSeparator(), " "))
	case json.Unmarshal(answered, &list) != nil:
		return nil, false
	}
	for _, piece := range list {
		if slices.Contains(asked, piece) {
			scopes = append(scopes, piece)
			continue
		}
		scopes = append(scopes, strings.FieldsFunc(piece, func(r rune) bool { return r == ',' })...)
	}
	return scopes, true
}

// seenElsewhere names the scopes of OpenID Connect (Core §5.4, §11), which many services leave out
// of their answer or return under another name (Google's "email" is an address there). Whether they
// were granted shows in the ID token, its claims and the refresh token.
func seenElsewhere(scope string) bool {
	switch scope {
	case "openid", "profile", "email", "address", "phone", "offline_access":
		return true
	}
	return false
}
