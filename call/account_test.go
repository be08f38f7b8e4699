package call

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"linkgate/linkedaccount"
	"linkgate/provider"
)

// never allows nothing.
type never struct{}

func (never) Allow(string) (bool, error) { return false, nil }

// TestServeAccount: the account's own credential, the rules of its connection, and no user's limit.
func TestServeAccount(t *testing.T) {
	for name, test := range map[string]struct {
		account, method, path string
		fails                 error // of the credential
		err                   error
		asked                 []string // of the tokens
		status                int
	}{
		"allowed":              {"acc_1", "GET", "/repos/1", nil, nil, []string{"acc_1"}, 200},
		"method not allowed":   {"acc_1", "POST", "/repos/1", nil, ErrNotAllowed, nil, 0},
		"path not allowed":     {"acc_1", "GET", "/admin", nil, ErrNotAllowed, nil, 0},
		"path leads out":       {"acc_1", "GET", "/repos/../admin", nil, ErrBadPath, nil, 0},
		"no such account":      {"acc_2", "GET", "/repos/1", nil, ErrNotConnected, nil, 0},
		"must sign in":         {"acc_1", "GET", "/repos/1", linkedaccount.ErrReauthRequired, ErrReauthRequired, []string{"acc_1"}, 0},
		"service is away":      {"acc_1", "GET", "/repos/1", provider.ErrUnavailable, ErrUnavailable, []string{"acc_1"}, 0},
		"being disconnected":   {"acc_1", "GET", "/repos/1", linkedaccount.ErrNotFound, ErrNotConnected, []string{"acc_1"}, 0},
		"connection not known": {"acc_1 elsewhere", "GET", "/repos/1", nil, ErrUnknownConnection, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			seen := ""
			w := newWorld(t, func(_ http.ResponseWriter, r *http.Request) {
				seen = r.Method + " " + r.URL.Path + " " + r.Header.Get("Authorization")
			}, func(o *Options, c *provider.Connection) {
				o.Limit = never{}
				c.Calls.Allow = []string{"GET /repos/*"}
			})
			w.tokens.err = test.fails
			if test.account == "acc_1 elsewhere" {
				w.tokens.account.ID, w.tokens.account.AuthID = test.account, "elsewhere"
			}
			answer := httptest.NewRecorder()
			err := w.proxy.ServeAccount(answer, httptest.NewRequest(test.method, "/", nil), test.account, test.path)
			if !errors.Is(err, test.err) {
				t.Fatalf("got %v, want %v", err, test.err)
			}
			if diff := cmp.Diff(test.asked, w.tokens.asked); diff != "" {
				t.Errorf("the tokens were asked (-want +got):\n%s", diff)
			}
			want := ""
			if test.status != 0 {
				want = fmt.Sprintf("GET %s Bearer %s", test.path, theToken)
			}
			if seen != want {
				t.Errorf("the service has seen %q, want %q", seen, want)
			}
		})
	}
}
