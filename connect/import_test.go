package connect_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"linkgate/connect"
	"linkgate/demo"
	"linkgate/linkedaccount"
	"linkgate/provider"
	"linkgate/secret"
)

// notes is a connection of plain OAuth 2 to the fixture's service.
const notes = "notes-oauth2"

// withNotes adds it, and returns tokens that the service has given to ada there.
func withNotes(t *testing.T) (f *fixture, tokens provider.Given) {
	t.Helper()
	f = newFixture(t)
	client := demo.Client{ID: notes, Secret: secret.New("the secret of the notes"), RedirectURIs: []string{"https://linkgate.test/callback/" + notes}}
	f.theService.Register(client)
	issuer := f.Connections[demo.NotesOIDC].Connection.Issuer
	p, err := provider.New(provider.Connection{
		AuthID: notes, Provider: "oauth2", Name: "Acme Notes", ClientID: client.ID, ClientSecret: client.Secret,
		AuthorizeURL: issuer + "/oauth/authorize", TokenURL: issuer + "/oauth/token", RevokeURL: issuer + "/oauth/revoke",
		Scopes:   []string{"offline_access", "notes.read"},
		Identity: provider.IdentityPaths{URL: issuer + "/api/me", ID: "account.id", Name: "account.display_name"},
	}, provider.Deps{AllowPrivateNetworks: true})
	if err != nil {
		t.Fatal(err)
	}
	f.Connections[notes] = p
	f.Accounts.Schedule = linkedaccount.ScheduleOf(f.Connections)
	grant := f.granted(t, p)
	return f, provider.Given{AccessToken: grant.Credential.AccessToken, RefreshToken: grant.Credential.RefreshToken, ExpiresAt: grant.Credential.ExpiresAt}
}

// granted signs in at the service as somebody else's app would.
func (f *fixture) granted(t *testing.T, p *provider.Provider) provider.Grant {
	t.Helper()
	attempt, address, err := p.Redirector.Authorize(t.Context(), secret.New("a state of somebody else's"), "https://linkgate.test/callback/"+notes)
	if err != nil {
		t.Fatal(err)
	}
	b := demo.NewBrowser()
	b.Stop = func(u *url.URL) bool { return u.Host == "linkgate.test" }
	page, err := b.SignIn(t.Context(), address, "ada")
	if err != nil {
		t.Fatal(err)
	}
	q := page.URL.Query()
	grant, err := p.Redirector.Exchange(t.Context(), attempt, provider.Callback{Code: secret.New(q.Get("code")), Issuer: q.Get("iss")})
	if err != nil {
		t.Fatal(err)
	}
	return grant
}

// importing is a credential as an importer has it.
func importing(g provider.Given) connect.ImportCredential {
	return connect.ImportCredential{
		AccessToken: g.AccessToken, RefreshToken: g.RefreshToken, TokenType: g.TokenType, ExpiresAt: g.ExpiresAt,
		Token: g.Token, TokenSecret: g.TokenSecret, Fields: g.Fields,
	}
}

// anImport is of ada's, with everything checked.
func anImport(authID string, given provider.Given) connect.Import {
	return connect.Import{
		HostUserID: ada, AuthID: authID, Credential: importing(given), ValidateScope: true, RequestProfile: true,
	}
}

