package e2e

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"linkgate/demo"
)

// sunny is a world with Sunshine Conversations in it.
type sunny struct {
	*world
	sun *demo.Sunshine
}

func newSunny(t *testing.T, options demo.SunshineOptions) sunny {
	t.Helper()
	var sun *demo.Sunshine
	w := newWorld(t, func(s *setup) {
		options.LinkgateURL = s.env["PUBLIC_URL"]
		sun = demo.NewSunshine(options)
		s.more += sun.Connection(serve(t, sun))
	})
	return sunny{w, sun}
}

// authorized connects a host user who is username at Sunshine, for an app of theirs, and returns the
// page at the end.
func (s sunny) authorized(t *testing.T, userID, username, subdomain string) demo.Page {
	t.Helper()
	address, err := s.Host.Connect(t.Context(), userID, demo.SunshineAuth)
	if err != nil {
		t.Fatal(err)
	}
	b := demo.NewBrowser()
	page, err := b.SignIn(t.Context(), address, username)
	if err != nil {
		t.Fatal(err)
	}
	if contains(page, "linked") { // the user has one app, and was not asked
		return page
	}
	for _, button := range []string{subdomain, "allow"} {
		if page, err = b.Submit(t.Context(), page, button, nil); err != nil {
			t.Fatalf("%q at %s: %v\n%s", button, page.URL.Path, err, page.Body)
		}
	}
	return page
}

// linked connects as authorized does; it must succeed.
func (s sunny) linked(t *testing.T, userID, username, subdomain string) (demo.Account, demo.SunshineApp) {
	t.Helper()
	before := len(s.Host.Accounts(userID))
	wantState(t, s.authorized(t, userID, username, subdomain), "linked")
	accounts := s.Host.Accounts(userID)
	if len(accounts) != before+1 {
		t.Fatalf("the host has %d accounts of %s, want %d", len(accounts), userID, before+1)
	}
	account := accounts[len(accounts)-1]
	for _, app := range s.sun.Apps() {
		if app.Subdomain == subdomain {
			if account.ExternalAccountID != app.ID {
				t.Errorf("the external account id is %q, want the app's, %q", account.ExternalAccountID, app.ID)
			}
			return account, app
		}
	}
	t.Fatalf("no app %s", subdomain)
	return account, demo.SunshineApp{}
}

// info calls the service's API as a host user.
func (s sunny) info(t *testing.T, userID string) (int, string) {
	t.Helper()
	answer, err := s.Host.Proxy(t.Context(), userID, http.MethodGet, "/call/"+demo.SunshineAuth+"/v2/tokenInfo", nil)
	if err != nil {
		t.Fatal(err)
	}
	body := readAll(t, answer)
	return answer.StatusCode, body
}

// TestSunshine: connect with a choice of app, call, disconnect: one DELETE, and the call of our
// removeUrl that follows from it is answered and does nothing.
func TestSunshine(t *testing.T) {
	t.Parallel()
	s := newSunny(t, demo.SunshineOptions{})
	account, app := s.linked(t, "ada", "ada", "acme-support")
	if status, body := s.info(t, "ada"); status != 200 || !strings.Contains(body, app.ID) {
		t.Errorf("the call answers %d %s, want 200 and the app's id", status, body)
	}
	if err := s.Host.Disconnect(t.Context(), "ada", account.ID); err != nil {
		t.Fatal(err)
	}
	if n := len(s.Host.Accounts("ada")); n != 0 {
		t.Errorf("the host has %d accounts after the answer, want 0", n)
	}
	eventually(t, "the service has called the removeUrl", func() bool { return len(s.sun.Removals()) == 1 })
	eventually(t, "the credential is wiped", func() bool { return s.count(t, credentialsLeft) == 0 })
	if got := s.sun.Removals()[0]; got.Status != 200 || got.AppID != app.ID {
		t.Errorf("the removeUrl answered %+v, want 200", got)
	}
	if revoked, deleted := s.sun.Requests(demo.OpRevoke), s.Host.Calls(demo.OpDelete); revoked != 1 || deleted != 1 {
		t.Errorf("%d revocations and %d deletes at the host, want 1 and 1", revoked, deleted)
	}
	if n := s.sun.ActiveTokens(app.ID); n != 0 {
		t.Errorf("%d tokens are good, want 0", n)
	}
	if n := s.count(t, "SELECT count(*) FROM audit WHERE name = 'account.removed'"); n != 0 {
		t.Errorf("%d removals in the audit trail, want none: it was a disconnect", n)
	}
	if status, body := s.info(t, "ada"); status != 404 || !strings.Contains(body, "NOT_CONNECTED") {
		t.Errorf("the call afterwards answers %d %s, want 404 NOT_CONNECTED", status, body)
	}
}

// TestSunshineDenied: the user says no.
func TestSunshineDenied(t *testing.T) {
	t.Parallel()
	s := newSunny(t, demo.SunshineOptions{})
	address, err := s.Host.Connect(t.Context(), "ada", demo.SunshineAuth)
	if err != nil {
		t.Fatal(err)
	}
	page, err := demo.NewBrowser().Deny(t.Context(), address, "linus")
	if err != nil {
		t.Fatal(err)
	}
	wantState(t, page, "failed")
	if n := s.sun.Requests(demo.OpToken); n != 0 || len(s.Host.Accounts("ada")) != 0 {
		t.Errorf("%d token requests and %d accounts, want none", n, len(s.Host.Accounts("ada")))
	}
}

