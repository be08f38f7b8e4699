// Package host is the client of the host's linked-account API.
package host

import (
	"context"
	"time"

	"linkgate/secret"
)

// LinkedAccount is the host's record of an account.
type LinkedAccount struct {
	ID                string
	AuthID            string
	ExternalAccountID string
	Extra             string
	Expiry            time.Time
	RequiresReauth    bool
	AccessToken       secret.Text // empty unless HOST_SHARE_TOKENS
	RefreshToken      secret.Text
}

// User is a host user as the host describes them.
type User struct {
	ID          string
	DisplayName string
}

// Client calls the host.
type Client struct{}

// Add creates a linked account. idempotencyKey stays the same when the add is repeated.
func (c *Client) Add(ctx context.Context, userID string, a LinkedAccount, idempotencyKey string) (LinkedAccount, error) {
	panic("unwritten")
}

// Get reads one; ErrNotFound.
func (c *Client) Get(ctx context.Context, userID, id string) (LinkedAccount, error) {
	panic("unwritten")
}

// List reads all of a user's linked accounts.
func (c *Client) List(ctx context.Context, userID string) ([]LinkedAccount, error) {
	panic("unwritten")
}

// Update replaces the one with a.ID; ErrNotFound.
func (c *Client) Update(ctx context.Context, userID string, a LinkedAccount) (LinkedAccount, error) {
	panic("unwritten")
}

// Delete removes one; ErrNotFound when the host has none such.
func (c *Client) Delete(ctx context.Context, userID, id string) error { panic("unwritten") }

// User reads a user; ErrNotFound.
func (c *Client) User(ctx context.Context, userID string) (User, error) { panic("unwritten") }