// credential is the credential of ada's only account.
func (f *fixture) credential(t *testing.T) provider.Credential {
	t.Helper()
	all, err := f.Accounts.OfUser(t.Context(), ada)
	if err != nil || len(all) != 1 {
		t.Fatalf("accounts: %+v, %v; want one", all, err)
	}
	c, err := f.Accounts.Credential(t.Context(), all[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestImport: the identity is the service's word, the host is told, and the same identity is one account.
func TestImport(t *testing.T) {
	f, given := withNotes(t)
	i := anImport(notes, given)
	i.Name, i.DisplayName, i.Metadata = "ada@work", "Ada's notes", []byte(`{"team":"blue"}`)
	got, err := f.Import(t.Context(), i)
	if err != nil || !got.Created || got.State != connect.Linked || got.Account.Status != linkedaccount.Linked {
		t.Fatalf("got %+v, %v; want it created and linked", got, err)
	}
	a := got.Account
	issuer := f.Connections[demo.NotesOIDC].Connection.Issuer
	if diff := cmp.Diff(provider.Identity{Issuer: issuer, Subject: "acct_1815", Name: "ada@work"}, a.Identity); diff != "" {
		t.Errorf("identity (-want +got):\n%s", diff)
	}
	if a.DisplayName != "Ada's notes" || string(a.Metadata) != `{"team":"blue"}` || !a.ExpiresAt.Equal(given.ExpiresAt.Truncate(time.Millisecond)) {
		t.Errorf("got %q, %s, until %v", a.DisplayName, a.Metadata, a.ExpiresAt)
	}
	if diff := cmp.Diff([]string{"offline_access", "notes.read"}, a.Scopes); diff != "" {
		t.Errorf("scopes (-want +got):\n%s", diff)
	}
	if records := f.theHost.Accounts(ada); len(records) != 1 || records[0].ExternalAccountID != "acct_1815" || records[0].ID != a.HostID {
		t.Errorf("the host has %+v", records)
	}
	if c := f.credential(t); !c.AccessToken.Equal(given.AccessToken) || !c.RefreshToken.Equal(given.RefreshToken) {
		t.Error("the credential is another one")
	}
	if n := f.theService.Refreshes(); n != 0 {
		t.Errorf("%d refreshes, want none", n)
	}

	again, err := f.Import(t.Context(), anImport(notes, given))
	if err != nil || again.Created || again.Account.ID != a.ID || again.Account.DisplayName != "Ada's notes" {
		t.Errorf("once more: %+v, %v; want the same account with its display name", again, err)
	}
	if r := f.signIn(t, notes, "ada"); r.State != connect.Linked {
		t.Errorf("a sign-in afterwards: %+v", r)
	}
	if n := len(f.theHost.Accounts(ada)); n != 1 {
		t.Errorf("%d accounts after a sign-in as the same account, want 1", n)
	}
}

// TestImportOfWhatHasEnded: the refresh token is used once, and it is what came of it that is kept.
func TestImportOfWhatHasEnded(t *testing.T) {
	for name, end := range map[string]func(*fixture, *provider.Given){
		"as the owner says":     func(_ *fixture, g *provider.Given) { g.ExpiresAt = time.Now().Add(-time.Minute) },
		"as the service says":   func(f *fixture, _ *provider.Given) { f.theService.Expire("acct_1815") },
		"a refresh token alone": func(_ *fixture, g *provider.Given) { g.AccessToken = secret.Text{} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, given := withNotes(t)
			end(f, &given)
			got, err := f.Import(t.Context(), anImport(notes, given))
			if err != nil || got.Account.Identity.Subject != "acct_1815" {
				t.Fatalf("got %+v, %v", got, err)
			}
			c := f.credential(t)
			if c.RefreshToken.Equal(given.RefreshToken) || !f.theService.Active(c.AccessToken.Reveal()) || !f.theService.Active(c.RefreshToken.Reveal()) {
				t.Error("the credential kept is not the refreshed one")
			}
			if n := f.theService.Refreshes(); n != 1 {
				t.Errorf("%d refreshes, want 1", n)
			}
		})
	}
}

// TestImportRefuses: each mistake by its name, before anything is used up, and nothing is kept.
func TestImportRefuses(t *testing.T) {
	f, given := withNotes(t)
	f.Connections[notes].Connection.Scopes = []string{"offline_access", "notes.read", "notes.write"}
	for name, test := range map[string]struct {
		change func(*connect.Import)
		want   error
		part   string // of a shape
	}{
		"unknown connection":   {func(i *connect.Import) { i.AuthID = "nothing" }, connect.ErrUnknownConnection, ""},
		"unknown user":         {func(i *connect.Import) { i.HostUserID = "u_nobody" }, connect.ErrUnknownUser, ""},
		"no credential":        {func(i *connect.Import) { i.Credential = importing(provider.Given{}) }, connect.ErrCredentialShape, "access_token"},
		"of OAuth 1":           {func(i *connect.Import) { i.Credential = importing(provider.Given{Token: given.AccessToken}) }, connect.ErrCredentialShape, "token"},
		"two lines":            {func(i *connect.Import) { i.Credential.AccessToken = secret.New("a\nb") }, connect.ErrCredentialShape, "access_token"},
		"a field there is not": {func(i *connect.Import) { i.Credential.Fields = typed("api_key", "x") }, connect.ErrCredentialShape, "fields"},
		"scopes missing":       {func(i *connect.Import) { i.Credential.Scopes = []string{"notes.read"} }, connect.ErrScopesMissing, ""},
		"no profile":           {func(i *connect.Import) { i.RequestProfile = false }, connect.ErrProfileNeeded, ""},
		"profile without an id": {func(i *connect.Import) {
			i.RequestProfile, i.Profile = false, &connect.Profile{Name: "Ada"}
		}, connect.ErrCredentialShape, "profile/external_account_id"},
		"another's profile": {func(i *connect.Import) { i.Profile = &connect.Profile{ExternalAccountID: "acct_1906"} }, connect.ErrOtherProfile, ""},
		"wrong token": {func(i *connect.Import) {
			i.Credential.AccessToken, i.Credential.RefreshToken = secret.New("wrong"), secret.Text{}
		}, connect.ErrCredentialRejected, ""},
		"ended, and nothing to refresh it with": {func(i *connect.Import) {
			i.Credential.RefreshToken, i.Credential.ExpiresAt = secret.Text{}, time.Now().Add(-time.Hour)
		}, connect.ErrCredentialRejected, ""},
		"wrong refresh token": {func(i *connect.Import) {
			i.Credential.AccessToken, i.Credential.RefreshToken = secret.Text{}, secret.New("wrong")
		}, connect.ErrCredentialRejected, ""},
	} {
		t.Run(name, func(t *testing.T) {
			i := anImport(notes, given)
			test.change(&i)
			_, err := f.Import(t.Context(), i)
			wantError(t, name, err, test.want)
			var shape *connect.CredentialShapeError
			if errors.As(err, &shape); test.part != "" && (shape == nil || shape.Field != test.part) {
				t.Errorf("got %v, want it about %s", err, test.part)
			}
			if errors.Is(err, connect.ErrCredentialSpent) || strings.Contains(err.Error(), given.AccessToken.Reveal()) {
				t.Errorf("got %v", err)
			}
		})
	}
	if all, err := f.Accounts.OfUser(t.Context(), ada); err != nil || len(all)+len(f.theHost.Accounts(ada)) != 0 {
		t.Errorf("accounts: %+v, %v, and %d at the host; want none", all, err, len(f.theHost.Accounts(ada)))
	}
	if !f.theService.Active(given.AccessToken.Reveal()) || !f.theService.Active(given.RefreshToken.Reveal()) {
		t.Error("the owner's own tokens are worth nothing any more")
	}
	var missing *connect.ScopesMissingError
	i := anImport(notes, given)
	i.Credential.Scopes = []string{"notes.read", "other"}
	if _, err := f.Import(t.Context(), i); !errors.As(err, &missing) || !cmp.Equal(missing.Missing, []string{"notes.write"}) {
		t.Errorf("got %v, want notes.write named", err)
	}
	i.ValidateScope = false
	if got, err := f.Import(t.Context(), i); err != nil || !cmp.Equal(got.Account.Missing, []string{"notes.write"}) {
		t.Errorf("scopes not validated: %+v, %v; want notes.write noted", got.Account, err)
	}
}

// TestImportUnasked: with request_profile=false nobody asks the service anything.
func TestImportUnasked(t *testing.T) {
	f, given := withNotes(t)
	asked := f.theService.Requests(demo.OpProfile)
	i := anImport(notes, given)
	i.RequestProfile, i.Profile = false, &connect.Profile{ExternalAccountID: "acct_1815", Name: "Ada"}
	i.Credential.ExpiresAt = time.Now().Add(-time.Minute)
	got, err := f.Import(t.Context(), i)
	want := provider.Identity{Issuer: f.Connections[demo.NotesOIDC].Connection.Issuer, Subject: "acct_1815", Name: "Ada"}
	if err != nil || !cmp.Equal(got.Account.Identity, want) {
		t.Errorf("got %+v, %v; want %+v", got.Account.Identity, err, want)
	}
	if n := f.theService.Requests(demo.OpProfile) - asked + f.theService.Refreshes(); n != 0 {
		t.Errorf("the service was asked %d times, want never", n)
	}
}

// TestImportThatCantBeKept: tokens that were had for the given ones are given back and the caller told;
// the caller's own stay good.
func TestImportThatCantBeKept(t *testing.T) {
	for name, ended := range map[string]bool{"the owner's own": false, "refreshed": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, given := withNotes(t)
			if ended {
				f.theService.Expire("acct_1815")
			}
			i := anImport(notes, given)
			i.Profile = &connect.Profile{ExternalAccountID: "acct_1906"}
			_, err := f.Import(t.Context(), i)
			wantError(t, "another's profile", err, connect.ErrOtherProfile)
			if got := errors.Is(err, connect.ErrCredentialSpent); got != ended {
				t.Errorf("told that the refresh token is used up: %v, want %v (%v)", got, ended, err)
			}
			if alive := f.theService.ActiveTokens("acct_1815"); (alive > 0) == ended {
				t.Errorf("%d tokens are alive", alive)
			}
		})
	}
}