// TestRemovalByTheUser: gone here and at the host, for everybody who has the app and for nobody
// else, and the service is asked nothing.
func TestRemovalByTheUser(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]demo.SunshineOptions{
		"by POST": {},
		"by GET":  {RemoveByGet: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSunny(t, options)
			kept, _ := s.linked(t, "ada", "ada", "acme-support")
			_, shared := s.linked(t, "ada", "ada", "acme")
			s.linked(t, "grace", "grace", "acme")
			if status, _ := s.info(t, "grace"); status != 200 {
				t.Fatalf("grace's call answers %d, want 200", status) // and her credential is in the cache
			}
			s.sun.Remove(t.Context(), shared.ID)
			if got := s.sun.Removals(); len(got) != 1 || got[0].Status != 200 {
				t.Fatalf("the removeUrl answered %+v, want 200", got)
			}
			if status, body := s.info(t, "grace"); status != 404 || !strings.Contains(body, "NOT_CONNECTED") {
				t.Errorf("grace's call answers %d %s, want 404 NOT_CONNECTED", status, body)
			}
			eventually(t, "it is gone at the host", func() bool {
				return len(s.Host.Accounts("ada")) == 1 && len(s.Host.Accounts("grace")) == 0
			})
			eventually(t, "it is history here", func() bool {
				return s.count(t, "SELECT count(*) FROM linked_accounts WHERE status = 'unlinked'") == 2
			})
			if got := s.Host.Accounts("ada")[0].ID; got != kept.ID {
				t.Errorf("ada has %s left, want %s", got, kept.ID)
			}
			if n := s.count(t, credentialsLeft); n != 1 {
				t.Errorf("%d credentials are left, want ada's other", n)
			}
			if n := s.sun.Requests(demo.OpRevoke); n != 0 {
				t.Errorf("%d revocation requests, want 0", n)
			}
			if n := s.count(t, "SELECT count(*) FROM audit WHERE name = 'account.removed'"); n != 2 {
				t.Errorf("%d removals in the audit trail, want 2", n)
			}
		})
	}
}

// TestRemovalHook: what has no effect, by answer.
func TestRemovalHook(t *testing.T) {
	t.Parallel()
	s := newSunny(t, demo.SunshineOptions{})
	account, app := s.linked(t, "ada", "ada", "acme")
	secret := s.sun.RemovalSecret().Reveal()
	for _, test := range []struct {
		name, path string
		status     int
		code       string
	}{
		{"no secret", "/hooks/sunshine/removed?appId=" + app.ID, 401, "UNAUTHORIZED"},
		{"wrong secret", "/hooks/sunshine/removed?secret=wrong&appId=" + app.ID, 401, "UNAUTHORIZED"},
		{"wrong secret in the path", "/hooks/sunshine/wrong/removed?appId=" + app.ID, 401, "UNAUTHORIZED"},
		{"a connection without secret", "/hooks/notes/removed?secret=&appId=" + app.ID, 401, "UNAUTHORIZED"},
		{"another connection", "/hooks/notes/removed?secret=" + secret + "&appId=" + app.ID, 401, "UNAUTHORIZED"},
		{"unknown auth id", "/hooks/nothing/removed?secret=" + secret + "&appId=" + app.ID, 401, "UNAUTHORIZED"},
		{"unknown id", "/hooks/sunshine/removed?secret=" + secret + "&appId=nothing", 200, "OK"},
		{"another user's word for it", "/hooks/sunshine/" + secret + "/removed?appId=" + url.QueryEscape(account.ID), 200, "OK"},
		{"no id", "/hooks/sunshine/removed?secret=" + secret, 400, "BAD_REQUEST"},
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			answer, e := request(t, t.Context(), method, s.Linkgate.URL(test.path), nil, nil)
			if answer.StatusCode != test.status || e.Code != test.code {
				t.Errorf("%s, %s: %d %s, want %d %s", test.name, method, answer.StatusCode, e.Code, test.status, test.code)
			}
		}
	}
	if status, _ := s.info(t, "ada"); status != 200 || len(s.Host.Accounts("ada")) != 1 {
		t.Errorf("a call answers %d, and the host has %d accounts; want 200 and 1", status, len(s.Host.Accounts("ada")))
	}
	if strings.Contains(s.Linkgate.log.String(), secret) {
		t.Error("the log has the removal secret")
	}
	answer, _ := request(t, t.Context(), http.MethodGet, s.Linkgate.URL("/hooks/sunshine/"+secret+"/removed?appId="+app.ID), nil, nil)
	if answer.StatusCode != 200 {
		t.Errorf("the secret in the path: %d, want 200", answer.StatusCode)
	}
	eventually(t, "it is gone at the host", func() bool { return len(s.Host.Accounts("ada")) == 0 })
}

// TestSunshineIsDownAtDisconnect: the revocation waits; meanwhile the owner removes the integration,
// and the revocation that follows is told that there is nothing left.
func TestSunshineIsDownAtDisconnect(t *testing.T) {
	t.Parallel()
	s := newSunny(t, demo.SunshineOptions{})
	account, app := s.linked(t, "ada", "ada", "acme")
	s.sun.Play(demo.Script{Fault: demo.Only(demo.OpRevoke, 1, demo.Fault{Status: 503, Header: http.Header{"Retry-After": {"1"}}})})
	if err := s.Host.Disconnect(t.Context(), "ada", account.ID); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the revocation is tried", func() bool { return s.sun.Requests(demo.OpRevoke) == 1 })
	s.sun.Remove(t.Context(), app.ID)
	eventually(t, "the credential is wiped", func() bool { return s.count(t, credentialsLeft) == 0 })
	if n := s.sun.Requests(demo.OpRevoke); n != 2 {
		t.Errorf("%d revocation requests, want 2: one that failed and one that found nothing", n)
	}
}

// readAll reads an answer to its end.
func readAll(t *testing.T, answer *http.Response) string {
	t.Helper()
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
