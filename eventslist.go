package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"linkgate/event"
	"linkgate/outbox"
)

// How an event's delivery stands.
const (
	deliverySent    = "sent"
	deliveryNone    = "none" // there is no webhook
	deliveryPending = "pending"
	deliveryDead    = "dead"
)

// delivery is an event in the list. Times are absent when they are not known or never were.
type delivery struct {
	ID        string    `json:"id"`
	Sequence  int64     `json:"sequence"`
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	AccountID string    `json:"account_id"`
	UserID    string    `json:"user_id,omitempty"`
	Delivery  string    `json:"delivery"`
	Attempts  int       `json:"attempts,omitempty"`
	DueAt     time.Time `json:"due_at,omitzero"`
	DeadAt    time.Time `json:"dead_at,omitzero"`
	LastError string    `json:"last_error,omitempty"`
}

// deliveries lists the latest events, in order; or all dead letters.
func (e eventLog) deliveries(ctx context.Context, limit int, onlyDead bool) ([]delivery, error) {
	owed, err := e.box.OwedOf(ctx, event.Kind)
	if err != nil {
		return nil, err
	}
	byID := make(map[string]outbox.Message, len(owed))
	dead := []delivery{}
	for _, m := range owed {
		byID[m.ID] = m
		if isDeadLetter(m) {
			d, err := deliveryOf(m)
			if err != nil {
				return nil, err
			}
			dead = append(dead, d)
		}
	}
	if onlyDead {
		return dead, nil
	}
	events, err := e.Latest(ctx, limit)
	if err != nil {
		return nil, err
	}
	settled := deliverySent
	if e.url == "" {
		settled = deliveryNone
	}
	list := make([]delivery, 0, len(events))
	for _, ev := range events {
		d := delivery{
			ID: ev.ID, Sequence: ev.Sequence, Type: string(ev.Type), Timestamp: ev.At,
			AccountID: ev.AccountID, UserID: ev.HostUserID, Delivery: settled,
		}
		if m, found := byID[ev.ID]; found {
			d.stands(m)
		}
		list = append(list, d)
	}
	return list, nil
}

// deliveryOf reads the event out of its message: the log may not have it any more.
func deliveryOf(m outbox.Message) (delivery, error) {
	ev, err := event.Of(m)
	if err != nil {
		return delivery{}, err
	}
	d := delivery{
		ID: ev.ID, Sequence: ev.Sequence, Type: string(ev.Type), Timestamp: ev.At,
		AccountID: ev.AccountID, UserID: ev.HostUserID,
	}
	d.stands(m)
	return d, nil
}

// stands notes what m tells of the delivery.
func (d *delivery) stands(m outbox.Message) {
	d.Delivery, d.Attempts, d.DueAt, d.DeadAt, d.LastError = deliveryPending, m.Attempts, m.DueAt, m.DeadAt, m.LastError
	if isDeadLetter(m) {
		d.Delivery = deliveryDead
	}
}

// writeEvents prints a table for people, or says that there is nothing to print.
func writeEvents(w io.Writer, list []delivery, onlyDead bool) error {
	none := "Nothing has happened in the last 30 days."
	if onlyDead {
		none = noDeadLetters
	}
	now := time.Now()
	err := writeTable(w, list, none, "ID\tEVENT\tACCOUNT\tWHEN\tDELIVERY\tTRIES\tLAST ERROR", func(d delivery) []any {
		return []any{
			d.ID, oneLine(d.Type), d.AccountID, span(now.Sub(d.Timestamp)) + " ago",
			deliveryWords(d, now), d.Attempts, oneLine(d.LastError),
		}
	})
	if err != nil {
		return err
	}
	if slices.ContainsFunc(list, func(d delivery) bool { return d.Delivery == deliveryDead }) {
		fmt.Fprintln(w, "\nThe dead ones are not sent any more. Once their error is mended: `linkgate events replay --dead`.")
	}
	return nil
}

func deliveryWords(d delivery, now time.Time) string {
	if d.Delivery != deliveryPending {
		return d.Delivery
	}
	return nextTry(outbox.Message{DueAt: d.DueAt}, now)
}
