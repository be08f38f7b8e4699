package demo

import (
	"context"
	"io"
	"net/http"
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
}

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

// Host is a simulated host platform, an http.Handler for three callers: its users' browsers get
// the page at / and the proxy at /connector/{service_id}/, Linkgate gets the API at /v2/.
// Host users are told apart by a cookie; without one it is the first of HostOptions.Users.
type Host struct{}

// NewHost makes a host without any linked accounts.
func NewHost(o HostOptions) *Host { panic("unwritten") }

// ServeHTTP serves page, proxy and API.
func (h *Host) ServeHTTP(w http.ResponseWriter, r *http.Request) { panic("unwritten") }

// SetLinkgate tells where Linkgate is: the proxy forwards to it, and the page trusts messages
// from its origin.
func (h *Host) SetLinkgate(url string) { panic("unwritten") }

// APIKey is what Linkgate must present at /v2/ (HOST_API_KEY).
func (h *Host) APIKey() secret.Text { panic("unwritten") }

// ProxySecret is what the proxy presents to Linkgate (HOST_PROXY_SECRET).
func (h *Host) ProxySecret() secret.Text { panic("unwritten") }

// Users lists the host's users, the signed-in one by default first.
func (h *Host) Users() []User { panic("unwritten") }

// Proxy forwards a request as the proxy does for a click of userID, without a browser. path is
// escaped and begins with a slash: "/auth/notes".
func (h *Host) Proxy(ctx context.Context, userID, method, path string, body io.Reader) (*http.Response, error) {
	panic("unwritten")
}

// Connect clicks Connect for userID and returns the authorization_url. An answer other than 200
// is a *StatusError.
func (h *Host) Connect(ctx context.Context, userID, authID string) (authorizationURL string, err error) {
	panic("unwritten")
}

// Finish relays a finish token for userID, as the page does in finish mode.
func (h *Host) Finish(ctx context.Context, userID, authID, token string) error { panic("unwritten") }

// Disconnect clicks Disconnect for userID; an answer other than 200 is a *StatusError.
func (h *Host) Disconnect(ctx context.Context, userID, linkedAccountID string) error {
	panic("unwritten")
}

// StatusError is an answer of Linkgate's that was not 200.
type StatusError struct {
	Status int
	Header http.Header
	Body   string // the first KiB
}

func (e *StatusError) Error() string { panic("unwritten") }

// Accounts lists a user's linked accounts, oldest first.
func (h *Host) Accounts(userID string) []Account { panic("unwritten") }

// Put adds an account behind the API's back, such as one from before Linkgate. An empty ID gets
// a new one; it returns the account as stored.
func (h *Host) Put(a Account) Account { panic("unwritten") }

// Calls counts the API requests for op that arrived with the right API key, faulty ones included.
func (h *Host) Calls(op string) int { panic("unwritten") }

// Play directs the API from now on; the zero Script ends it.
func (h *Host) Play(s Script) { panic("unwritten") }
