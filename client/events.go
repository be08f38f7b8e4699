package client

import (
	"context"
	"encoding/json"
	"iter"
	"net/url"
	"strconv"
	"time"
)

// EventType is what has happened.
type EventType string

// The types of events.
const (
	AccountLinked         EventType = "account.linked"
	AccountUpdated        EventType = "account.updated"
	AccountReauthRequired EventType = "account.reauth_required"
	AccountRefreshed      EventType = "account.refreshed"
	AccountUnlinked       EventType = "account.unlinked"
	ComponentStopped      EventType = "component.stopped"
)

// Event is something that has happened to an account.
type Event struct {
	ID        string    `json:"id"`
	Sequence  int64     `json:"sequence"` // grows from event to event
	Type      EventType `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      EventData `json:"data"`
}

// EventData says to which account it has happened. Raw has all that Linkgate tells.
type EventData struct {
	AccountID   string          `json:"account_id"`
	UserID      string          `json:"user_id"`
	AuthID      string          `json:"auth_id"`
	ComponentID string          `json:"component_id,omitempty"` // ComponentStopped
	Reason      string          `json:"reason,omitempty"`       // ComponentStopped: unlinked or reauth_required
	Raw         json.RawMessage `json:"-"`
}

// UnmarshalJSON implements json.Unmarshaler.
func (d *EventData) UnmarshalJSON(text []byte) error {
	type plain EventData
	if err := json.Unmarshal(text, (*plain)(d)); err != nil {
		return err
	}
	d.Raw = append(json.RawMessage(nil), text...)
	return nil
}

// EventPage is some events, in order.
type EventPage struct {
	Data      []Event `json:"data"`
	NextAfter int64   `json:"next_after"` // for the next request
}

// ListEvents gives up to limit events after a sequence (1000 at the most; 0: 100), in the order in which they have
// happened. They are kept for 30 days.
func (c *Client) ListEvents(ctx context.Context, after int64, limit int) (EventPage, error) {
	q := url.Values{"after": {strconv.FormatInt(after, 10)}}
	setLimit(q, limit)
	var page EventPage
	_, _, err := c.do(ctx, reading("/v1/events", q), &page)
	return page, err
}

// Events gives all events after a sequence that there are by now, in order. Keep the Sequence of the last one that
// you have worked on, and begin there the next time. An error ends it.
func (c *Client) Events(ctx context.Context, after int64) iter.Seq2[Event, error] {
	const most = 1000
	return all(func(string) (Page[Event], error) {
		page, err := c.ListEvents(ctx, after, most)
		if err != nil || len(page.Data) == 0 || page.NextAfter <= after {
			return Page[Event]{Data: page.Data}, err
		}
		after = page.NextAfter
		return Page[Event]{Data: page.Data, NextCursor: "more"}, nil
	})
}
