package e2e

import (
	"errors"
	"io"
	"net/http"
	"regexp"
	"sync"
	"testing"

	"linkgate/demo"
)

// activeTokens counts what the service still accepts of one of its users.
func (w *world) activeTokens(username string) int {
	return w.Service.ActiveTokens(subjectOf(username))
}

// count asks Linkgate's database for a number.
func (w *world) count(t *testing.T, query string) int {
	t.Helper()
	db := w.open(t)
	var n int
	if err := db.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

const credentialsLeft = "SELECT count(*) FROM linked_accounts WHERE credential IS NOT NULL"

// status is the HTTP status of an error of the demo host's clicks; 200 for none.
func status(err error) int {
	var s *demo.StatusError
	if errors.As(err, &s) {
		return s.Status
	}
	if err != nil {
		return -1
	}
	return http.StatusOK
}

func TestDisconnect(t *testing.T) {
	t.Parallel()
	for _, authID := range []string{demo.NotesOIDC, demo.NotesOAuth2} {
		t.Run(authID, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			account := w.linked(t, "ada", authID, "ada")
			if w.activeTokens("ada") == 0 {
				t.Fatal("no active tokens after linking")
			}
			if err := w.Host.Disconnect(t.Context(), "ada", account.ID); err != nil {
				t.Fatal(err)
			}
			if n := len(w.Host.Accounts("ada")); n != 0 {
				t.Errorf("the host has %d accounts after the answer, want 0", n)
			}
			eventually(t, "the tokens are revoked", func() bool { return w.activeTokens("ada") == 0 })
			eventually(t, "the credential is wiped", func() bool { return w.count(t, credentialsLeft) == 0 })
			if err := w.Host.Disconnect(t.Context(), "ada", account.ID); err != nil {
				t.Errorf("the second time: %v, want nil", err)
			}
			if n := w.Host.Calls(demo.OpDelete); n != 1 {
				t.Errorf("%d deletes at the host, want 1", n)
			}
		})
	}
}

func TestDisconnectByAnotherUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := w.linked(t, "ada", demo.NotesOIDC, "ada")
	if got := status(w.Host.Disconnect(t.Context(), "grace", account.ID)); got != 404 {
		t.Errorf("got %d, want 404", got)
	}
	if w.Host.Calls(demo.OpGet) != 0 || w.Host.Calls(demo.OpDelete) != 0 || w.Service.Requests(demo.OpRevoke) != 0 || w.activeTokens("ada") == 0 {
		t.Error("another user's disconnect has had an effect")
	}
	if got := status(w.Host.Disconnect(t.Context(), "grace", "nothing")); got != 404 {
		t.Errorf("an account that is nowhere: %d, want 404", got)
	}
}

func TestDisconnectInParallel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alone := w.linked(t, "ada", demo.NotesOIDC, "ada")
	if err := w.Host.Disconnect(t.Context(), "ada", alone.ID); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the credential is wiped", func() bool { return w.count(t, credentialsLeft) == 0 })
	one := w.Service.Requests(demo.OpRevoke) // as many as a single disconnect makes

	account := w.linked(t, "ada", demo.NotesOIDC, "ada")
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if err := w.Host.Disconnect(t.Context(), "ada", account.ID); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	eventually(t, "the credential is wiped", func() bool { return w.count(t, credentialsLeft) == 0 })
	if n := w.count(t, "SELECT count(*) FROM outbox"); n != 0 {
		t.Errorf("%d messages are left in the outbox, want 0", n)
	}
	if got := w.Service.Requests(demo.OpRevoke) - one; got != one {
		t.Errorf("%d revocation requests, want the %d of a single disconnect", got, one)
	}
	if n := w.Host.Calls(demo.OpDelete); n != 2 {
		t.Errorf("%d deletes at the host, want 2: one for each account", n)
	}
}

// TestRevocationIsDown: disconnected at once at the host, revoked when the service returns.
func TestRevocationIsDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := w.linked(t, "ada", demo.NotesOIDC, "ada")
	w.Service.Play(demo.Script{Fault: demo.Only(demo.OpRevoke, -1, demo.Fault{Status: 503, Header: http.Header{"Retry-After": {"1"}}})})
	if err := w.Host.Disconnect(t.Context(), "ada", account.ID); err != nil {
		t.Fatal(err)
	}
	if n := len(w.Host.Accounts("ada")); n != 0 {
		t.Errorf("the host has %d accounts, want 0", n)
	}
	eventually(t, "it is tried again", func() bool { return w.Service.Requests(demo.OpRevoke) >= 2 })
	if w.count(t, credentialsLeft) != 1 {
		t.Error("the credential is gone before it was revoked")
	}
	w.Service.Play(demo.Script{})
	eventually(t, "the tokens are revoked", func() bool { return w.activeTokens("ada") == 0 })
	eventually(t, "the credential is wiped", func() bool { return w.count(t, credentialsLeft) == 0 })
}

