package v1

import "linkgate/event"

func (a *API) listEvents(r *request) (answer, error) {
	found, err := a.Events.After(r.Request().Context(), r.query.after, r.query.limit)
	if err != nil {
		return answer{}, err
	}
	list := struct {
		Data      []event.Event `json:"data"` // as webhooks have them
		NextAfter int64         `json:"next_after"`
	}{append([]event.Event{}, found...), r.query.after}
	if len(found) > 0 {
		list.NextAfter = found[len(found)-1].Sequence
	}
	return ok(list)
}
