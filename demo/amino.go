package demo

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Amino is a simulated Amino MOVE: a password buys a pair of tokens, JSON:API style, and a refresh
// token the next pair; there is nothing else. Every customer has an address of its own,
// /{customer}/…; two are known, "acme" and "globex".
type Amino struct {
	lifetime time.Duration

	mu       sync.Mutex
	access   map[string]aminoToken
	refresh  map[string]aminoToken
	logins   int
	renewals int
	reused   int // refresh tokens shown again after they were replaced
}

type aminoToken struct {
	customer string
	user     int
	expires  time.Time
	spent    bool
}

// AminoUser and AminoPassword sign in at every customer.
const (
	AminoUser     = "ada"
	AminoPassword = "correct horse battery staple"
	aminoUserID   = 1234

	aminoRefreshLife = 24 * time.Hour
)

// NewAmino makes one whose access tokens live so long.
func NewAmino(lifetime time.Duration) *Amino {
	return &Amino{lifetime: lifetime, access: map[string]aminoToken{}, refresh: map[string]aminoToken{}}
}

// ServeHTTP serves the login endpoint, the create-token endpoint and one route of the API.
func (a *Amino) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	customer, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	w.Header().Set("Content-Type", "application/vnd.api+json")
	switch {
	case customer != "acme" && customer != "globex":
		aminoRefuses(w, http.StatusNotFound, "no such customer")
	case path == "api/login" && r.Method == http.MethodPost:
		a.logIn(w, r, customer)
	case path == "api/token" && r.Method == http.MethodPost:
		a.renew(w, r, customer)
	case path == "api/me" && r.Method == http.MethodGet:
		a.me(w, r, customer)
	default:
		aminoRefuses(w, http.StatusNotFound, "no such resource")
	}
}

func (a *Amino) logIn(w http.ResponseWriter, r *http.Request, customer string) {
	if r.PostFormValue("username") != AminoUser || r.PostFormValue("password") != AminoPassword {
		aminoRefuses(w, http.StatusUnauthorized, "wrong user name or password")
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.logins++
	a.issue(w, aminoToken{customer: customer, user: aminoUserID})
}

// renew knows one grant, and takes each refresh token once.
func (a *Amino) renew(w http.ResponseWriter, r *http.Request, customer string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if r.PostFormValue("grant_type") != "refresh_token" {
		aminoRefuses(w, http.StatusBadRequest, "unknown grant type")
		return
	}
	shown := r.PostFormValue("refresh_token")
	t, known := a.refresh[shown]
	if known && t.spent {
		a.reused++
	}
	if !known || t.spent || t.customer != customer || time.Now().After(t.expires) {
		aminoRefuses(w, http.StatusUnauthorized, "the refresh token is not valid")
		return
	}
	t.spent = true
	a.refresh[shown] = t
	a.renewals++
	a.issue(w, t)
}

// issue answers with a new pair.
func (a *Amino) issue(w http.ResponseWriter, t aminoToken) {
	now := time.Now()
	access, refresh := randomSecret().Reveal(), randomSecret().Reveal()
	t.spent, t.expires = false, now.Add(a.lifetime)
	a.access[access] = t
	t.expires = now.Add(aminoRefreshLife)
	a.refresh[refresh] = t
	_ = json.NewEncoder(w).Encode(map[string]any{"data": []any{map[string]any{
		"type": "AuthenticationTokens", "id": randomSecret().Reveal(),
		"attributes": map[string]any{
			"login_timestamp": now.Unix(), "user_id": t.user, "user_profile_id": "84eb-" + t.customer,
			"access_token": access, "expires_at_timestamp": now.Add(a.lifetime).Unix(), "refresh_token": refresh,
		},
	}}})
}

func (a *Amino) me(w http.ResponseWriter, r *http.Request, customer string) {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	a.mu.Lock()
	t, known := a.access[token]
	a.mu.Unlock()
	if !known || t.customer != customer || time.Now().After(t.expires) {
		aminoRefuses(w, http.StatusUnauthorized, "the access token is not valid")
		return
	}
	fmt.Fprintf(w, `{"account":{"id":%d,"display_name":"Ada at %s"}}`, t.user, customer)
}

func aminoRefuses(w http.ResponseWriter, status int, why string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"errors":[{"status":"%d","title":%q}]}`, status, why)
}

// Counts are how many logins and renewals there were, and how many refresh tokens were shown again.
func (a *Amino) Counts() (logins, renewals, reused int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.logins, a.renewals, a.reused
}
