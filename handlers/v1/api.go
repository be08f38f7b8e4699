package v1

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"linkgate/apikey"
	"linkgate/connect"
	"linkgate/event"
	"linkgate/idempotency"
	"linkgate/linkedaccount"
	"linkgate/provider"
	"linkgate/secret"
)

// API is what the routes need. Every field without "may be" in its comment must be set.
type API struct {
	Keys        keys
	Once        once
	Accounts    accounts
	Connect     useCases
	Calls       caller
	Events      events
	Order       []string                      // of the connections, by auth id
	Connections map[string]*provider.Provider // by auth id
	PublicURL   string                        // ours, without a slash at the end
	Log         *slog.Logger
	Now         func() time.Time // may be nil: time.Now

	passing func(*echo.Response) http.ResponseWriter
	beat    time.Duration // zero: heartbeat
	drain   sync.Once
	drained chan struct{} // closed by Drain
}

// Drain ends what only waits, so that it does not keep the process: long polls are answered with what is
// known, streams end, and their clients ask again elsewhere.
func (a *API) Drain() {
	if a.drained != nil { // else there are no routes
		a.drain.Do(func() { close(a.drained) })
	}
}

func (a *API) now() time.Time {
	if a.Now != nil {
		return a.Now()
	}
	return time.Now()
}

// keys knows who calls.
type keys interface {
	Authenticate(ctx context.Context, presented secret.Text) (apikey.Key, error)
}

// once keeps the answers of requests that may be repeated.
type once interface {
	Begin(ctx context.Context, keyID, idempotencyKey string, fingerprint []byte) (idempotency.Claim, *idempotency.Answer, error)
}

// accounts is where accounts and components are kept.
type accounts interface {
	ByID(ctx context.Context, id string) (linkedaccount.Account, error)
	List(ctx context.Context, f linkedaccount.Filter) ([]linkedaccount.Account, error)
	Patch(ctx context.Context, id string, version int64, fn func(*linkedaccount.Details) error) (linkedaccount.Account, error)
	Bind(ctx context.Context, componentID, hostUserID, accountID string) (linkedaccount.Component, error)
	Unbind(ctx context.Context, componentID string) error
	BoundAccount(ctx context.Context, componentID string) (linkedaccount.Component, error)
	ComponentsOf(ctx context.Context, accountID, after string, limit int) ([]linkedaccount.Component, error)
}

// useCases are what takes more than one store.
type useCases interface {
	Import(ctx context.Context, i connect.Import) (connect.Imported, error)
	Test(ctx context.Context, accountID string) (connect.TestReport, error)
	Token(ctx context.Context, accountID string, minValid time.Duration) (*linkedaccount.Opened, error)
	DisconnectAccount(ctx context.Context, accountID string) (connect.DisconnectReport, error)
	Offboard(ctx context.Context, hostUserID string) (connect.OffboardReport, error)
	OpenSession(ctx context.Context, o connect.BeginOptions) (connect.Session, error)
	SessionStatus(ctx context.Context, id string) (connect.SessionStatus, error)
	AwaitSession(ctx context.Context, id string, wait time.Duration) (connect.SessionStatus, error)
	AwaitSessionChange(ctx context.Context, id string, last connect.State, wait time.Duration) (connect.SessionStatus, error)
	FinishSession(ctx context.Context, id, hostUserID string, token secret.Text) (connect.SessionStatus, error)
}

// caller sends a request to a service in the name of an account's user.
type caller interface {
	ServeAccount(w http.ResponseWriter, r *http.Request, accountID, path string) error
}

// events is what has happened.
type events interface {
	After(ctx context.Context, sequence int64, limit int) ([]event.Event, error)
}

var (
	_ keys     = (*apikey.Store)(nil)
	_ once     = (*idempotency.Store)(nil)
	_ accounts = (*linkedaccount.Store)(nil)
	_ useCases = (*connect.Service)(nil)
	_ events   = (*event.Log)(nil)
)