// TestImportWhileTheServiceIsAway for a moment after it has taken the refresh token: it is asked until
// it answers.
func TestImportWhileTheServiceIsAway(t *testing.T) {
	f, given := withNotes(t)
	_, err := f.Import(t.Context(), anImport(notes, given))
	if err != nil {
		t.Fatal(err)
	}
	f.theService.Play(demo.Script{Fault: demo.Only(demo.OpProfile, 2, *demo.HTML(503))})
	_, err = f.Import(t.Context(), anImport(notes, given))
	wantError(t, "the service is away", err, connect.ErrUnavailable)
	f.theService.Play(demo.Script{Fault: demo.Only(demo.OpProfile, 2, *demo.HTML(503))})
	given.ExpiresAt = time.Now().Add(-time.Minute)
	if _, err := f.Import(t.Context(), anImport(notes, given)); err != nil {
		t.Errorf("after a refresh: %v, want it to go on asking", err)
	}
}

// TestImportRefusedByTheHost: as after a click, the credential is revoked and nothing kept.
func TestImportRefusedByTheHost(t *testing.T) {
	f, given := withNotes(t)
	f.theHost.Play(demo.Script{Fault: demo.Only(demo.OpAdd, -1, *demo.Answer(422, ""))})
	_, err := f.Import(t.Context(), anImport(notes, given))
	wantError(t, "the host refuses", err, connect.ErrHostRefuses)
	f.Outbox.Wait()
	if n := f.theService.ActiveTokens("acct_1815"); n != 0 {
		t.Errorf("%d tokens are alive", n)
	}
	f.theHost.Play(demo.Script{Fault: demo.Only(demo.OpAdd, 1, *demo.Answer(503, ""))})
	grant := f.granted(t, f.Connections[notes])
	got, err := f.Import(t.Context(), anImport(notes, provider.Given{AccessToken: grant.Credential.AccessToken}))
	if err != nil || got.State != connect.Pending {
		t.Errorf("while the host is down: %+v, %v; want pending", got, err)
	}
}

