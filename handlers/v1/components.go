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
	bound, err := a.Accounts.BoundAccount(r.Request().Context(), r.id)
	if err != nil {
		return answer{}, err
	}
	return ok(componentOf(bound))
}

type bindRequest struct {
	AccountID string `json:"account_id"`
	UserID    string `json:"user_id"`
}

func (b bindRequest) check() error {
	var f form
	f.id("account_id", b.AccountID, inbound.IsSegment, true)
	f.id("user_id", b.UserID, inbound.IsUserID, false)
	return f.err()
}

func (a *API) bindComponent(r *request) (answer, error) {
	wanted, err := bodyOf[bindRequest](r)
	if err != nil {
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
	bound, err := a.Accounts.Bind(r.Request().Context(), r.id, user, wanted.AccountID)
	if err != nil {
		return answer{}, err
	}
	return ok(componentOf(bound))
}

func (a *API) unbindComponent(r *request) (answer, error) {
	return answer{status: http.StatusNoContent}, a.Accounts.Unbind(r.Request().Context(), r.id)
}

func (a *API) listAccountComponents(r *request) (answer, error) {
	if _, err := a.Accounts.ByID(r.Request().Context(), r.id); err != nil {
		return answer{}, err
	}
	limit := r.query.limit
	found, err := a.Accounts.ComponentsOf(r.Request().Context(), r.id, r.query.cursor, limit+1)
	if err != nil {
		return answer{}, err
	}
	list := page[component]{Data: []component{}}
	for _, one := range found[:min(limit, len(found))] {
		list.Data = append(list.Data, componentOf(one))
	}
	if len(found) > limit {
		list.NextCursor = next(r.QueryParams(), found[limit-1].ID, true)
	}
	return ok(list)
}
