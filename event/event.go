// Package event tells the owner's back end what happens to accounts: it keeps a log, in the order in
// which things became so, and has each event delivered to a webhook if there is one.
//
// An event is written in the transaction of the change that it tells of (Log.Append), and that is
// the last thing the transaction does: from there to its end it holds the one row that counts
// events. So sequence and commit have the same order, and who pulls (Log.After) and has seen an
// event has seen every one before it. As everybody takes that row last, nobody holds it while
// waiting for another.
//
// Delivery is a promise in the outbox, written in the same transaction. Its ordinal is the event's
// sequence: an account's events arrive one after the other. Each arrives at least once; its id tells
// a repetition. webhook.go has the delivery, log.go the reading, replay.go what operators do.
package event

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/google/uuid"

	"linkgate/database"
	"linkgate/outbox"
)

// Type says what has happened.
type Type string

// The types.
const (
	AccountLinked         Type = "account.linked"          // an account is new here, or back after it was taken back
	AccountUpdated        Type = "account.updated"         // linked again, patched, or with other scopes or another name
	AccountReauthRequired Type = "account.reauth_required" // its user must sign in at the service again
	AccountRefreshed      Type = "account.refreshed"       // it has a new access token
	AccountUnlinked       Type = "account.unlinked"        // it may not be used any more; data has the reason
	ComponentStopped      Type = "component.stopped"       // a component has lost the use of its account; data has both
)

// Kind is the kind of outbox message that delivers an event. Its id is the event's, its payload the
// event as JSON.
const Kind = "event"

// Event is something that has happened to an account. It never holds a secret.
type Event struct {
	ID         string // "evt_" and a UUIDv7; the same however often it is delivered
	Sequence   int64  // from 1, without gaps, in the order in which the changes were committed
	Type       Type
	At         time.Time
	AccountID  string
	HostUserID string
	AuthID     string
	Data       map[string]string // what else the type tells; nil: nothing
}

// wire is an event as others see it.
type wire struct {
	ID        string            `json:"id"`
	Sequence  int64             `json:"sequence"`
	Type      Type              `json:"type"`
	Timestamp time.Time         `json:"timestamp"`
	Data      map[string]string `json:"data"`
}

// MarshalJSON implements json.Marshaler: the body of a webhook, and an entry of GET /v1/events.
func (e Event) MarshalJSON() ([]byte, error) {
	data := map[string]string{"account_id": e.AccountID, "user_id": e.HostUserID, "auth_id": e.AuthID}
	maps.Copy(data, e.Data)
	return json.Marshal(wire{e.ID, e.Sequence, e.Type, e.At.UTC(), data})
}

// Of is the event that a message of Kind delivers.
func Of(m outbox.Message) (Event, error) {
	var w wire
	if err := json.Unmarshal(m.Payload, &w); err != nil {
		return Event{}, fmt.Errorf("reading the event of message %s: %w", m.ID, err)
	}
	e := Event{ID: w.ID, Sequence: w.Sequence, Type: w.Type, At: w.Timestamp, Data: w.Data}
	e.AccountID, e.HostUserID, e.AuthID = take(w.Data, "account_id"), take(w.Data, "user_id"), take(w.Data, "auth_id")
	return e, nil
}

// take removes a key, and returns what it had.
func take(data map[string]string, key string) string {
	value := data[key]
	delete(data, key)
	return value
}

// Log keeps events in SQL.
type Log struct {
	DB *database.DB
	// Deliver has every event delivered to the webhook too.
	Deliver bool
	Now     func() time.Time // nil: time.Now
}

func (l *Log) now() time.Time {
	if l.Now != nil {
		return l.Now()
	}
	return time.Now()
}

// Append writes events in tx, in this order, and gives them their id, sequence and time. It must be
// the last thing that tx does.
func (l *Log) Append(ctx context.Context, tx *sql.Tx, events []Event) error {
	if len(events) == 0 {
		return nil
	}
	var last int64
	err := tx.QueryRowContext(ctx, "UPDATE event_sequence SET last = last + $1 RETURNING last", len(events)).Scan(&last)
	if err != nil {
		return fmt.Errorf("counting events: %w", err)
	}
	for i, e := range events {
		id, err := uuid.NewV7()
		if err != nil {
			return fmt.Errorf("making an event id: %w", err)
		}
		e.ID, e.At = "evt_"+id.String(), l.now()
		e.Sequence = last - int64(len(events)-1-i)
		if err := l.write(ctx, tx, e); err != nil {
			return err
		}
	}
	return nil
}

func (l *Log) write(ctx context.Context, tx *sql.Tx, e Event) error {
	data, err := json.Marshal(e.Data)
	if err != nil {
		return fmt.Errorf("encoding an event: %w", err)
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO events ("+columns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
		e.Sequence, e.ID, string(e.Type), database.Millis(e.At), e.AccountID, e.HostUserID, e.AuthID, string(data))
	if err != nil {
		return fmt.Errorf("writing an event: %w", err)
	}
	if !l.Deliver {
		return nil
	}
	return promise(ctx, tx, e)
}

// promise has e delivered. It is due at once: nobody but the outbox delivers it.
func promise(ctx context.Context, tx *sql.Tx, e Event) error {
	body, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encoding an event: %w", err)
	}
	_, err = outbox.Add(ctx, tx, outbox.Message{
		ID: e.ID, Kind: Kind, AccountID: e.AccountID, Ordinal: e.Sequence, Payload: body, DueAt: time.Now(),
	})
	return err
}
