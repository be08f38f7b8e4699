package demo

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The linked-account API of contracts/blink.md.

// envelope is around every answer of the host.
type envelope struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Data    any    `json:"data"`
}

// wireAccount is a linked account as the API spells it.
type wireAccount struct {
	ID                string     `json:"id"`
	AuthID            string     `json:"auth_id"`
	ExternalAccountID string     `json:"external_account_id"`
	Expiry            *time.Time `json:"expiry"`
	RefreshToken      string     `json:"refresh_token"`
	RequiresReauth    bool       `json:"requires_reauth"`
	AccessToken       string     `json:"access_token"`
	Extra             string     `json:"extra"`
}

func toWire(a Account) wireAccount {
	w := wireAccount{
		ID: a.ID, AuthID: a.AuthID, ExternalAccountID: a.ExternalAccountID, RefreshToken: a.RefreshToken,
		RequiresReauth: a.RequiresReauth, AccessToken: a.AccessToken, Extra: a.Extra,
	}
	if !a.Expiry.IsZero() {
		w.Expiry = &a.Expiry
	}
	return w
}

func (w wireAccount) account(userID, id string) Account {
	a := Account{
		ID: id, UserID: userID, AuthID: w.AuthID, ExternalAccountID: w.ExternalAccountID, RefreshToken: w.RefreshToken,
		RequiresReauth: w.RequiresReauth, AccessToken: w.AccessToken, Extra: w.Extra,
	}
	if w.Expiry != nil {
		a.Expiry = *w.Expiry
	}
	return a
}

// added is an add that carried an Idempotency-Key.
type added struct {
	body   wireAccount
	answer wireAccount
}

// problem is an error as the API answers it.
type problem struct {
	status        int
	code, message string
}

func (p problem) Error() string { return p.message }

var (
	errUnauthorized = problem{http.StatusUnauthorized, "UNAUTHORIZED", "Unknown API key."}
	errNotFound     = problem{http.StatusNotFound, "NOT_FOUND", "There is no such thing."}
	errBadRequest   = problem{http.StatusBadRequest, "BAD_REQUEST", "auth_id and external_account_id are required."}
	errKeyReused    = problem{http.StatusUnprocessableEntity, "IDEMPOTENCY_KEY_REUSED", "The key belongs to another body."}
)

// hostError is how the host words an error that a script asks for.
func hostError(status int) string {
	code := strings.ToUpper(strings.ReplaceAll(http.StatusText(status), " ", "_"))
	return fmt.Sprintf(`{"code":%q,"message":"By the script.","data":null}`, code)
}

// api serves /v2/users/{user_id}[/linked_accounts[/{linked_account_id}]].
func (h *Host) api(w http.ResponseWriter, r *http.Request) {
	presented := []byte(r.Header.Get("Authorization"))
	if subtle.ConstantTimeCompare(presented, []byte("Bearer "+h.apiKey.Reveal())) != 1 {
		writeEnvelope(w, nil, errUnauthorized)
		return
	}
	op, do := h.route(r.Method, segments(r.URL))
	if do == nil {
		writeEnvelope(w, nil, errNotFound)
		return
	}
	h.stage.perform(op, w, r, func(w http.ResponseWriter, r *http.Request) {
		data, err := do(r)
		writeEnvelope(w, data, err)
	})
}

// segments splits a path where its slashes are, not where an id has an escaped one.
func segments(u *url.URL) []string {
	parts := strings.Split(strings.TrimPrefix(u.EscapedPath(), "/v2/"), "/")
	for i, p := range parts {
		if plain, err := url.PathUnescape(p); err == nil {
			parts[i] = plain
		}
	}
	return parts
}

// operation does one call of the API and returns its data; its error is a problem.
type operation func(*http.Request) (any, error)

