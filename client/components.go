package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"time"
)

// Component is something of yours that uses an account.
type Component struct {
	ID        string    `json:"id"` // yours
	UserID    string    `json:"user_id"`
	AccountID string    `json:"account_id"`
	AuthID    string    `json:"auth_id"`
	BoundAt   time.Time `json:"bound_at"`
}

// Components gives all components that use an account, and asks for each page when it is needed. An error ends it.
func (c *Client) Components(ctx context.Context, accountID string) iter.Seq2[Component, error] {
	return all(func(cursor string) (Page[Component], error) { return c.ListComponents(ctx, accountID, cursor) })
}

// ListComponents gives a page of the components that use an account. cursor is as for ListAccounts.
func (c *Client) ListComponents(ctx context.Context, accountID, cursor string) (Page[Component], error) {
	return getPage[Component](ctx, c, "/v1/accounts/"+segment(accountID)+"/components", url.Values{}, cursor)
}

// GetComponent tells which account a component uses. IsNotFound: none.
func (c *Client) GetComponent(ctx context.Context, componentID string) (Component, error) {
	var bound Component
	_, _, err := c.do(ctx, reading(componentPath(componentID), nil), &bound)
	return bound, err
}

// Bind lets a component use an account, in place of the one before. With a userID the account must be that
// user's, which is worth saying where the id of the account comes from a browser; another's is not found.
func (c *Client) Bind(ctx context.Context, componentID, accountID, userID string) (Component, error) {
	body := struct {
		AccountID string `json:"account_id"`
		UserID    string `json:"user_id,omitempty"`
	}{accountID, userID}
	var bound Component
	_, _, err := c.do(ctx, operation{method: http.MethodPut, path: componentPath(componentID), body: body, isRepeatable: true}, &bound)
	return bound, err
}

// Unbind forgets which account a component uses. The account stays. It may be repeated.
func (c *Client) Unbind(ctx context.Context, componentID string) error {
	_, _, err := c.do(ctx, deleting(componentPath(componentID)), nil)
	return err
}

func componentPath(componentID string) string {
	return "/v1/components/" + segment(componentID) + "/account"
}

// Connection is a service that users can connect.
type Connection struct {
	AuthID   string   `json:"auth_id"`
	Provider string   `json:"provider"`
	Protocol string   `json:"protocol"`
	Name     string   `json:"name"`   // what users call the service
	Fields   []Field  `json:"fields"` // of ImportCredential.Fields, where the protocol takes those
	Scopes   []string `json:"scopes"`
	Calls    bool     `json:"calls"` // whether any call is allowed
}

// Field is one thing that is asked of the user.
type Field struct {
	Key    string `json:"key"`
	Label  string `json:"label"`
	Secret bool   `json:"secret"`
}

// ListConnections gives all services that users can connect.
func (c *Client) ListConnections(ctx context.Context) ([]Connection, error) {
	var list struct {
		Data []Connection `json:"data"`
	}
	_, _, err := c.do(ctx, reading("/v1/connections", nil), &list)
	return list.Data, err
}
