package provider

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"
)

// refresher refreshes tokens at the token endpoint.
type refresher struct {
	authServer
	endpoint func(context.Context) (string, error)
}

var _ Refresher = (*refresher)(nil)

// newRefresher gives refreshes a breaker of their own: a storm of them, at a service that is down,
// must not be what keeps users from signing in, nor the other way round.
func newRefresher(s authServer, log *slog.Logger, endpoint func(context.Context) (string, error)) *refresher {
	return &refresher{authServer: s.apart(log, "refresh"), endpoint: endpoint}
}

const opRefresh = "refreshing the tokens"

// Refresh implements Refresher.
func (r *refresher) Refresh(ctx context.Context, c Credential, sendBy time.Time) (Refreshed, error) {
	if c.RefreshToken.IsZero() {
		return Refreshed{}, &Error{Op: opRefresh, Kind: ErrUnsupported, Code: "no refresh token"}
	}
	endpoint, err := r.endpoint(ctx)
	if err != nil {
		// Weather, whatever it is: nothing was sent, and it says nothing of the client or the grant.
		return Refreshed{}, reclassify(err, func(*Error) bool { return true }, ErrUnavailable)
	}
	form := r.tokenForm("refresh_token")
	form.Set("refresh_token", c.RefreshToken.Reveal())
	tokens, err := r.askForTokens(ctx, posting{op: opRefresh, endpoint: endpoint, form: form, by: sendBy})
	if err != nil {
		// access_denied is a refusal: no user is at hand who could have said no.
		return Refreshed{}, reclassify(err, func(e *Error) bool { return errors.Is(e, ErrDenied) }, ErrRefused)
	}
	scopes, missing := r.conn.regranted(tokens.Scope)
	return Refreshed{
		Credential: c.succeededBy(tokens.credential(r.client.now(), r.conn.Lifetime)),
		Scopes:     scopes,
		Missing:    missing,
	}, nil
}

// succeededBy is the next credential, with what it leaves out (RFC 6749 §6).
func (c Credential) succeededBy(next Credential) Credential {
	if next.RefreshToken.IsZero() {
		next.RefreshToken = c.RefreshToken
	}
	if next.TokenType == "" {
		next.TokenType = c.TokenType
	}
	next.Settings = c.Settings
	return next
}

// regranted is granted for a refresh: nil where the service says nothing, for then it is as before.
func (c Connection) regranted(answered json.RawMessage) (scopes, missing []string) {
	if _, told := c.readScopes(c.Scopes, answered); !told {
		return nil, nil
	}
	scopes, missing = c.granted(c.Scopes, answered)
	if scopes == nil {
		scopes = []string{} // told, and none
	}
	return scopes, missing
}