func (h *Host) route(method string, path []string) (string, operation) {
	if len(path) < 2 || path[0] != "users" || len(path) > 2 && path[2] != "linked_accounts" {
		return "", nil
	}
	user, known := h.knownUser(path[1])
	own := func(do operation) operation {
		return func(r *http.Request) (any, error) {
			if !known {
				return nil, errNotFound
			}
			return do(r)
		}
	}
	switch fmt.Sprintf("%s %d", method, len(path)) {
	case "GET 2":
		return OpUser, own(func(*http.Request) (any, error) { return describe(user), nil })
	case "GET 3":
		return OpList, own(func(*http.Request) (any, error) { return h.list(user.ID), nil })
	case "POST 3":
		return OpAdd, own(func(r *http.Request) (any, error) { return h.add(user.ID, r) })
	case "GET 4":
		return OpGet, own(func(*http.Request) (any, error) { return h.get(user.ID, path[3]) })
	case "PUT 4":
		return OpUpdate, own(func(r *http.Request) (any, error) { return h.update(user.ID, path[3], r) })
	case "DELETE 4":
		return OpDelete, own(func(*http.Request) (any, error) { return h.remove(user.ID, path[3]) })
	}
	return "", nil
}

func describe(u User) map[string]any {
	first, second, _ := strings.Cut(u.Name, " ")
	return map[string]any{
		"id": u.ID, "display_name": u.Name, "first_name": first, "second_name": second,
		"email": u.ID + "@staffroom.example", "account_status": "active",
	}
}

func (h *Host) list(userID string) []wireAccount {
	all := []wireAccount{}
	for _, a := range h.Accounts(userID) {
		all = append(all, toWire(a))
	}
	return all
}

func (h *Host) add(userID string, r *http.Request) (any, error) {
	body, err := readAccount(r)
	if err != nil {
		return nil, err
	}
	key := r.Header.Get("Idempotency-Key")
	h.mu.Lock()
	defer h.mu.Unlock()
	if before, ok := h.added[userID+"\x00"+key]; ok && key != "" {
		if !sameAccount(before.body, body) {
			return nil, errKeyReused
		}
		return before.answer, nil
	}
	a := body.account(userID, "la_"+random())
	h.accounts = append(h.accounts, a)
	h.added[userID+"\x00"+key] = added{body: body, answer: toWire(a)}
	return toWire(a), nil
}

// sameAccount compares what two bodies mean.
func sameAccount(a, b wireAccount) bool {
	x, y := a.account("", ""), b.account("", "")
	sameTime := x.Expiry.Equal(y.Expiry)
	x.Expiry, y.Expiry = time.Time{}, time.Time{}
	return sameTime && x == y
}

func readAccount(r *http.Request) (wireAccount, error) {
	var body wireAccount
	if json.NewDecoder(r.Body).Decode(&body) != nil || body.AuthID == "" || body.ExternalAccountID == "" {
		return wireAccount{}, errBadRequest
	}
	return body, nil
}

// find returns the index of a user's account, or -1. The caller holds the lock.
func (h *Host) find(userID, id string) int {
	return slices.IndexFunc(h.accounts, func(a Account) bool { return a.UserID == userID && a.ID == id })
}

func (h *Host) get(userID, id string) (any, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := h.find(userID, id)
	if i < 0 {
		return nil, errNotFound
	}
	return toWire(h.accounts[i]), nil
}

func (h *Host) update(userID, id string, r *http.Request) (any, error) {
	body, err := readAccount(r)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	i := h.find(userID, id)
	if i < 0 {
		return nil, errNotFound
	}
	h.accounts[i] = body.account(userID, id)
	h.updates[id]++
	return toWire(h.accounts[i]), nil
}

func (h *Host) remove(userID, id string) (any, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := h.find(userID, id)
	if i < 0 {
		return nil, errNotFound
	}
	gone := h.accounts[i]
	h.accounts = slices.Delete(h.accounts, i, i+1)
	return toWire(gone), nil
}

// writeEnvelope answers with data, or with err, which is a problem.
func writeEnvelope(w http.ResponseWriter, data any, err error) {
	var p problem
	if errors.As(err, &p) {
		writeJSON(w, p.status, envelope{Code: p.code, Message: p.message})
		return
	}
	writeJSON(w, http.StatusOK, envelope{Code: "OK", Message: "OK", Data: data})
}
