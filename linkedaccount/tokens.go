package linkedaccount

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"

	"linkgate/provider"
)

// What Tokens can't do. Other errors of Tokens wrap one of provider's (ErrRefused: the operator must
// look; ErrUnavailable: weather), or tell that the database does not answer.
var (
	// ErrReauthRequired: the user must sign in at the service again.
	ErrReauthRequired = errors.New("the user must sign in at the service again")
)

// Tokens gives credentials that are fresh.
type Tokens struct {
	Store       *Store
	Connections map[string]*provider.Provider // by auth id
	Redis       redis.UniversalClient         // leases, and word of changes to other replicas
	ShareTokens bool                          // the host gets the tokens: HOST_SHARE_TOKENS
	Log         *slog.Logger
	Now         func() time.Time // nil: time.Now
}

// For gives the fresh credential of a user's account at a connection: the account that chosen names
// by our id or the host's; else the only one; else the one that was linked last. ErrNotFound,
// ErrReauthRequired (the Opened then has the account and no credential).
func (t *Tokens) For(ctx context.Context, hostUserID, authID, chosen string) (Opened, error) {
	panic("unwritten")
}

// Rejected gives another credential in place of o's, which the service has just answered with 401:
// the one that somebody has put there since, or a refreshed one. Where o is so young that its
// credential can't be to blame, or was rejected lately with no better result, it returns o.
// ErrReauthRequired: neither will do.
func (t *Tokens) Rejected(ctx context.Context, o Opened) (Opened, error) { panic("unwritten") }

// Run refreshes ahead of expiry until ctx ends, and listens to what other replicas change.
func (t *Tokens) Run(ctx context.Context) { panic("unwritten") }

// Wait returns when no refresh is under way here, or when ctx ends: then a token may be lost.
func (t *Tokens) Wait(ctx context.Context) error { panic("unwritten") }
