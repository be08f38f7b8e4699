package client

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Status is where an account stands.
type Status string

// The statuses of an account.
const (
	StatusLinking        Status = "linking"         // saved, and the host has yet to confirm it
	StatusLinked         Status = "linked"          // complete
	StatusReauthRequired Status = "reauth_required" // the user must sign in at the service again
	StatusRefused        Status = "refused"         // the host said no, and it is being taken back
	StatusUnlinking      Status = "unlinking"       // being disconnected
	StatusUnlinked       Status = "unlinked"        // history
)

// Account is one user's account at one external service.
type Account struct {
	ID                string          `json:"id"`
	UserID            string          `json:"user_id"`             // the host's id of the user
	AuthID            string          `json:"auth_id"`             // the connection
	ServiceName       string          `json:"service_name"`        // what users call the service
	LinkedAccountID   string          `json:"linked_account_id"`   // the host's id of the account; empty until it has answered
	ExternalAccountID string          `json:"external_account_id"` // the service's id of the account
	Issuer            string          `json:"issuer"`              // who vouches for that id
	Name              string          `json:"name"`                // as the service calls the account
	DisplayName       string          `json:"display_name"`        // as you call it
	Status            Status          `json:"status"`
	TokenValid        bool            `json:"token_valid"` // as far as is known without asking the service
	ScopeValid        bool            `json:"scope_valid"` // no scope of the connection is missing
	Scopes            []string        `json:"scopes"`      // granted
	MissingScopes     []string        `json:"missing_scopes"`
	ExpiresAt         *time.Time      `json:"expires_at"`   // of the access token; nil: not known
	LastUsedAt        *time.Time      `json:"last_used_at"` // to the minute; nil: never
	LastError         *LastError      `json:"last_error"`   // nil: something has worked since, or nothing has failed
	Metadata          json.RawMessage `json:"metadata"`     // yours, an object
	Bound             *bool           `json:"bound,omitempty"`
	CreatedAt         time.Time       `json:"created_at"`
	UpdatedAt         time.Time       `json:"updated_at"`
	LinkedAt          time.Time       `json:"linked_at"` // when the user last signed in for it

	// ETag names this version of the account, for AccountUpdate.IfMatch; empty in lists.
	ETag string `json:"-"`
}

// LastError is the latest failure of an account.
type LastError struct {
	Message string    `json:"message"`
	At      time.Time `json:"at"` // since when
}

// AccountFilter says which accounts are listed; what is empty lets all pass.
type AccountFilter struct {
	UserID            string
	AuthID            string
	ExternalAccountID string
	ComponentID       string   // only the account that this component uses
	ForComponent      string   // leaves none out; tells in Account.Bound whether this component uses it
	Statuses          []Status // any of these; none: all but StatusUnlinked
	Limit             int      // accounts of a page, 200 at the most; 0: Linkgate's default, 50
}

