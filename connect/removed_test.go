package connect_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"linkgate/connect"
	"linkgate/demo"
	"linkgate/linkedaccount"
	"linkgate/provider"
	"linkgate/secret"
)

const removalSecret = "the-removal-secret-of-this-test"

// named is an account reader that always finds id.
func named(id string) func(string) (string, error) {
	return func(string) (string, error) { return id, nil }
}

func (f *fixture) withRemovalSecret(authID string) {
	p := *f.Connections[authID]
	p.Connection.RemovalSecret = secret.New(removalSecret)
	p.Connection.RemovalID = "app.id"
	f.Connections[authID] = &p
}

// eventNames are those of the audit trail, oldest first.
func (f *fixture) eventNames(t *testing.T) []string {
	t.Helper()
	events, err := f.Accounts.Events(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range slices.Backward(events) {
		names = append(names, e.Name)
	}
	return names
}

// TestRemoved: gone here and at the host, and the service, which has said so, is asked nothing.
func TestRemoved(t *testing.T) {
	f := newFixture(t)
	f.withRemovalSecret(demo.NotesOIDC)
	record := f.linked(t)
	a, _, err := f.Accounts.ByHostID(t.Context(), ada, record.ID)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = f.Accounts.Link(t.Context(), grace, demo.NotesOIDC, provider.Grant{
		Identity: a.Identity, Credential: provider.Credential{AccessToken: secret.New("grace's")},
	})
	if err != nil {
		t.Fatal(err)
	}
	hungUp, hangUp := context.WithCancel(t.Context())
	hangUp()
	n, err := f.Removed(hungUp, demo.NotesOIDC, secret.New(removalSecret), func(path string) (string, error) {
		if path != "app.id" {
			t.Errorf("asked for %q, want the connection's removal_id", path)
		}
		return a.Identity.Subject, nil
	})
	if err != nil || n != 2 {
		t.Fatalf("removed %d, %v; want ada's and grace's", n, err)
	}
	f.Outbox.Wait()
	if len(f.theHost.Accounts(ada)) != 0 || len(f.theHost.Accounts(grace)) != 0 {
		t.Error("the host still has an account")
	}
	if n := f.theService.Requests(demo.OpRevoke); n != 0 {
		t.Errorf("%d revocation requests, want 0", n)
	}
	if a, err = f.Accounts.ByID(t.Context(), a.ID); err != nil || a.Status != linkedaccount.Unlinked {
		t.Errorf("status %s, %v; want unlinked", a.Status, err)
	}
	if names := f.eventNames(t); len(names) < 2 || !slices.Equal(names[len(names)-2:], []string{"account.removed", "account.removed"}) {
		t.Errorf("the audit trail has %v, want account.removed twice at its end", names)
	}
	before := f.theHost.Calls(demo.OpDelete)
	for _, id := range []string{a.Identity.Subject, "unknown"} {
		if n, err := f.Removed(t.Context(), demo.NotesOIDC, secret.New(removalSecret), named(id)); n != 0 || err != nil {
			t.Errorf("%s: removed %d, %v; want none", id, n, err)
		}
	}
	f.Outbox.Wait()
	if after := f.theHost.Calls(demo.OpDelete); after != before {
		t.Errorf("%d deletes at the host more, want none", after-before)
	}
}

// TestRemovedWithoutProof has no effect and no reader, and says the same in every case.
func TestRemovedWithoutProof(t *testing.T) {
	f := newFixture(t)
	f.withRemovalSecret(demo.NotesOIDC)
	record := f.linked(t)
	audited := len(f.eventNames(t))
	for name, test := range map[string]struct{ authID, proof string }{
		"none":                      {demo.NotesOIDC, ""},
		"wrong":                     {demo.NotesOIDC, "wrong"},
		"a beginning":               {demo.NotesOIDC, removalSecret[:10]},
		"and more":                  {demo.NotesOIDC, removalSecret + "x"},
		"no secret configured":      {"other", ""},
		"another connection's":      {"other", removalSecret},
		"unknown auth id":           {"nothing", removalSecret},
		"unknown auth id, no proof": {"nothing", ""},
	} {
		_, err := f.Removed(t.Context(), test.authID, secret.New(test.proof), func(string) (string, error) {
			t.Errorf("%s: the request was read", name)
			return record.ExternalAccountID, nil
		})
		if !errors.Is(err, connect.ErrNotService) || err.Error() != connect.ErrNotService.Error() {
			t.Errorf("%s: %v, want ErrNotService and nothing more", name, err)
		}
	}
	if len(f.theHost.Accounts(ada)) != 1 {
		t.Error("the account is gone")
	}
	if n := len(f.eventNames(t)); n != audited {
		t.Errorf("%d audit entries more: strangers can fill the trail", n-audited)
	}
}

// refusing is a Limiter that notes who asked.
type refusing struct{ asked []string }

func (r *refusing) Allow(id string) (bool, error) {
	r.asked = append(r.asked, id)
	return false, nil
}

func TestRemovedTooOften(t *testing.T) {
	f := newFixture(t)
	f.withRemovalSecret(demo.NotesOIDC)
	record := f.linked(t)
	limit := &refusing{}
	f.RemovalLimit = limit
	_, err := f.Removed(t.Context(), demo.NotesOIDC, secret.New(removalSecret), named(record.ExternalAccountID))
	wantError(t, "over the limit", err, connect.ErrTooManyRemovals)
	_, err = f.Removed(t.Context(), demo.NotesOIDC, secret.New("wrong"), named(record.ExternalAccountID))
	wantError(t, "wrong secret", err, connect.ErrNotService)
	if !slices.Equal(limit.asked, []string{demo.NotesOIDC}) {
		t.Errorf("the limiter was asked for %v, want the auth id, once: strangers must not use it up", limit.asked)
	}
	if len(f.theHost.Accounts(ada)) != 1 {
		t.Error("the account is gone")
	}
}

func TestRemovedUnreadable(t *testing.T) {
	f := newFixture(t)
	f.withRemovalSecret(demo.NotesOIDC)
	unreadable := errors.New("unreadable")
	_, err := f.Removed(t.Context(), demo.NotesOIDC, secret.New(removalSecret), func(string) (string, error) { return "", unreadable })
	wantError(t, "what can't be read", err, unreadable)
}

// TestRemovedWhileTheHostIsDown: it is gone here at once, and at the host when that is back.
func TestRemovedWhileTheHostIsDown(t *testing.T) {
	f := newFixture(t)
	f.withRemovalSecret(demo.NotesOIDC)
	record := f.linked(t)
	f.theHost.Play(demo.Script{Fault: demo.Only(demo.OpDelete, 1, demo.Fault{Status: 503})})
	if n, err := f.Removed(t.Context(), demo.NotesOIDC, secret.New(removalSecret), named(record.ExternalAccountID)); n != 1 || err != nil {
		t.Fatalf("removed %d, %v; want 1", n, err)
	}
	if accounts, err := f.Accounts.Of(t.Context(), ada, demo.NotesOIDC); len(accounts) != 0 || err != nil {
		t.Errorf("%d accounts here, %v; want none", len(accounts), err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Outbox.Run(ctx) }()
	for len(f.theHost.Accounts(ada)) != 0 { // ends when it is so; else the test times out
		time.Sleep(20 * time.Millisecond)
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
