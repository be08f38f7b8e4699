package v1

import (
	"math"

	"linkgate/event"
)

const (
	eventsDefault = 100
	eventsMost    = 1000
)

func (a *API) listEvents(r *request) (answer, error) {
	q := readQuery(r.Request().URL.RawQuery)
	after := q.number("after", 0, math.MaxInt64, 0)
	limit := int(q.number("limit", 1, eventsMost, eventsDefault))
	if err := q.err(); err != nil {
		return answer{}, err
	}
	found, err := a.Events.After(r.Request().Context(), after, limit)
	if err != nil {
		return answer{}, err
	}
	list := struct {
		Data      []event.Event `json:"data"` // as webhooks have them
		NextAfter int64         `json:"next_after"`
	}{append([]event.Event{}, found...), after}
	if len(found) > 0 {
		list.NextAfter = found[len(found)-1].Sequence
	}
	return ok(list)
}