func (f AccountFilter) query() url.Values {
	q := url.Values{}
	for name, value := range map[string]string{
		"user_id": f.UserID, "auth_id": f.AuthID, "external_account_id": f.ExternalAccountID,
		"component_id": f.ComponentID, "for_component": f.ForComponent,
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	for _, s := range f.Statuses {
		q.Add("status", string(s))
	}
	setLimit(q, f.Limit)
	return q
}

func setLimit(q url.Values, limit int) {
	if limit > 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
}

// Page is a part of a list.
type Page[T any] struct {
	Data []T `json:"data"`
	// NextCursor leads to the page after; empty on the last one.
	NextCursor string `json:"next_cursor"`
}

// ListAccounts gives a page of accounts, the newest first. cursor is the NextCursor of the page before; empty: the first.
func (c *Client) ListAccounts(ctx context.Context, f AccountFilter, cursor string) (Page[Account], error) {
	return getPage[Account](ctx, c, "/v1/accounts", f.query(), cursor)
}

// Accounts gives all accounts that fit, the newest first, and asks for each page when it is needed. An
// error ends it.
func (c *Client) Accounts(ctx context.Context, f AccountFilter) iter.Seq2[Account, error] {
	return all(func(cursor string) (Page[Account], error) { return c.ListAccounts(ctx, f, cursor) })
}

func getPage[T any](ctx context.Context, c *Client, path string, q url.Values, cursor string) (Page[T], error) {
	if cursor != "" {
		q.Set("cursor", cursor)
	}
	var page Page[T]
	_, _, err := c.do(ctx, reading(path, q), &page)
	return page, err
}

// all goes from page to page.
func all[T any](get func(cursor string) (Page[T], error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for cursor := ""; ; {
			page, err := get(cursor)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, one := range page.Data {
				if !yield(one, nil) {
					return
				}
			}
			if cursor = page.NextCursor; cursor == "" {
				return
			}
		}
	}
}

// GetAccount reads an account, a disconnected one too.
func (c *Client) GetAccount(ctx context.Context, accountID string) (Account, error) {
	return c.account(ctx, reading("/v1/accounts/"+segment(accountID), nil))
}

func (c *Client) account(ctx context.Context, o operation) (Account, error) {
	var a Account
	header, _, err := c.do(ctx, o, &a)
	if err != nil {
		return Account{}, err
	}
	a.ETag = header.Get("ETag")
	return a, nil
}

// AccountUpdate is what is to change of an account.
type AccountUpdate struct {
	DisplayName *string `json:"display_name,omitempty"` // nil: as it is; 200 characters at the most
	// Metadata is merged into what is there (RFC 7396): a nil removes a member. The whole may have 16 KiB.
	Metadata map[string]any `json:"metadata,omitempty"`

	// IfMatch is the ETag that the account had when you read it: a *Problem of the kind Stale tells that somebody
	// has changed it since. Empty: whatever it is now.
	IfMatch string `json:"-"`
}

// UpdateAccount renames an account, or changes its metadata.
func (c *Client) UpdateAccount(ctx context.Context, accountID string, u AccountUpdate) (Account, error) {
	o := operation{method: http.MethodPatch, path: "/v1/accounts/" + segment(accountID), body: u}
	if u.IfMatch != "" {
		o.header = http.Header{"If-Match": {u.IfMatch}}
	}
	return c.account(ctx, o)
}

// Disconnection is what has become of an account at each place.
type Disconnection struct {
	ID              string `json:"id"` // empty: an account that the host alone had
	AuthID          string `json:"auth_id"`
	LinkedAccountID string `json:"linked_account_id"` // the host's id
	Status          Status `json:"status"`
	Host            string `json:"host"`       // deleted, or pending
	Revocation      string `json:"revocation"` // of the credential at the service: revoked, pending, or unsupported
	Done            bool   `json:"done"`       // else the rest is done as soon as it can be
}

// DeleteAccount disconnects an account: at the host, at the service and here. It may be repeated, to
// see what is left to do.
func (c *Client) DeleteAccount(ctx context.Context, accountID string) (Disconnection, error) {
	var d Disconnection
	_, _, err := c.do(ctx, deleting("/v1/accounts/"+segment(accountID)), &d)
	return d, err
}

func deleting(path string) operation {
	return operation{method: http.MethodDelete, path: path, isRepeatable: true}
}

// Offboarding is what has become of all that a user had.
type Offboarding struct {
	UserID   string          `json:"user_id"`
	Done     bool            `json:"done"`
	Host     string          `json:"host"` // pending: the host did not yet say what else it has
	Accounts []Disconnection `json:"accounts"`
}

// OffboardUser disconnects all that a user has. It may be repeated, to see what is left to do.
func (c *Client) OffboardUser(ctx context.Context, userID string) (Offboarding, error) {
	var o Offboarding
	_, _, err := c.do(ctx, deleting("/v1/users/"+segment(userID)+"/accounts"), &o)
	return o, err
}
