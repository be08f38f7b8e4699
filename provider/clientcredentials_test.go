package provider

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"linkgate/secret"
)

func (s *service) ownConnection() Connection {
	return Connection{
		AuthID: "7f3c", Provider: "client_credentials", Name: "Acme", TokenURL: s.URL + "/token",
		ClientID: "client id", ClientSecret: secret.New(theClientSecret), Scopes: []string{"notes", "people"},
	}
}

func opened(t *testing.T, c Connection) *Provider {
	t.Helper()
	p, err := New(c, Deps{AllowPrivateNetworks: true})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestClientCredentials: what is sent, and whose the account is.
func TestClientCredentials(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*service, *Connection)
		want   Identity // without issuer
	}{
		"the client itself": {func(*service, *Connection) {}, Identity{Subject: "client id", Name: "Acme"}},
		"at identity.url": {func(s *service, c *Connection) {
			c.Identity = IdentityPaths{URL: s.URL + "/me", ID: "id", Name: "login"}
		}, Identity{Subject: "583231", Name: "octocat"}},
		"in the token answer": {func(s *service, c *Connection) {
			s.answer("/token", replying(200, `{"access_token":"`+theAccessToken+`","team":{"id":77},"scope":"notes"}`))
			c.Identity = IdentityPaths{URL: IdentityInToken, ID: "team.id"}
		}, Identity{Subject: "77"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			c := s.ownConnection()
			c.Resource, c.TokenParams = []string{"https://api.example/"}, map[string]string{"audience": "api"}
			test.change(s, &c)
			p := opened(t, c)
			if p.Redirector != nil || !p.Connection.IsShared() || (p.Identifier != nil) != (name == "at identity.url") {
				t.Errorf("redirector %v, identifier %v, shared %v", p.Redirector, p.Identifier, p.Connection.IsShared())
			}
			grant, err := p.Form.Submit(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			test.want.Issuer = s.URL
			if got := grant.Identity; got.Issuer != test.want.Issuer || got.Subject != test.want.Subject || got.Name != test.want.Name {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
			if grant.Credential.AccessToken.Reveal() != theAccessToken || !grant.Credential.RefreshToken.IsZero() {
				t.Error("want the access token, and no refresh token to hand on")
			}
			if told := name == "in the token answer"; told != slices.Equal(grant.Missing, []string{"people"}) {
				t.Errorf("missing: %q", grant.Missing)
			}
			want := url.Values{"grant_type": {"client_credentials"}, "scope": {"notes people"}, "resource": {"https://api.example/"}, "audience": {"api"}}
			if got := s.forms[0].Encode(); got != want.Encode() {
				t.Errorf("sent %s, want %s", got, want.Encode())
			}
			if got := s.basic[0]; got != url.QueryEscape("client id")+" "+url.QueryEscape(theClientSecret) {
				t.Errorf("authenticated as %q", got)
			}
		})
	}
}

// TestClientCredentialsOfCustomers: each has an address, and an account, of its own.
func TestClientCredentialsOfCustomers(t *testing.T) {
	s := newService(t)
	for _, tenant := range []string{"acme", "globex"} {
		s.answer("/"+tenant+"/token", replying(200, `{"access_token":"`+tenant+`-token"}`))
	}
	c := s.ownConnection()
	c.TokenURL, c.Fields = s.URL+"/{tenant}/token", []Field{{Key: "tenant", Label: "Tenant"}}
	p := opened(t, c)
	for _, tenant := range []string{"acme", "globex"} {
		grant, err := p.Form.Submit(t.Context(), map[string]secret.Text{"tenant": secret.New(tenant)})
		if err != nil || grant.Identity.Subject != "client id/"+tenant || grant.Identity.Name != "Acme ("+tenant+")" {
			t.Fatalf("got %+v, %v", grant.Identity, err)
		}
		next, err := p.Refresher.Refresh(t.Context(), grant.Credential, time.Time{})
		if err != nil || next.Credential.AccessToken.Reveal() != tenant+"-token" || next.Credential.Settings["tenant"] != tenant {
			t.Errorf("refreshed: %+v, %v", next, err)
		}
	}
}

// TestClientCredentialsAreTheOperators: whatever the service says of the client, no user is to sign
// in again, and what failed after tokens came is revoked.
func TestClientCredentialsAreTheOperators(t *testing.T) {
	for body, want := range map[string]error{
		`{"error":"invalid_client"}`:          ErrRefused,
		`{"error":"invalid_grant"}`:           ErrRefused,
		`{"error":"access_denied"}`:           ErrRefused,
		`{"error":"unauthorized_client"}`:     ErrRefused,
		`{"error":"temporarily_unavailable"}`: ErrUnavailable,
		`<html>`:                              ErrUnavailable,
	} {
		s := newService(t)
		s.answer("/token", replying(http.StatusBadRequest, body))
		p := opened(t, s.ownConnection())
		if _, err := p.Form.Submit(t.Context(), nil); !errors.Is(err, want) {
			t.Errorf("%s: connecting: %v, want %v", body, err, want)
		}
		if _, err := p.Refresher.Refresh(t.Context(), Credential{}, time.Time{}); !errors.Is(err, want) || errors.Is(err, ErrInvalidGrant) {
			t.Errorf("%s: refreshing: %v, want %v", body, err, want)
		}
	}
	s := newService(t)
	s.answer("/me", replying(200, `{}`))
	c := s.ownConnection()
	c.RevokeURL, c.Identity = s.URL+"/revoke", IdentityPaths{URL: s.URL + "/me", ID: "id"}
	if _, err := opened(t, c).Form.Submit(t.Context(), nil); !errors.Is(err, ErrNotVerified) || s.count("/revoke") != 1 {
		t.Errorf("without an identity: %v, %d revocations; want %v and 1", err, s.count("/revoke"), ErrNotVerified)
	}
}

// TestClientCredentialsAreNotSentLate: a process that was stopped leaves it to another.
func TestClientCredentialsAreNotSentLate(t *testing.T) {
	s := newService(t)
	p := opened(t, s.ownConnection())
	if _, err := p.Refresher.Refresh(t.Context(), Credential{}, time.Now().Add(-time.Second)); !errors.Is(err, ErrUnavailable) || s.count("/token") != 0 {
		t.Errorf("got %v after %d requests, want %v and none", err, s.count("/token"), ErrUnavailable)
	}
}

// TestFositeClientCredentials: a client that signs gets tokens, new ones, and has them revoked.
func TestFositeClientCredentials(t *testing.T) {
	s, key := newFositeService(t), theECKey(t)
	s.register(t, key.Public(), "ES256", "k1")
	c := s.connection(jwk(t, key, "", "k1"))
	c.Provider, c.AuthorizeURL, c.PARURL, c.Identity, c.Scopes = "client_credentials", "", "", IdentityPaths{}, []string{"notes"}
	p := opened(t, c)
	grant, err := p.Form.Submit(t.Context(), nil)
	if err != nil || grant.Identity.Subject != "signer" || !slices.Equal(grant.Scopes, []string{"notes"}) || grant.Credential.ExpiresAt.IsZero() {
		t.Fatalf("got %+v, %v", grant, err)
	}
	next, err := p.Refresher.Refresh(t.Context(), grant.Credential, time.Time{})
	if err != nil || next.Credential.AccessToken.Equal(grant.Credential.AccessToken) {
		t.Fatalf("refreshing: %v", err)
	}
	for want := range 2 {
		if got := s.active(t, next.Credential.AccessToken); got != (want == 0) {
			t.Errorf("after %d revocations the token is active: %v", want, got)
		}
		if err := p.Revoker.Revoke(t.Context(), next.Credential); err != nil {
			t.Fatal(err)
		}
	}
	c.SigningKey = secret.New(jwk(t, theECKey(t), "", "k1"))
	if _, err := opened(t, c).Form.Submit(t.Context(), nil); !errors.Is(err, ErrRefused) {
		t.Errorf("with another key: %v, want %v", err, ErrRefused)
	}
}

// TestClientCredentialsProblems changes one thing, and names the keys at which that shows.
func TestClientCredentialsProblems(t *testing.T) {
	good := func() Connection {
		return Connection{
			AuthID: "7f3c", Provider: "client_credentials", Name: "Acme", TokenURL: "https://a.example/token",
			ClientID: "id", ClientSecret: secret.New("secret"),
		}
	}
	for name, test := range map[string]struct {
		change func(*Connection)
		want   []string
	}{
		"as it is":        {func(*Connection) {}, nil},
		"no token_url":    {func(c *Connection) { c.TokenURL = "" }, []string{"token_url"}},
		"no client":       {func(c *Connection) { c.ClientID, c.ClientSecret = "", secret.Text{} }, []string{"client_id", "client_secret"}},
		"a public client": {func(c *Connection) { c.AuthStyle, c.ClientSecret = AuthNone, secret.Text{} }, []string{"auth_style"}},
		"a sign-in":       {func(c *Connection) { c.AuthorizeURL, c.PKCE = "https://a.example/", PKCENone }, []string{"authorize_url", "pkce"}},
		"a pushed one":    {func(c *Connection) { c.PARURL, c.AuthorizeParams = "discover", map[string]string{"x": "y"} }, []string{"par_url", "authorize_params"}},
		"refresh tokens": {func(c *Connection) {
			c.RefreshURL, c.Rotation, c.KeepAlive = "https://a.example/", RotationNone, time.Hour
		}, []string{"refresh_url", "rotation", "keep_alive"}},
		"a secret is asked": {func(c *Connection) { c.Fields = []Field{{Key: "k", Label: "K", Secret: true}} }, []string{"fields"}},
		"the host is asked": {func(c *Connection) { c.Fields, c.TokenURL = []Field{{Key: "k", Label: "K"}}, "https://{k}/token" }, []string{"token_url"}},
		"id without url":    {func(c *Connection) { c.Identity.ID = "id" }, []string{"identity.id"}},
		"url without id":    {func(c *Connection) { c.Identity.URL = "https://a.example/me" }, []string{"identity.id"}},
		"id is a token":     {func(c *Connection) { c.Identity = IdentityPaths{URL: IdentityInToken, ID: "access_token"} }, []string{"identity.id"}},
		"registers itself":  {func(c *Connection) { c.Registration.URL = "https://a.example/register" }, []string{"registration"}},
		"client's own key":  {func(c *Connection) { c.SigningKey = secret.New("x") }, []string{"signing_key"}},
	} {
		c := good()
		test.change(&c)
		var got []string
		for _, p := range c.Problems() {
			got = append(got, p.Key)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}
