package v1

import (
	"net/http"

	"linkgate/connect"
	"linkgate/handlers/inbound"
)

// disconnection is what has become of an account at each place.
type disconnection struct {
	ID              *string `json:"id"` // null: what the host alone had
	AuthID          string  `json:"auth_id"`
	LinkedAccountID *string `json:"linked_account_id"`
	Status          string  `json:"status"`
	Host            string  `json:"host"`
	Revocation      string  `json:"revocation"`
	Done            bool    `json:"done"`
}

func disconnectionOf(r connect.DisconnectReport) disconnection {
	return disconnection{filled(r.ID), r.AuthID, filled(r.HostID), string(r.Status), string(r.Host), string(r.Revocation), r.Done}
}

func (a *API) deleteAccount(r *request) (answer, error) {
	report, err := a.Connect.DisconnectAccount(r.Request().Context(), r.id)
	if err != nil {
		return answer{}, err
	}
	return answer{status: doneOrNot(report.Done), body: disconnectionOf(report)}, nil
}

func (a *API) offboardUser(r *request) (answer, error) {
	if !inbound.IsUserID(r.id) {
		return answer{}, connect.ErrNotFound
	}
	report, err := a.Connect.Offboard(r.Request().Context(), r.id)
	if err != nil {
		return answer{}, err
	}
	told := struct {
		UserID   string          `json:"user_id"`
		Done     bool            `json:"done"`
		Host     string          `json:"host"`
		Accounts []disconnection `json:"accounts"`
	}{r.id, report.Done, hostAsked(report), make([]disconnection, 0, len(report.Accounts))}
	for _, one := range report.Accounts {
		told.Accounts = append(told.Accounts, disconnectionOf(one))
	}
	return answer{status: doneOrNot(report.Done), body: told}, nil
}

// doneOrNot is 202 where something is yet to be done (RFC 9110 §15.3.3).
func doneOrNot(done bool) int {
	if done {
		return http.StatusOK
	}
	return http.StatusAccepted
}

// hostAsked tells whether the host was asked what it has besides.
func hostAsked(report connect.OffboardReport) string {
	if report.HostPending {
		return string(connect.HostPending)
	}
	return string(connect.HostDeleted)
}
