package connect_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"linkgate/connect"
	"linkgate/demo"
	"linkgate/provider"
	"linkgate/secret"
)

// withForms adds a connection with a key and one with a password, and opens a session of ada's.
func withForms(t *testing.T, authID string) (f *fixture, kinds *demo.Kinds, ticket string) {
	t.Helper()
	f = newFixture(t)
	kinds = demo.NewKinds(demo.KindsOptions{LinkgateURL: "https://linkgate.test", TokenLifetime: time.Minute})
	service := httptest.NewServer(kinds)
	t.Cleanup(service.Close)
	for _, c := range []provider.Connection{
		{
			AuthID: demo.VaultKey, Provider: "api_key", Name: "Acme Vault", Credential: provider.CredentialPlace{Header: "X-Api-Key"},
			Fields:   []provider.Field{{Key: "api_key", Label: "API key", Secret: true, Pattern: "vault-.*"}},
			Identity: provider.IdentityPaths{URL: service.URL + "/vault/api/me", ID: "account.id"},
		},
		{
			AuthID: demo.AminoMove, Provider: "password", Name: "Amino MOVE",
			Fields: []provider.Field{{Key: "customer", Label: "Company"}, {Key: "password", Label: "Password", Secret: true}},
			Login:  provider.Exchange{URL: service.URL + "/amino/{customer}/api/login", Params: map[string]string{"username": demo.AminoUser, "password": "{password}"}},
			Paths:  provider.AnswerPaths{AccessToken: "data.0.attributes.access_token", ExternalID: "data.0.attributes.user_id"},
		},
	} {
		p, err := provider.New(c, provider.Deps{AllowPrivateNetworks: true})
		if err != nil {
			t.Fatal(err)
		}
		f.Connections[c.AuthID] = p
	}
	address, err := f.Begin(t.Context(), ada, authID)
	if err != nil {
		t.Fatal(err)
	}
	_, ticket, _ = strings.Cut(address, "/connect/")
	view, err := f.Open(t.Context(), ticket, browser)
	if err != nil || !view.Form || len(view.Fields) == 0 {
		t.Fatalf("opened: %+v, %v", view, err)
	}
	return f, kinds, ticket
}

func typed(pairs ...string) map[string]secret.Text {
	values := map[string]secret.Text{}
	for i := 0; i < len(pairs); i += 2 {
		values[pairs[i]] = secret.New(pairs[i+1])
	}
	return values
}

// TestSubmit: the form again with what is wrong, as often as it is wrong, and then an account.
func TestSubmit(t *testing.T) {
	f, kinds, ticket := withForms(t, demo.VaultKey)
	for _, test := range []struct {
		key   string
		want  connect.FieldMistake
		asked int
	}{
		{"", connect.FieldMissing, 0},
		{"another", connect.FieldMalformed, 0},
		{"vault-wrong", connect.FieldRejected, 1},
		{"vault-wrong-too", connect.FieldRejected, 2},
	} {
		_, err := f.Continue(t.Context(), ticket, browser, typed("api_key", test.key))
		var wrong *connect.FieldsError
		if !errors.As(err, &wrong) || wrong.Mistakes["api_key"] != test.want || wrong.View.ServiceName != "Acme Vault" {
			t.Errorf("%q: got %v (%+v), want %s", test.key, err, wrong, test.want)
		}
		if asked := kinds.Vault.Asked(""); asked != test.asked {
			t.Errorf("%q: the service was asked %d times, want %d", test.key, asked, test.asked)
		}
	}
	if n := len(f.theHost.Accounts(ada)); n != 0 {
		t.Fatalf("%d accounts, want 0", n)
	}
	_, err := f.Continue(t.Context(), ticket, "another browser", typed("api_key", demo.VaultAdaKey))
	wantError(t, "in another browser", err, connect.ErrWrongBrowser)

	address, err := f.Continue(t.Context(), ticket, browser, typed("api_key", demo.VaultAdaKey))
	if err != nil || !strings.HasSuffix(address, "/"+ticket+"/result") {
		t.Fatalf("got %q, %v", address, err)
	}
	if r, err := f.Result(t.Context(), ticket, browser); err != nil || r.State != connect.Linked {
		t.Errorf("got %+v, %v; want linked", r, err)
	}
	if all := f.theHost.Accounts(ada); len(all) != 1 || all[0].ExternalAccountID != "1815" {
		t.Errorf("accounts: %+v", all)
	}
	_, err = f.Continue(t.Context(), ticket, browser, typed("api_key", demo.VaultAdaKey))
	wantError(t, "once more", err, connect.ErrUsed)
}

// TestSubmitIsLimited: each try counts like a new session.
func TestSubmitIsLimited(t *testing.T) {
	f, kinds, ticket := withForms(t, demo.VaultKey)
	f.allowed.none = true
	_, err := f.Continue(t.Context(), ticket, browser, typed("api_key", demo.VaultAdaKey))
	wantError(t, "too many tries", err, connect.ErrTooMany)
	if n := kinds.Vault.Asked("") + kinds.Vault.Asked("Ada Lovelace"); n != 0 {
		t.Errorf("the service was asked %d times", n)
	}
}

