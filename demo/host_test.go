package demo_test

import (
	"errors"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"linkgate/demo"
	"linkgate/host"
	"linkgate/secret"
)

// newHost starts a host and a client of its API.
func newHost(t *testing.T) (*demo.Host, *host.Client) {
	t.Helper()
	h := demo.NewHost(demo.HostOptions{})
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return h, host.New(host.Options{BaseURL: server.URL, APIKey: h.APIKey(), RetryWait: time.Microsecond})
}

// The simulated host and the real client agree on every operation.
func TestHostAPI(t *testing.T) {
	ctx := t.Context()
	h, c := newHost(t)
	a := host.LinkedAccount{
		AuthID: "notes", ExternalAccountID: "ada@notes", Extra: "Ada", Expiry: time.Date(2031, 1, 2, 3, 4, 5, 0, time.UTC),
		AccessToken: secret.New("at"), RefreshToken: secret.New("rt"),
	}
	added, err := c.Add(ctx, "u_ada", a, "key1")
	if err != nil {
		t.Fatal(err)
	}
	want := demo.Account{
		ID: added.ID, UserID: "u_ada", AuthID: "notes", ExternalAccountID: "ada@notes", Extra: "Ada",
		Expiry: a.Expiry, AccessToken: "at", RefreshToken: "rt",
	}
	if diff := cmp.Diff([]demo.Account{want}, h.Accounts("u_ada")); diff != "" {
		t.Errorf("accounts (-want +got):\n%s", diff)
	}
	added.RequiresReauth, added.AccessToken, added.Expiry = true, secret.Text{}, time.Time{}
	if _, err := c.Update(ctx, "u_ada", added); err != nil {
		t.Fatal(err)
	}
	got, err := c.Get(ctx, "u_ada", added.ID)
	if err != nil || !got.RequiresReauth || !got.AccessToken.IsZero() || !got.Expiry.IsZero() || got.Extra != "Ada" {
		t.Errorf("after the update: %+v, %v", got, err)
	}
	if got := h.Updates(added.ID); got != 1 {
		t.Errorf("updates = %d, want 1", got)
	}
	if all, err := c.List(ctx, "u_ada"); err != nil || len(all) != 1 || all[0].ID != added.ID {
		t.Errorf("list = %+v, %v; want the one account", all, err)
	}
	if user, err := c.User(ctx, "u_ada"); err != nil || user.DisplayName != "Ada Lovelace" {
		t.Errorf("user = %+v, %v; want Ada Lovelace", user, err)
	}
	if err := c.Delete(ctx, "u_ada", added.ID); err != nil {
		t.Fatal(err)
	}
	for op, want := range map[string]int{demo.OpAdd: 1, demo.OpGet: 1, demo.OpList: 1, demo.OpUpdate: 1, demo.OpDelete: 1, demo.OpUser: 1} {
		if got := h.Calls(op); got != want {
			t.Errorf("calls of %s = %d, want %d", op, got, want)
		}
	}
	if left := h.Accounts("u_ada"); len(left) != 0 {
		t.Errorf("accounts after the delete: %+v", left)
	}
}

func TestHostAPIRefusals(t *testing.T) {
	ctx := t.Context()
	h, c := newHost(t)
	grace := h.Put(demo.Account{UserID: "u_grace", AuthID: "notes", ExternalAccountID: "g"})
	_, getErr := c.Get(ctx, "u_ada", grace.ID)
	_, updateErr := c.Update(ctx, "u_ada", host.LinkedAccount{ID: grace.ID, AuthID: "notes", ExternalAccountID: "g"})
	_, userErr := c.User(ctx, "u_nobody")
	_, listErr := c.List(ctx, "u_nobody")
	for name, err := range map[string]error{
		"get of another's": getErr, "update of another's": updateErr, "delete of another's": c.Delete(ctx, "u_ada", grace.ID),
		"unknown user": userErr, "list of an unknown user": listErr, "slashes": c.Delete(ctx, "u_ada", "x/../"+grace.ID),
	} {
		if !errors.Is(err, host.ErrNotFound) {
			t.Errorf("%s: err = %v, want ErrNotFound", name, err)
		}
	}
	for name, want := range map[string]struct {
		user   string
		a      host.LinkedAccount
		status int
	}{
		"no auth id":     {"u_ada", host.LinkedAccount{ExternalAccountID: "x"}, 400},
		"no external id": {"u_ada", host.LinkedAccount{AuthID: "x"}, 400},
		"unknown user":   {"u_nobody", host.LinkedAccount{AuthID: "x", ExternalAccountID: "x"}, 404},
	} {
		var refused *host.RefusedError
		if _, err := c.Add(ctx, want.user, want.a, "k"); !errors.As(err, &refused) || refused.Status != want.status {
			t.Errorf("adding with %s: err = %v, want status %d", name, err, want.status)
		}
	}
	server := httptest.NewServer(h)
	defer server.Close()
	for _, key := range []secret.Text{{}, secret.New("guess"), h.ProxySecret()} {
		stranger := host.New(host.Options{BaseURL: server.URL, APIKey: key})
		if _, err := stranger.List(ctx, "u_ada"); !errors.Is(err, host.ErrUnauthorized) {
			t.Errorf("another key: err = %v, want ErrUnauthorized", err)
		}
	}
	if len(h.Accounts("u_grace")) != 1 || h.Updates(grace.ID) != 0 {
		t.Error("Grace's account is gone or another")
	}
}

func TestIdempotencyKey(t *testing.T) {
	ctx := t.Context()
	h, c := newHost(t)
	a := host.LinkedAccount{AuthID: "notes", ExternalAccountID: "ada", Expiry: time.Now()}
	var all sync.WaitGroup
	ids := make([]string, 20)
	for i := range ids {
		all.Go(func() {
			added, err := c.Add(ctx, "u_ada", a, "one key")
			if err != nil {
				t.Error(err)
			}
			ids[i] = added.ID
		})
	}
	all.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Errorf("ids = %q and %q, want one", ids[0], id)
		}
	}
	if n := len(h.Accounts("u_ada")); n != 1 {
		t.Errorf("%d accounts, want 1", n)
	}
	a.Extra = "another body"
	var refused *host.RefusedError
	if _, err := c.Add(ctx, "u_ada", a, "one key"); !errors.As(err, &refused) || refused.Status != 422 {
		t.Errorf("the key with another body: err = %v, want 422", err)
	}
	for _, key := range []string{"another key", "", ""} {
		if _, err := c.Add(ctx, "u_ada", a, key); err != nil {
			t.Error(err)
		}
	}
	if _, err := c.Add(ctx, "u_grace", a, "one key"); err != nil {
		t.Error(err)
	}
	if n := len(h.Accounts("u_ada")); n != 4 {
		t.Errorf("%d accounts, want 4", n)
	}
}

// A fault without a body is worded as the host words errors.
func TestHostFault(t *testing.T) {
	h, c := newHost(t)
	h.Play(demo.Script{Fault: demo.Only(demo.OpAdd, 1, demo.Fault{Status: 403})})
	var refused *host.RefusedError
	_, err := c.Add(t.Context(), "u_ada", host.LinkedAccount{AuthID: "a", ExternalAccountID: "b"}, "k")
	if !errors.As(err, &refused) || refused.Code != "FORBIDDEN" {
		t.Errorf("err = %v, want FORBIDDEN", err)
	}
}