// TestImportOfFields: what a user would type goes the same way, verified; or unverified if it is a key.
func TestImportOfFields(t *testing.T) {
	f, kinds, _ := withForms(t, demo.VaultKey)
	_, err := f.Import(t.Context(), anImport(demo.VaultKey, provider.Given{Fields: typed("api_key", "vault-wrong")}))
	wantError(t, "a wrong key", err, connect.ErrCredentialRejected)
	_, err = f.Import(t.Context(), anImport(demo.VaultKey, provider.Given{Fields: typed("api_key", "another")}))
	wantError(t, "no key", err, connect.ErrCredentialShape)
	_, err = f.Import(t.Context(), anImport(demo.VaultKey, provider.Given{AccessToken: secret.New("x")}))
	wantError(t, "tokens for a key", err, connect.ErrCredentialShape)
	got, err := f.Import(t.Context(), anImport(demo.VaultKey, provider.Given{Fields: typed("api_key", demo.VaultAdaKey)}))
	if err != nil || got.Account.Identity.Subject != "1815" || got.Account.Status != linkedaccount.Linked {
		t.Errorf("a key: %+v, %v", got, err)
	}
	asked := kinds.Vault.Asked("Ada Lovelace")
	i := anImport(demo.VaultKey, provider.Given{Fields: typed("api_key", demo.VaultAdaKey)})
	i.RequestProfile, i.Profile = false, &connect.Profile{ExternalAccountID: "1815"}
	again, err := f.Import(t.Context(), i)
	if err != nil || again.Account.ID != got.Account.ID || kinds.Vault.Asked("Ada Lovelace") != asked {
		t.Errorf("the same, unasked: %+v, %v; want the same account and no question", again, err)
	}

	fields := typed("customer", "acme", "password", demo.AminoPassword)
	if got, err = f.Import(t.Context(), anImport(demo.AminoMove, provider.Given{Fields: fields})); err != nil || got.Account.Identity.Subject != "1234" {
		t.Errorf("a password: %+v, %v", got, err)
	}
	c, err := f.Accounts.Credential(t.Context(), got.Account.ID)
	if err != nil {
		t.Fatal(err)
	}
	pair := provider.Given{AccessToken: c.AccessToken, Fields: typed("customer", "acme")}
	_, err = f.Import(t.Context(), anImport(demo.AminoMove, pair))
	wantError(t, "a token pair that nobody can ask about", err, connect.ErrProfileNeeded)
	i = anImport(demo.AminoMove, pair)
	i.Profile = &connect.Profile{ExternalAccountID: "1234"}
	if again, err := f.Import(t.Context(), i); err != nil || again.Account.ID != got.Account.ID || again.Account.Identity.Settings["customer"] != "acme" {
		t.Errorf("a token pair: %+v, %v; want the same account", again, err)
	}
	i.Credential.Fields = nil
	_, err = f.Import(t.Context(), i)
	wantError(t, "a token pair without the customer", err, connect.ErrCredentialShape)
}

