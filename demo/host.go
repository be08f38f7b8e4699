package demo

import (
	"cmp"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"linkgate/secret"
)

// Operations of the host's linked-account API, for Host.Calls and Script.
const (
	OpAdd    = "add"
	OpGet    = "get"
	OpList   = "list"
	OpUpdate = "update"
	OpDelete = "delete"
	OpUser   = "user"
)

// HostOptions configures a Host. The zero value is a working host that lacks only Linkgate's
// address.
type HostOptions struct {
	LinkgateURL string      // Linkgate's PUBLIC_URL; may be told later with SetLinkgate
	APIKey      secret.Text // empty: random
	ProxySecret secret.Text // empty: random
	Users       []User      // empty: Ada Lovelace, Grace Hopper and Fatima al-Fihriya
	Apps        []App       // empty: one for each of Connections
	OwnerApp    string      // a page of the owner's own app to link to, such as /hello; empty: none
}

// User is somebody who uses the host.
type User struct {
	ID   string
	Name string
}

// App is a card on the host's page: an authenticated app, as its admin set it up.
type App struct {
	ServiceID   string // in the proxy's path
	AuthID      string
	Name        string
	Description string
	Me          string // path of the service's API that says whose the account is; empty: /api/me
}

// MePath is Me, or what it is when it is empty.
func (a App) MePath() string { return cmp.Or(a.Me, "/api/me") }

// Account is the host's record of a linked account, as its API was given it.
type Account struct {
	ID                string
	UserID            string
	AuthID            string
	ExternalAccountID string
	Extra             string
	Expiry            time.Time
	RequiresReauth    bool
	AccessToken       string
	RefreshToken      string
}

// Host is a simulated host platform, "Staffroom". It is an http.Handler for three callers: its
// users' browsers get the page at / and the proxy at /connector/{service_id}/, Linkgate gets the
// API at /v2/. Host users are told apart by a cookie; without one it is the first of
// HostOptions.Users.
type Host struct {
	apiKey, proxySecret secret.Text
	apps                []App
	ownerApp            string
	stage               stage
	proxy               *httputil.ReverseProxy
	site                http.Handler // what browsers get: page and proxy

	mu       sync.Mutex
	linkgate string
	users    []User
	accounts []Account        // oldest first
	added    map[string]added // by user id and Idempotency-Key
	updates  map[string]int   // by account id
}

// NewHost makes a host without any linked accounts.
func NewHost(o HostOptions) *Host {
	if o.APIKey.IsZero() {
		o.APIKey = randomSecret()
	}
	if o.ProxySecret.IsZero() {
		o.ProxySecret = randomSecret()
	}
	if len(o.Users) == 0 {
		o.Users = demoUsers()
	}
	if len(o.Apps) == 0 {
		o.Apps = Apps()
	}
	h := &Host{
		apiKey: o.APIKey, proxySecret: o.ProxySecret, apps: o.Apps, ownerApp: o.OwnerApp, users: slices.Clone(o.Users),
		added: map[string]added{}, updates: map[string]int{},
	}
	h.stage.errorBody = hostError
	h.proxy = &httputil.ReverseProxy{
		Rewrite:      h.rewrite,
		ErrorHandler: linkgateIsDown,
		ErrorLog:     log.New(io.Discard, "", 0), // the answer says it
	}
	h.site = http.NewCrossOriginProtection().Handler(h.newSite())
	h.SetLinkgate(o.LinkgateURL)
	return h
}

func demoUsers() []User {
	return []User{
		{ID: "u_ada", Name: "Ada Lovelace"},
		{ID: "u_grace", Name: "Grace Hopper"},
		{ID: "u_fatima", Name: "فاطمة الفهرية"},
	}
}

// Apps are the cards for Connections.
func Apps() []App {
	return []App{
		{ServiceID: "acme", AuthID: NotesOIDC, Name: "Acme Notes", Description: "Your notes, next to your shifts. Signs in with OpenID Connect."},
		{ServiceID: "acme", AuthID: NotesOAuth2, Name: "Acme Notes Classic", Description: "The same notes by plain OAuth 2."},
	}
}

// ServeHTTP serves page, proxy and API.
func (h *Host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/v2/") {
		h.api(w, r)
		return
	}
	h.site.ServeHTTP(w, r)
}

// SetLinkgate tells where Linkgate is: the proxy forwards to it, and the page trusts messages
// from its origin.
func (h *Host) SetLinkgate(url string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.linkgate = strings.TrimRight(url, "/")
}

func (h *Host) linkgateURL() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.linkgate
}

// linkgateOrigin is the origin that the page trusts.
func (h *Host) linkgateOrigin() string {
	u, err := url.Parse(h.linkgateURL())
	if err != nil {
		return ""
	}
	return origin(u)
}

// APIKey is what Linkgate must present at /v2/ (HOST_API_KEY).
func (h *Host) APIKey() secret.Text { return h.apiKey }

// ProxySecret is what the proxy presents to Linkgate (HOST_PROXY_SECRET).
func (h *Host) ProxySecret() secret.Text { return h.proxySecret }

// Users lists the host's users, the signed-in one by default first.
func (h *Host) Users() []User {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.users)
}

// AddUser makes the host know another user.
func (h *Host) AddUser(u User) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.users = append(h.users, u)
}

// knownUser finds a user by id.
func (h *Host) knownUser(id string) (User, bool) {
	users := h.Users()
	i := slices.IndexFunc(users, func(u User) bool { return u.ID == id })
	if i < 0 {
		return User{}, false
	}
	return users[i], true
}

// Accounts lists a user's linked accounts, oldest first.
func (h *Host) Accounts(userID string) []Account {
	h.mu.Lock()
	defer h.mu.Unlock()
	var own []Account
	for _, a := range h.accounts {
		if a.UserID == userID {
			own = append(own, a)
		}
	}
	return own
}

// Put adds an account behind the API's back, such as one from before Linkgate. An empty ID gets
// a new one; it returns the account as stored.
func (h *Host) Put(a Account) Account {
	if a.ID == "" {
		a.ID = "la_" + random()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.accounts = append(h.accounts, a)
	return a
}

// Calls counts the API requests for op that arrived with the right API key, faulty ones included.
func (h *Host) Calls(op string) int { return h.stage.count(op) }

// Updates counts how often an account has been updated; a request that a fault kept from being
// done has not.
func (h *Host) Updates(linkedAccountID string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.updates[linkedAccountID]
}

// Play directs the API from now on; the zero Script ends it.
func (h *Host) Play(s Script) { h.stage.play(s) }