// TestHostIsDownAtDisconnect: the user is told, and the disconnect completes by itself.
func TestHostIsDownAtDisconnect(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := w.linked(t, "ada", demo.NotesOIDC, "ada")
	w.Host.Play(demo.Script{Fault: demo.Only(demo.OpDelete, -1, demo.Fault{Status: 500})})
	if got := status(w.Host.Disconnect(t.Context(), "ada", account.ID)); got != 503 {
		t.Errorf("got %d, want 503", got)
	}
	w.Host.Play(demo.Script{})
	eventually(t, "it is gone at the host", func() bool { return len(w.Host.Accounts("ada")) == 0 })
	eventually(t, "the credential is wiped", func() bool { return w.count(t, credentialsLeft) == 0 })
}

// TestDisconnectFromBeforeLinkgate: an account that Linkgate has never seen is deleted at the
// host, for its user only.
func TestDisconnectFromBeforeLinkgate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := w.Host.Put(demo.Account{UserID: "ada", AuthID: demo.NotesOIDC, ExternalAccountID: "old"})
	if got := status(w.Host.Disconnect(t.Context(), "grace", old.ID)); got != 404 {
		t.Errorf("another user: %d, want 404", got)
	}
	if err := w.Host.Disconnect(t.Context(), "ada", old.ID); err != nil {
		t.Fatal(err)
	}
	if n := len(w.Host.Accounts("ada")); n != 0 {
		t.Errorf("the host has %d accounts, want 0", n)
	}
}

func TestLinkingTheSameIdentityAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.linked(t, "ada", demo.NotesOIDC, "ada")
	wantState(t, w.connect(t, "ada", demo.NotesOIDC, "ada"), "linked")
	accounts := w.Host.Accounts("ada")
	if len(accounts) != 1 || accounts[0].ID != first.ID {
		t.Errorf("the host has %+v, want the first account alone", accounts)
	}
	if adds, updates := w.Host.Calls(demo.OpAdd), w.Host.Calls(demo.OpUpdate); adds != 1 || updates != 1 {
		t.Errorf("%d adds and %d updates, want 1 and 1", adds, updates)
	}
	if n := w.count(t, "SELECT count(*) FROM linked_accounts"); n != 1 {
		t.Errorf("%d accounts here, want 1", n)
	}
}

func TestTwoIdentitiesAreTwoAccounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.linked(t, "ada", demo.NotesOIDC, "ada")
	second := w.linked(t, "ada", demo.NotesOIDC, "linus")
	if first.ID == second.ID || first.ExternalAccountID == second.ExternalAccountID {
		t.Errorf("two identities have become one account: %+v, %+v", first, second)
	}
}

func TestFinish(t *testing.T) {
	t.Parallel()
	w := newWorld(t, with("HOST_FINISH", "true"))
	for _, c := range []struct {
		name     string
		finisher string
		status   int
		accounts int
	}{
		{"by another user", "grace", 403, 0},
		{"by the user who started", "ada", 200, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			address, err := w.Host.Connect(t.Context(), "ada", demo.NotesOIDC)
			if err != nil {
				t.Fatal(err)
			}
			b := demo.NewBrowser()
			page, err := b.SignIn(t.Context(), address, "ada")
			if err != nil {
				t.Fatal(err)
			}
			wantState(t, page, "relaying")
			codes := w.Service.Codes()
			if n := w.Service.CodeUses(codes[len(codes)-1]); n != 0 {
				t.Errorf("the code was sent before the host's relay")
			}
			token := finishToken(t, page)
			if got := status(w.Host.Finish(t.Context(), c.finisher, demo.NotesOIDC, token)); got != c.status {
				t.Errorf("got %d, want %d", got, c.status)
			}
			if n := len(w.Host.Accounts("ada")) + len(w.Host.Accounts("grace")); n != c.accounts {
				t.Errorf("%d accounts, want %d", n, c.accounts)
			}
			if got := status(w.Host.Finish(t.Context(), "grace", demo.NotesOIDC, token)); got != 403 {
				t.Errorf("another user afterwards: %d, want 403", got)
			}
		})
	}
}

// finishToken reads the token that a relaying page posts to the host.
func finishToken(t *testing.T, page demo.Page) string {
	t.Helper()
	found := regexp.MustCompile(`linkgate\.auth\.finish\.([A-Za-z0-9_-]+)`).FindStringSubmatch(page.Body)
	if found == nil {
		t.Fatalf("the page has no finish token:\n%s", page.Body)
	}
	return found[1]
}

func TestFinishWithoutToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	answer, err := w.Host.Proxy(t.Context(), "ada", "POST", "/auth/notes/finish", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != 400 {
		t.Errorf("a finish without a token: %d, want 400", answer.StatusCode)
	}
}