// TestImportOfOAuth1: the signed request that asks whose the tokens are is the proof.
func TestImportOfOAuth1(t *testing.T) {
	f := newFixture(t)
	valid := false
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := r.Header.Get("Authorization")
		if valid = strings.Contains(header, `oauth_token="ada-token"`) && strings.Contains(header, "oauth_signature="); !valid {
			w.WriteHeader(401)
			return
		}
		io.WriteString(w, `{"id": 1815, "name": "Ada"}`)
	}))
	t.Cleanup(service.Close)
	p, err := provider.New(provider.Connection{
		AuthID: "photos", Provider: "oauth1", Name: "Acme Photos", ClientID: "c", ClientSecret: secret.New("s"),
		RequestTokenURL: service.URL + "/request", AuthorizeURL: service.URL + "/authorize", AccessTokenURL: service.URL + "/access",
		Identity: provider.IdentityPaths{URL: service.URL + "/me", ID: "id", Name: "name"},
	}, provider.Deps{AllowPrivateNetworks: true})
	if err != nil {
		t.Fatal(err)
	}
	f.Connections["photos"] = p
	for name, test := range map[string]struct {
		given provider.Given
		want  error
	}{
		"right":          {provider.Given{Token: secret.New("ada-token"), TokenSecret: secret.New("x")}, nil},
		"wrong":          {provider.Given{Token: secret.New("wrong"), TokenSecret: secret.New("x")}, connect.ErrCredentialRejected},
		"without secret": {provider.Given{Token: secret.New("ada-token")}, connect.ErrCredentialShape},
		"of OAuth 2":     {provider.Given{AccessToken: secret.New("ada-token")}, connect.ErrCredentialShape},
	} {
		got, err := f.Import(t.Context(), anImport("photos", test.given))
		wantError(t, name, err, test.want)
		if test.want == nil && (got.Account.Identity.Subject != "1815" || !valid) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestImportGoesOn when whoever asked for it leaves.
func TestImportGoesOn(t *testing.T) {
	f, given := withNotes(t)
	f.theService.Expire("acct_1815")
	ctx, leave := context.WithCancel(t.Context())
	f.theService.Play(demo.Script{Before: func(op string, _ *http.Request) {
		if op == demo.OpToken {
			leave()
		}
	}})
	if _, err := f.Import(ctx, anImport(notes, given)); err != nil {
		t.Errorf("got %v", err)
	}
	if c := f.credential(t); !f.theService.Active(c.RefreshToken.Reveal()) {
		t.Error("the refresh token that is kept is worth nothing")
	}
}
