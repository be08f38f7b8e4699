package connect_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"linkgate/connect"
	"linkgate/demo"
	"linkgate/linkedaccount"
	"linkgate/outbox"
	"linkgate/provider"
	"linkgate/secret"
)

// linkedAs saves an account at both sides.
func (f *fixture) linkedAs(t *testing.T, user, subject string) linkedaccount.Account {
	t.Helper()
	a, promise, err := f.Accounts.Link(t.Context(), user, demo.NotesOIDC, provider.Grant{
		Credential: provider.Credential{AccessToken: secret.New("x")}, Identity: provider.Identity{Issuer: "i", Subject: subject},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Outbox.Try(t.Context(), promise); err != nil {
		t.Fatal(err)
	}
	if a, err = f.Accounts.ByID(t.Context(), a.ID); err != nil || a.Status != linkedaccount.Linked {
		t.Fatalf("%+v, %v; want it linked", a, err)
	}
	return a
}

// reconcile returns what is told, as "kind subject-or-host-id repaired".
func (f *fixture) reconcile(t *testing.T, fix bool) (told []string, summary connect.Summary) {
	t.Helper()
	o := connect.ReconcileOptions{Found: func(d connect.Difference) {
		line := fmt.Sprintf("%s %s", d.Kind, d.HostID)
		if d.Repaired {
			line += " repaired"
		}
		told = append(told, line)
	}}
	if fix {
		o.Fix = func(d connect.Difference) bool { return d.Repairable() }
	}
	summary, err := f.Reconcile(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(told)
	return told, summary
}

// remove takes a record away from the host behind everybody's back.
func (f *fixture) remove(t *testing.T, user, hostID string) {
	t.Helper()
	if err := f.Host.Delete(t.Context(), user, hostID); err != nil {
		t.Fatal(err)
	}
}

// TestReconcile: every kind of difference is told, and nothing changed; with fix all is mended, and
// nothing differs afterwards.
func TestReconcile(t *testing.T) {
	f := newFixture(t)
	right, lost, wrong := f.linkedAs(t, ada, "1"), f.linkedAs(t, ada, "2"), f.linkedAs(t, ada, "3")
	f.linkedAs(t, grace, "1")
	f.remove(t, ada, lost.HostID)
	record, err := f.Host.Get(t.Context(), ada, wrong.HostID)
	if err != nil {
		t.Fatal(err)
	}
	record.RequiresReauth = true
	if _, err := f.Host.Update(t.Context(), ada, record); err != nil {
		t.Fatal(err)
	}
	stranger := f.theHost.Put(demo.Account{UserID: ada, AuthID: demo.NotesOIDC, ExternalAccountID: "from before"})
	others := f.theHost.Put(demo.Account{UserID: ada, AuthID: "another app's", ExternalAccountID: "9"})

	want := []string{"missing_at_host " + lost.HostID, "out_of_step " + wrong.HostID, "unknown_here " + stranger.ID}
	before := f.theHost.Accounts(ada)
	told, summary := f.reconcile(t, false)
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("differences (-want +got):\n%s", diff)
	}
	if want := (connect.Summary{Users: 2, Accounts: 4, Differences: 3}); summary != want {
		t.Errorf("got %+v, want %+v", summary, want)
	}
	if diff := cmp.Diff(before, f.theHost.Accounts(ada)); diff != "" {
		t.Errorf("the host's records have changed:\n%s", diff)
	}

	for i := range want {
		want[i] += " repaired"
	}
	told, _ = f.reconcile(t, true)
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("repaired (-want +got):\n%s", diff)
	}
	told, summary = f.reconcile(t, true)
	if want := (connect.Summary{Users: 2, Accounts: 4, Pending: 2}); len(told) != 0 || summary != want {
		t.Errorf("while the outbox has it: %v, %+v; want nothing told, %+v", told, summary, want)
	}
	f.whileOutboxRuns(t, func() {
		f.eventually(t, "the host has been told", func([]linkedaccount.Account) bool {
			_, summary := f.reconcile(t, false)
			return summary == connect.Summary{Users: 2, Accounts: 4}
		})
	})
	ids := map[string]bool{}
	for _, a := range f.theHost.Accounts(ada) {
		ids[a.ID] = true
		if a.RequiresReauth {
			t.Errorf("the host still says that the user must sign in again: %+v", a)
		}
	}
	if len(ids) != 4 || !ids[right.HostID] || !ids[wrong.HostID] || !ids[others.ID] || ids[stranger.ID] {
		t.Errorf("the host has %v", ids)
	}
}

// TestReconcileLeavesAloneWhatIsPending: an account that is being added or deleted is in nobody's way.
func TestReconcileLeavesAloneWhatIsPending(t *testing.T) {
	f := newFixture(t)
	leaving := f.linkedAs(t, ada, "1")
	f.theHost.Play(demo.Script{Fault: func(op string, _ *http.Request) *demo.Fault {
		if op == demo.OpDelete || op == demo.OpAdd {
			return &demo.Fault{Done: op == demo.OpAdd, Status: 503}
		}
		return nil
	}})
	if _, err := f.DisconnectAccount(t.Context(), leaving.ID); err != nil {
		t.Fatal(err)
	}
	_, promise, err := f.Accounts.Link(t.Context(), ada, demo.NotesOIDC, provider.Grant{Identity: provider.Identity{Issuer: "i", Subject: "2"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Outbox.Try(t.Context(), promise); err == nil {
		t.Fatal("the host has answered")
	}
	if n := len(f.theHost.Accounts(ada)); n != 2 {
		t.Fatalf("the host has %d records, want the one that leaves and the one that has arrived", n)
	}
	told, summary := f.reconcile(t, true)
	if want := (connect.Summary{Users: 1, Accounts: 1, Pending: 1}); len(told) != 0 || summary != want {
		t.Errorf("got %v, %+v; want nothing told, %+v", told, summary, want)
	}
	if n := len(f.theHost.Accounts(ada)); n != 2 {
		t.Errorf("the host has %d records afterwards, want 2", n)
	}
}

// TestReconcileOfUsersWhoAreGone: nothing is added for somebody whom the host does not know, since it
// would refuse that, and the credential would be revoked.
func TestReconcileOfUsersWhoAreGone(t *testing.T) {
	f := newFixture(t)
	a, _, err := f.Accounts.Link(t.Context(), "u_gone", demo.NotesOIDC, provider.Grant{Identity: provider.Identity{Issuer: "i", Subject: "1"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Accounts.HostAdded(t.Context(), a.ID, "la_1", a.Version); err != nil {
		t.Fatal(err)
	}
	if told, summary := f.reconcile(t, true); len(told) != 0 || summary.Pending != 1 {
		t.Errorf("while it is owed: told %v, %+v; want it left alone", told, summary)
	}
	err = f.Outbox.DB.InTx(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		return outbox.Drop(ctx, tx, a.ID, linkedaccount.HostAdd)
	})
	if err != nil {
		t.Fatal(err)
	}
	told, _ := f.reconcile(t, true)
	if diff := cmp.Diff([]string{"user_not_at_host la_1"}, told); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if now, err := f.Accounts.ByID(t.Context(), a.ID); err != nil || now.Status != linkedaccount.Linked {
		t.Errorf("the account is %s, %v; want it as it was", now.Status, err)
	}
}

// TestReconcileWhileTheHostIsDown says so.
func TestReconcileWhileTheHostIsDown(t *testing.T) {
	f := newFixture(t)
	f.linkedAs(t, ada, "1")
	f.theHost.Play(demo.Script{Fault: demo.Only(demo.OpList, -1, *demo.Answer(503, ""))})
	_, err := f.Reconcile(t.Context(), connect.ReconcileOptions{Found: func(d connect.Difference) { t.Errorf("told %+v", d) }})
	wantError(t, "the host is down", err, connect.ErrUnavailable)
}

// TestReconcileRepairsWhatItIsToldTo, and nothing else; and it tells how far it is.
func TestReconcileRepairsWhatItIsToldTo(t *testing.T) {
	f := newFixture(t)
	f.linkedAs(t, ada, "1")
	f.linkedAs(t, grace, "1")
	approved := f.theHost.Put(demo.Account{UserID: ada, AuthID: demo.NotesOIDC, ExternalAccountID: "2"})
	since := f.theHost.Put(demo.Account{UserID: ada, AuthID: demo.NotesOIDC, ExternalAccountID: "3"})
	repaired := map[string]bool{}
	var users []int
	summary, err := f.Reconcile(t.Context(), connect.ReconcileOptions{
		Found: func(d connect.Difference) { repaired[d.HostID] = d.Repaired },
		Fix:   func(d connect.Difference) bool { return d.HostID == approved.ID },
		Done:  func(s connect.Summary) { users = append(users, s.Users) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]bool{approved.ID: true, since.ID: false}, repaired); diff != "" {
		t.Errorf("repaired (-want +got):\n%s", diff)
	}
	if want := (connect.Summary{Users: 2, Accounts: 2, Differences: 2, Repaired: 1}); summary != want {
		t.Errorf("got %+v, want %+v", summary, want)
	}
	if !slices.Equal(users, []int{1, 2}) {
		t.Errorf("told of %v users, want 1 and 2", users)
	}
	if !slices.ContainsFunc(f.theHost.Accounts(ada), func(a demo.Account) bool { return a.ID == since.ID }) {
		t.Error("a record was deleted that nobody has approved of")
	}
}

// TestReconcileWhileTheOutboxWorks: what is brought in line after the host's records were read is no difference.
func TestReconcileWhileTheOutboxWorks(t *testing.T) {
	f := newFixture(t)
	a := f.linkedAs(t, ada, "1")
	inLine, err := f.Host.Get(t.Context(), ada, a.HostID)
	if err != nil {
		t.Fatal(err)
	}
	outOfStep := inLine
	outOfStep.RequiresReauth = true
	if _, err := f.Host.Update(t.Context(), ada, outOfStep); err != nil {
		t.Fatal(err)
	}
	if told, _ := f.reconcile(t, false); len(told) != 1 {
		t.Fatalf("told %v, want that it is out of step", told)
	}
	f.theHost.Play(demo.Script{After: func(op string, r *http.Request) {
		if op != demo.OpList {
			return
		}
		if _, err := f.Host.Update(r.Context(), ada, inLine); err != nil {
			t.Error(err)
		}
	}})
	if told, summary := f.reconcile(t, true); len(told) != 0 || summary != (connect.Summary{Users: 1, Accounts: 1}) {
		t.Errorf("told %v, %+v; want nothing", told, summary)
	}
}

// TestReconcileDeletesNothingThatIsLinkedMeanwhile: a record whose account hears of it only now.
func TestReconcileDeletesNothingThatIsLinkedMeanwhile(t *testing.T) {
	f := newFixture(t)
	a := f.linkedAs(t, ada, "1")
	record := f.theHost.Put(demo.Account{UserID: ada, AuthID: demo.NotesOIDC, ExternalAccountID: "2"})
	f.theHost.Play(demo.Script{After: func(op string, r *http.Request) {
		if op != demo.OpGet {
			return
		}
		if err := f.Accounts.HostAdded(r.Context(), a.ID, record.ID, a.Version); err != nil {
			t.Error(err)
		}
	}})
	if told, _ := f.reconcile(t, true); len(told) != 0 {
		t.Errorf("told %v, want nothing", told)
	}
	if n := len(f.theHost.Accounts(ada)); n != 2 {
		t.Errorf("the host has %d records, want 2", n)
	}
}
