package provider

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"linkgate/secret"
)

// revoker revokes tokens at an RFC 7009 endpoint, or by a DELETE (RevokeMethod).
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
	return &revoker{authServer: s.apart(log, "revocation"), log: log, endpoint: endpoint}
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
	if r.conn.RevokeMethod == RevokeDelete {
		return r.delete(ctx, endpoint, c)
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
		switch {
		case errors.Is(err, errTokenType):
			passed++
		case tried > passed+1 && errors.Is(err, ErrRefused):
			// A moment ago our client was accepted, so it is this token: it has ended with the other.
		case err != nil:
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
	if errors.As(err, &refused) && refused.Code == "unsupported_token_type" {
		return errTokenType
	}
	return unlessWorthless(err)
}

// unlessWorthless is err, unless the service says in words of OAuth's that there is nothing to revoke.
func unlessWorthless(err error) error {
	var refused *Error
	if errors.As(err, &refused) && (refused.Code == "invalid_token" || refused.Code == "invalid_grant") {
		return nil
	}
	return err
}

// delete has the service end what the access token authorises: the token is all that says whose
// access it is, so the refresh token and the client's own credentials stay here.
func (r *revoker) delete(ctx context.Context, endpoint string, c Credential) error {
	if c.AccessToken.IsZero() {
		return nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodDelete, endpoint, nil)
	if err != nil {
		return &Error{Op: opRevoke, Kind: ErrUnavailable, Code: "the endpoint is no URL"}
	}
	req.Header.Set("Accept", "application/json")
	newApplier(r.conn.Credential).Apply(req, c)
	return r.client.do(ctx, leg{op: opRevoke, req: req}, func(ans answer) error {
		if isGone(ans) {
			return nil
		}
		sent := url.Values{"token": {c.AccessToken.Reveal()}}
		return unlessWorthless(refusal(opRevoke, ans, sent, r.conn.ClientSecret))
	})
}

// isGone tells whether what was to be deleted is not there any more: the service does not know the
// token (401), lets it do nothing, or has nothing at the address. A 403 that is no JSON is a
// firewall's, and says nothing about the token.
func isGone(ans answer) bool {
	switch ans.status {
	case http.StatusUnauthorized, http.StatusNotFound, http.StatusGone:
		return true
	case http.StatusForbidden:
		return json.Valid(ans.body)
	}
	return false
}

// removalSecretForm is what can be a segment of a path and a value in a query as it stands.
var removalSecretForm = regexp.MustCompile(`^[A-Za-z0-9_.~-]+$`)

// shortestRemovalSecret keeps a secret that whoever knows the address may try from being guessed.
const shortestRemovalSecret = 24 // characters

// removalProblems are those of how access ends, from our side and from the service's.
func (c Connection) removalProblems() []Problem {
	var problems []Problem
	switch c.RevokeMethod {
	case "", RevokePost, RevokeDelete:
	default:
		problems = append(problems, Problem{"revoke_method", "is unknown: " + shown(c.RevokeMethod), "use post (RFC 7009) or delete, or leave it out for post"})
	}
	if c.RevokeMethod == RevokeDelete && c.RevokeURL == "" {
		problems = append(problems, Problem{"revoke_method", "has no address to send DELETE to", "set revoke_url, or leave revoke_method out"})
	}
	removal := c.RemovalSecret.Reveal()
	switch {
	case removal == "":
		if c.RemovalID != "" {
			problems = append(problems, Problem{"removal_id", "is not used without removal_secret", "set removal_secret, or leave removal_id out"})
		}
	case len(removal) < shortestRemovalSecret, !removalSecretForm.MatchString(removal):
		problems = append(problems, Problem{"removal_secret", "is too short, or does not fit into an address", "make one with: openssl rand -hex 32"})
	}
	return append(problems, pathProblem("removal_id", c.RemovalID)...)
}
