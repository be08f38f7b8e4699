package v1

import (
	"linkgate/call"
	"linkgate/handlers/inbound"
)

// callSegments are in front of a called path: /v1/accounts/{account_id}/call.
const callSegments = 4

// call passes a request on to the account's service. The key that it came with goes no further:
// package call takes Authorization out.
func (a *API) call(r *request) error {
	path, ok := inbound.PathBelow(r.Request().URL, callSegments)
	if !ok {
		return call.ErrBadPath
	}
	return a.Calls.ServeAccount(a.passing(r.Response()), r.Request(), r.id, path)
}