// TestSubmitTwiceAtOnce: a double click is one submission.
func TestSubmitTwiceAtOnce(t *testing.T) {
	f, kinds, ticket := withForms(t, demo.AminoMove)
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			_, err := f.Continue(context.WithoutCancel(t.Context()), ticket, browser, typed("customer", "acme", "password", demo.AminoPassword))
			if err != nil && !errors.Is(err, connect.ErrUsed) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if logins, _, _ := kinds.Amino.Counts(); logins != 1 || len(f.theHost.Accounts(ada)) != 1 {
		t.Errorf("%d logins and %d accounts, want 1 and 1", logins, len(f.theHost.Accounts(ada)))
	}
}

// TestSubmitWithTheHostsRelay: what the form has brought waits, sealed, for the host's relay, and is
// linked for nobody but the user who began it.
func TestSubmitWithTheHostsRelay(t *testing.T) {
	for _, user := range []string{ada, grace} {
		t.Run(user, func(t *testing.T) {
			f, _, ticket := withForms(t, demo.AminoMove)
			f.HostFinish = true
			if _, err := f.Continue(t.Context(), ticket, browser, typed("customer", "acme", "password", demo.AminoPassword)); err != nil {
				t.Fatal(err)
			}
			r, err := f.Result(t.Context(), ticket, browser)
			if err != nil || r.State != connect.Relaying || r.FinishToken.IsZero() || len(f.theHost.Accounts(ada)) != 0 {
				t.Fatalf("got %+v, %v; want relaying and no account", r, err)
			}
			_, err = f.Finish(t.Context(), user, demo.AminoMove, r.FinishToken)
			if user == ada && (err != nil || len(f.theHost.Accounts(ada)) != 1) {
				t.Errorf("the same user: %v, %d accounts", err, len(f.theHost.Accounts(ada)))
			}
			if user != ada && (!errors.Is(err, connect.ErrWrongUser) || len(f.theHost.Accounts(ada))+len(f.theHost.Accounts(user)) != 0) {
				t.Errorf("another user: %v, %d accounts", err, len(f.theHost.Accounts(ada))+len(f.theHost.Accounts(user)))
			}
		})
	}
}

// TestSubmitWhileTheServiceIsDown ends the attempt, and says whose fault it is.
func TestSubmitWhileTheServiceIsDown(t *testing.T) {
	f, _, ticket := withForms(t, demo.AminoMove)
	address, err := f.Continue(t.Context(), ticket, browser, typed("customer", "initech", "password", demo.AminoPassword)) // 404
	if err != nil || address == "" {
		t.Fatalf("got %q, %v", address, err)
	}
	if r, err := f.Result(t.Context(), ticket, browser); err != nil || r.State != connect.Failed || r.Reason != connect.ServiceUnavailable {
		t.Errorf("got %+v, %v", r, err)
	}
	if _, err := f.Continue(t.Context(), ticket, browser, typed("customer", "acme", "password", demo.AminoPassword)); err != nil {
		t.Errorf("trying again: %v", err)
	}
	if len(f.theHost.Accounts(ada)) != 1 {
		t.Error("no account after trying again")
	}
}

// TestShared: the page says that the account is the company's, and its button is all there is to do.
func TestShared(t *testing.T) {
	f := newFixture(t)
	team := demo.Client{ID: "team", Secret: secret.New("secret of the team"), OnItsOwn: true}
	service := httptest.NewUnstartedServer(nil)
	notes := demo.NewService(demo.ServiceOptions{Issuer: "http://" + service.Listener.Addr().String(), Clients: []demo.Client{team}})
	service.Config.Handler = notes
	service.Start()
	t.Cleanup(service.Close)
	p, err := provider.New(provider.Connection{
		AuthID: "team", Provider: "client_credentials", Name: "Acme", TokenURL: service.URL + "/oauth/token", RevokeURL: service.URL + "/oauth/revoke",
		ClientID: team.ID, ClientSecret: team.Secret, Scopes: []string{"notes.read"},
	}, provider.Deps{AllowPrivateNetworks: true})
	if err != nil {
		t.Fatal(err)
	}
	f.Connections["team"] = p
	for _, user := range []string{ada, grace} {
		address, err := f.Begin(t.Context(), user, "team")
		if err != nil {
			t.Fatal(err)
		}
		_, ticket, _ := strings.Cut(address, "/connect/")
		view, err := f.Open(t.Context(), ticket, browser)
		if err != nil || !view.Form || !view.Shared || len(view.Fields) != 0 {
			t.Fatalf("opened: %+v, %v", view, err)
		}
		if n := notes.Requests(demo.OpToken); n != len(f.theHost.Accounts(ada)) {
			t.Errorf("the service was asked before anybody agreed")
		}
		if _, err := f.Continue(t.Context(), ticket, browser, nil); err != nil {
			t.Fatal(err)
		}
		all := f.theHost.Accounts(user)
		if len(all) != 1 || all[0].ExternalAccountID != "team" {
			t.Errorf("%s's accounts: %+v", user, all)
		}
	}
}
