// Package host is the client of the host's linked-account API.
//
// Each method is one call. A call ends within Options.Timeout per attempt, follows no redirect
// (its headers carry the API key), reads at most 1 MiB, and is repeated at once only where a
// repetition changes nothing: reading twice more, replacing and deleting once more, adding never.
// Longer patience is the outbox's business, which asks the error what to do:
//
//	ErrNotFound        the host has no such record
//	*RefusedError      the host has understood and said no; asking again will not help
//	ErrUnauthorized    our API key is wrong: the operator must look, then ask again
//	*UnavailableError  anything else: no answer, or none that makes sense; ask again later
//
// The JSON names and paths are in wire.go alone. What the host says in words is dropped on
// arrival, because it is a stranger's text; its code and status remain.
package host

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/go-resty/resty/v2"

	"linkgate/secret"
)

// Defaults of Options.
const (
	DefaultTimeout   = 5 * time.Second
	DefaultRetryWait = 200 * time.Millisecond
)

// Options configures a Client.
type Options struct {
	BaseURL   string        // HOST_API_URL, without /v2
	APIKey    secret.Text   // HOST_API_KEY
	Log       *slog.Logger  // nil: silent; one debug line for each attempt
	Timeout   time.Duration // of one attempt, its body included; zero: DefaultTimeout
	RetryWait time.Duration // before the first repetition; zero: DefaultRetryWait

	Now func() time.Time // nil: time.Now; reads Retry-After dates
}

// LinkedAccount is the host's record of an account.
type LinkedAccount struct {
	ID                string
	AuthID            string
	ExternalAccountID string
	Extra             string
	Expiry            time.Time // zero: none, or none that is a date-time
	RequiresReauth    bool
	AccessToken       secret.Text // empty unless HOST_SHARE_TOKENS
	RefreshToken      secret.Text
}

// User is a host user as the host describes them.
type User struct {
	ID          string
	DisplayName string // may be empty
}

// Client calls the host. It is safe for use by many goroutines.
type Client struct {
	resty     *resty.Client
	log       *slog.Logger
	retryWait time.Duration
	now       func() time.Time
}

// New makes a client. It calls nobody.
func New(o Options) *Client {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.RetryWait == 0 {
		o.RetryWait = DefaultRetryWait
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Client{resty: newResty(o), log: o.Log, retryWait: o.RetryWait, now: o.Now}
}

// Add creates a linked account. idempotencyKey stays the same when the add is repeated. A user
// whom the host does not know is a *RefusedError.
func (c *Client) Add(ctx context.Context, userID string, a LinkedAccount, idempotencyKey string) (LinkedAccount, error) {
	path, err := accountsPath(userID)
	if err != nil {
		return LinkedAccount{}, &RefusedError{Code: codeInvalidID}
	}
	var out wireAccount
	err = c.call(ctx, call{
		name: "adding a linked account", method: http.MethodPost, path: path,
		in: toWire(a), idempotencyKey: idempotencyKey, read: into(&out, (*wireAccount).hasID),
	})
	return out.account(), err
}

// AddOrFind is Add for an add that is repeated: when an earlier one may have arrived, or the host
// says that it conflicts with something, it looks first for the user's record with a's auth id
// and external account id, and returns that one. The record found may be older than a in its
// other fields; Update brings it up to date.
//
// A conflict without a record is a no, but not where an earlier add may have arrived: the host may
// be at work on that one still, and a host that keeps to its key says 409 meanwhile.
func (c *Client) AddOrFind(ctx context.Context, userID string, a LinkedAccount, idempotencyKey string, mayHaveArrived bool) (LinkedAccount, error) {
	if mayHaveArrived {
		found, err := c.find(ctx, userID, a)
		if !errors.Is(err, ErrNotFound) {
			return found, err
		}
	}
	added, err := c.Add(ctx, userID, a, idempotencyKey)
	if !isConflict(err) {
		return added, err
	}
	found, findErr := c.find(ctx, userID, a)
	switch {
	case !errors.Is(findErr, ErrNotFound):
		return found, findErr
	case mayHaveArrived:
		return LinkedAccount{}, &UnavailableError{Status: http.StatusConflict}
	}
	return LinkedAccount{}, err
}

func isConflict(err error) bool {
	var refused *RefusedError
	return errors.As(err, &refused) && refused.Status == http.StatusConflict
}

// Matching reads the user's records of one account, in the host's order: there is more than one when
// an add was repeated at a host that ignores Idempotency-Key. None is no error; ErrNotFound when the
// host does not know the user.
func (c *Client) Matching(ctx context.Context, userID, authID, externalAccountID string) ([]LinkedAccount, error) {
	all, err := c.List(ctx, userID)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(a LinkedAccount) bool {
		return a.AuthID != authID || a.ExternalAccountID != externalAccountID
	}), nil
}

// find is the first of Matching; ErrNotFound when there is none.
func (c *Client) find(ctx context.Context, userID string, a LinkedAccount) (LinkedAccount, error) {
	same, err := c.Matching(ctx, userID, a.AuthID, a.ExternalAccountID)
	if err != nil {
		return LinkedAccount{}, err
	}
	if len(same) == 0 {
		return LinkedAccount{}, ErrNotFound
	}
	return same[0], nil
}

// Get reads one; ErrNotFound.
func (c *Client) Get(ctx context.Context, userID, id string) (LinkedAccount, error) {
	path, err := accountPath(userID, id)
	if err != nil {
		return LinkedAccount{}, err
	}
	var out wireAccount
	err = c.call(ctx, call{
		name: "getting a linked account", method: http.MethodGet, path: path,
		read: into(&out, func(w *wireAccount) bool { return w.ID == id }),
	})
	return out.account(), err
}

// List reads all of a user's linked accounts; ErrNotFound when the host does not know the user.
func (c *Client) List(ctx context.Context, userID string) ([]LinkedAccount, error) {
	path, err := accountsPath(userID)
	if err != nil {
		return nil, err
	}
	var out wireAccounts
	err = c.call(ctx, call{
		name: "listing linked accounts", method: http.MethodGet, path: path,
		read: into(&out, (*wireAccounts).valid),
	})
	return out.accounts(), err
}

// Update replaces the one with a.ID; ErrNotFound.
func (c *Client) Update(ctx context.Context, userID string, a LinkedAccount) (LinkedAccount, error) {
	path, err := accountPath(userID, a.ID)
	if err != nil {
		return LinkedAccount{}, err
	}
	var out wireAccount
	err = c.call(ctx, call{
		name: "updating a linked account", method: http.MethodPut, path: path,
		in: toWire(a), read: into(&out, func(w *wireAccount) bool { return w.ID == a.ID }),
	})
	return out.account(), err
}

// Delete removes one; ErrNotFound when the host has none such.
func (c *Client) Delete(ctx context.Context, userID, id string) error {
	path, err := accountPath(userID, id)
	if err != nil {
		return err
	}
	return c.call(ctx, call{name: "deleting a linked account", method: http.MethodDelete, path: path})
}

// User reads a user; ErrNotFound.
func (c *Client) User(ctx context.Context, userID string) (User, error) {
	path, err := userPath(userID)
	if err != nil {
		return User{}, err
	}
	var out wireUser
	err = c.call(ctx, call{
		name: "getting a user", method: http.MethodGet, path: path,
		read: into(&out, func(w *wireUser) bool { return w.ID == userID }),
	})
	return User{ID: out.ID, DisplayName: out.name()}, err
}
