package provider

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"time"

	"linkgate/secret"
)

// revoker revokes tokens at an RFC 7009 endpoint.
type revoker struct {
	authServer
	log      *slog.Logger
	endpoint func(context.Context) (string, error) // "": the service has none
}

var _ Revoker = (*revoker)(nil)

// newRevoker gives revocations a breaker of their own. The outbox repeats them until they succeed:
// they must not keep users from signing in where only the revocation endpoint is down, and what
// has just been issued must be revocable where only the identity can't be read.
func newRevoker(s authServer, log *slog.Logger, endpoint func(context.Context) (string, error)) *revoker {
	apart := authServer{client: s.client.apart(log, s.conn.AuthID, "revocation"), conn: s.conn}
	return &revoker{authServer: apart, log: log, endpoint: endpoint}
}

const opRevoke = "revoking a token"

// errTokenType: the service does not revoke tokens of this type (RFC 7009 §2.2.1).
var errTokenType = errors.New("unsupported token type")

// Revoke implements Revoker. The refresh token goes first: it is the one that makes new tokens, and
// with it most services end the whole grant. A type of token that the service does not revoke is
// passed over; ErrUnsupported when that leaves none.
func (r *revoker) Revoke(ctx context.Context, c Credential) error {
	endpoint, err := r.endpoint(ctx)
	if err != nil {
		return err
	}
	if endpoint == "" {
		return &Error{Op: opRevoke, Kind: ErrUnsupported, Code: "no revocation endpoint"}
	}
	tokens := []struct {
		hint  string
		token secret.Text
	}{{"refresh_token", c.RefreshToken}, {"access_token", c.AccessToken}}
	var tried, passed int
	for _, t := range tokens {
		if t.token.IsZero() {
			continue
		}
		tried++
		err := r.revoke(ctx, endpoint, t.token, t.hint)
		if errors.Is(err, errTokenType) {
			passed++
		} else if err != nil {
			return err
		}
	}
	if tried > 0 && passed == tried {
		return &Error{Op: opRevoke, Kind: ErrUnsupported, Code: "unsupported_token_type"}
	}
	return nil
}

const withdrawTimeout = 10 * time.Second

// withdraw revokes tokens that were issued and that nobody will use, for their sign-in has failed.
// It goes on when the caller has given up, which may be why it failed. The caller waits: only a
// failed sign-in does, for a moment as a rule; and a graceful end waits for a request at work, not
// for what it left behind. Where it fails the tokens live until they expire, and the log says so.
func (r *revoker) withdraw(ctx context.Context, c Credential) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), withdrawTimeout)
	defer cancel()
	if err := r.Revoke(ctx, c); err != nil {
		r.log.WarnContext(ctx, "tokens of a failed sign-in are left alive", "auth_id", r.conn.AuthID, "error", err)
	}
}

// revoke revokes one token. That the service does not know it, or no longer, is success: RFC 7009
// §2.2 has it answer 200, but some answer that the token or grant is invalid.
func (r *revoker) revoke(ctx context.Context, endpoint string, token secret.Text, hint string) error {
	form := url.Values{"token": {token.Reveal()}, "token_type_hint": {hint}}
	err := r.postForm(ctx, posting{op: opRevoke, endpoint: endpoint, form: form}, func(answer) error { return nil })
	var refused *Error
	if !errors.As(err, &refused) {
		return err
	}
	switch refused.Code {
	case "unsupported_token_type":
		return errTokenType
	case "invalid_token", "invalid_grant":
		return nil
	}
	return err
}
