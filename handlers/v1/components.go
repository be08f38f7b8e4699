package v1

import (
	"net/http"
	"time"

	"linkgate/handlers/inbound"
	"linkgate/linkedaccount"
)

// component is what in the app uses which account.
type component struct {
	ID        string    `json:"id"`
	UserID    string    `json:"user_id"`
	AccountID string    `json:"account_id"`
	AuthID    string    `json:"auth_id"`
	BoundAt   time.Time `json:"bound_at"`
}

func componentOf(c linkedaccount.Component) component {
	return component{c.ID, c.HostUserID, c.AccountID, c.AuthID, c.BoundAt.UTC()}
}

func (a *API) getComponentAccount(r *request) (answer, error) {
	if err := noQuery(r); err != nil {
		return answer{}, err
	}
	id, err := id(r, "component_id")
	if err != nil {
		return answer{}, err
	}
	bound, err := a.Accounts.BoundAccount(r.Request().Context(), id)
	if err != nil {
		return answer{}, err
	}
	return ok(componentOf(bound))
}

func (a *API) bindComponent(r *request) (answer, error) {
	if err := noQuery(r); err != nil {
		return answer{}, err
	}
	id, err := id(r, "component_id")
	if err != nil {
		return answer{}, err
	}
	var wanted struct {
		AccountID string `json:"account_id"`
		UserID    string `json:"user_id"`
	}
	if err := decode(r, &wanted); err != nil {
		return answer{}, err
	}
	var f form
	f.id("account_id", wanted.AccountID, inbound.IsSegment, true)
	f.id("user_id", wanted.UserID, inbound.IsUserID, false)
	if err := f.err(); err != nil {
		return answer{}, err
	}
	user := wanted.UserID
	if user == "" {
		found, err := a.Accounts.ByID(r.Request().Context(), wanted.AccountID)
		if err != nil {
			return answer{}, err
		}
		user = found.HostUserID
	}
	bound, err := a.Accounts.Bind(r.Request().Context(), id, user, wanted.AccountID)
	if err != nil {
		return answer{}, err
	}
	return ok(componentOf(bound))
}

func (a *API) unbindComponent(r *request) (answer, error) {
	if err := noQuery(r); err != nil {
		return answer{}, err
	}
	id, err := id(r, "component_id")
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusNoContent}, a.Accounts.Unbind(r.Request().Context(), id)
}

func (a *API) listAccountComponents(r *request) (answer, error) {
	q := readQuery(r.Request().URL.RawQuery)
	after, limit := q.cursor(), int(q.number("limit", 1, pageMost, pageDefault))
	if err := q.err(); err != nil {
		return answer{}, err
	}
	id, err := id(r, "account_id")
	if err != nil {
		return answer{}, err
	}
	if _, err := a.Accounts.ByID(r.Request().Context(), id); err != nil {
		return answer{}, err
	}
	found, err := a.Accounts.ComponentsOf(r.Request().Context(), id, after, limit+1)
	if err != nil {
		return answer{}, err
	}
	list := page[component]{Data: []component{}}
	for _, one := range found[:min(limit, len(found))] {
		list.Data = append(list.Data, componentOf(one))
	}
	if len(found) > limit {
		list.NextCursor = next(q.values, found[limit-1].ID, true)
	}
	return ok(list)
}
