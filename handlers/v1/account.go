package v1

import (
	"encoding/json"
	"time"

	"linkgate/linkedaccount"
)

// account is how an account is told.
type account struct {
	ID                string          `json:"id"`
	UserID            string          `json:"user_id"`
	AuthID            string          `json:"auth_id"`
	ServiceName       string          `json:"service_name"`
	LinkedAccountID   string          `json:"linked_account_id"`
	ExternalAccountID string          `json:"external_account_id"`
	Issuer            string          `json:"issuer"`
	Name              string          `json:"name"`
	DisplayName       string          `json:"display_name"`
	Status            string          `json:"status"`
	TokenValid        bool            `json:"token_valid"`
	ScopeValid        bool            `json:"scope_valid"`
	Scopes            []string        `json:"scopes"`
	MissingScopes     []string        `json:"missing_scopes"`
	ExpiresAt         *time.Time      `json:"expires_at"`
	LastUsedAt        *time.Time      `json:"last_used_at"`
	LastError         *lastError      `json:"last_error"`
	Metadata          json.RawMessage `json:"metadata"`
	Bound             *bool           `json:"bound,omitempty"`
	CreatedAt         time.Time       `json:"created_at"`
	UpdatedAt         time.Time       `json:"updated_at"`
	LinkedAt          time.Time       `json:"linked_at"`
}

type lastError struct {
	Message string    `json:"message"`
	At      time.Time `json:"at"`
}

func (a *API) accountOf(of linkedaccount.Account) account {
	told := account{
		ID: of.ID, UserID: of.HostUserID, AuthID: of.AuthID, LinkedAccountID: of.HostID,
		ExternalAccountID: of.Identity.Subject, Issuer: of.Identity.Issuer, Name: of.Identity.Name,
		DisplayName: of.DisplayName, Status: string(of.Status), TokenValid: a.tokenValid(of),
		Scopes: listed(of.Scopes), MissingScopes: listed(of.Missing), ServiceName: of.AuthID,
		ExpiresAt: known(of.ExpiresAt), LastUsedAt: known(of.UsedAt), Metadata: of.Metadata,
		CreatedAt: inMillis(of.CreatedAt), UpdatedAt: inMillis(of.UpdatedAt), LinkedAt: inMillis(of.LinkedAt),
	}
	if p, ok := a.Connections[of.AuthID]; ok {
		told.ServiceName, told.MissingScopes = p.Connection.Name, listed(p.Connection.MissingScopes(of.Scopes))
	}
	told.ScopeValid = len(told.MissingScopes) == 0
	if of.LastError != "" {
		told.LastError = &lastError{of.LastError, inMillis(of.LastErrorAt)}
	}
	if len(told.Metadata) == 0 {
		told.Metadata = json.RawMessage("{}")
	}
	return told
}

// tokenValid tells whether the credential works, as far as is known without asking anybody.
func (a *API) tokenValid(of linkedaccount.Account) bool {
	if of.Status != linkedaccount.Linked && of.Status != linkedaccount.Linking {
		return false
	}
	if of.ExpiresAt.IsZero() || of.ExpiresAt.After(a.now()) {
		return true
	}
	p, ok := a.Connections[of.AuthID]
	return ok && p.Refresher != nil
}

// known is a time, or null where there is none.
func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = inMillis(t)
	return &t
}

// inMillis is a time as it is kept, and so the same whenever it is told.
func inMillis(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// listed is a list that is never null.
func listed(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
