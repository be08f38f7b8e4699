package provider

import (
	"context"
	"crypto/x509"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"linkgate/secret"
)

// registering is a connection of the service that registers its client, and the provider made of it
// with the clients that come out of ask.
func (s *service) registering(c Connection, ask func(context.Context) (Client, error)) *Provider {
	s.t.Helper()
	c.ClientID, c.ClientSecret = "", secret.Text{}
	c.Registration = Registration{URL: s.URL + "/register"}
	p, err := New(c, Deps{AllowPrivateNetworks: true, Client: ask})
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

func TestRegisteredClientIsUsed(t *testing.T) {
	for _, protocol := range signInProtocols {
		t.Run(protocol, func(t *testing.T) {
			s := newService(t)
			var client atomic.Pointer[Client]
			client.Store(&Client{ID: "client-1", Secret: secret.New("secret-1")})
			c := map[string]func() Connection{"oauth2": s.oauth2, "oidc": s.oidc}[protocol]()
			p := s.registering(c, func(context.Context) (Client, error) { return *client.Load(), nil })
			grant, err := s.connect(p)
			if err != nil {
				t.Fatal(err)
			}
			if got := s.asked.Get("client_id"); got != "client-1" {
				t.Errorf("authorization request for %q, want client-1", got)
			}
			client.Store(&Client{ID: "client-1", Secret: secret.New("secret-2")})
			if _, err := p.Refresher.Refresh(t.Context(), grant.Credential, time.Time{}); err != nil {
				t.Fatal(err)
			}
			client.Store(&Client{ID: "client-1", Secret: secret.New("secret-2"), AuthStyle: AuthPost})
			if _, err := p.Refresher.Refresh(t.Context(), grant.Credential, time.Time{}); err != nil {
				t.Fatal(err)
			}
			if want := []string{"client-1 secret-1", "client-1 secret-2", " "}; !slices.Equal(s.basic, want) {
				t.Errorf("authenticated as %q, want %q", s.basic, want)
			}
			if got := s.forms[2].Get("client_secret"); got != "secret-2" {
				t.Errorf("the service wants the secret in the form, and got %q", got)
			}
			if err := p.Revoker.Revoke(t.Context(), grant.Credential); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRegisteredClientOfEachCustomer(t *testing.T) {
	s := newService(t)
	c := s.oauth2()
	c.Fields = []Field{{Key: "team", Label: "Team"}}
	c.AuthorizeURL += "/{team}"
	p := s.registering(c, func(context.Context) (Client, error) {
		return Client{ID: "client-1", Secret: secret.New("secret-1")}, nil
	})
	one, err := p.With(map[string]string{"team": "red"})
	if err != nil {
		t.Fatal(err)
	}
	_, address, err := one.Redirector.Authorize(t.Context(), secret.New("state"), theRedirectURI)
	if err != nil || !strings.Contains(address, "/authorize/red?") || !strings.Contains(address, "client_id=client-1") {
		t.Errorf("got %s, %v", address, err)
	}
}

func TestRegisteredClientThatIsNotThere(t *testing.T) {
	tests := map[string]struct {
		ask  func(context.Context) (Client, error)
		want error
	}{
		"nobody asks":     {nil, ErrRefused},
		"refused":         {func(context.Context) (Client, error) { return Client{}, &Error{Op: "x", Kind: ErrRefused} }, ErrRefused},
		"weather":         {func(context.Context) (Client, error) { return Client{}, errors.New("no database: " + theClientSecret) }, ErrUnavailable},
		"no user's fault": {func(context.Context) (Client, error) { return Client{}, &Error{Op: "x", Kind: ErrInvalidGrant} }, ErrUnavailable},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			p := s.registering(s.oauth2(), test.ask)
			_, _, err := p.Redirector.Authorize(t.Context(), secret.New("state"), theRedirectURI)
			_, refreshErr := p.Refresher.Refresh(t.Context(), Credential{RefreshToken: secret.New(theRefreshToken)}, time.Time{})
			revokeErr := p.Revoker.Revoke(t.Context(), Credential{AccessToken: secret.New(theAccessToken)})
			_, exchangeErr := p.Redirector.Exchange(t.Context(), Attempt{}, Callback{})
			for _, err := range []error{err, refreshErr, revokeErr, exchangeErr} {
				if !errors.Is(err, test.want) || errors.Is(err, ErrInvalidGrant) {
					t.Errorf("got %v, want %v", err, test.want)
				}
				checkQuiet(t, err)
			}
			if n := s.count("/token") + s.count("/revoke"); n != 0 {
				t.Errorf("%d requests without a client", n)
			}
		})
	}
}

func TestRegistrationEndpoint(t *testing.T) {
	tests := map[string]struct {
		configured string
		published  any
		want       string
		err        error
	}{
		"configured":   {"https://as.example.com/clients", nil, "https://as.example.com/clients", nil},
		"published":    {"", "https://as.example.com/register", "https://as.example.com/register", nil},
		"not there":    {"", nil, "", ErrUnsupported},
		"not safe":     {"", "http://as.example.com/register", "", ErrNotVerified},
		"not a URL":    {"", "register", "", ErrNotVerified},
		"another type": {"", []string{"https://as.example.com"}, "", ErrUnavailable},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			s.metadata = map[string]any{"registration_endpoint": test.published}
			c := s.oidc()
			c.Registration = Registration{URL: test.configured, Dialect: DialectRFC7591}
			got, err := RegistrationEndpoint(t.Context(), c, Deps{AllowPrivateNetworks: true})
			if got != test.want || !errors.Is(err, test.err) {
				t.Errorf("got %q, %v; want %q, %v", got, err, test.want, test.err)
			}
		})
	}
}

func TestRegistrationEndpointInTheClear(t *testing.T) {
	s := newTLSService(t)
	s.metadata = map[string]any{"registration_endpoint": "http://127.0.0.1/register"}
	c := s.oidc()
	c.Registration = Registration{Dialect: DialectRFC7591}
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	got, err := RegistrationEndpoint(t.Context(), c, Deps{AllowPrivateNetworks: true, RootCAs: roots})
	if !errors.Is(err, ErrNotVerified) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestRegistrationProblems(t *testing.T) {
	ours := func(change func(*Connection)) Connection {
		c := Connection{AuthID: "7f3c", Provider: "oidc", Name: "S", Issuer: "https://id.example.com", Registration: Registration{Dialect: DialectRFC7591}}
		change(&c)
		return c
	}
	tests := map[string]struct {
		conn Connection
		want []string // keys
	}{
		"from discovery":   {ours(func(*Connection) {}), nil},
		"client id too":    {ours(func(c *Connection) { c.ClientID = "x" }), []string{"client_id"}},
		"secret too":       {ours(func(c *Connection) { c.ClientSecret = secret.New("x") }), []string{"client_secret"}},
		"unknown dialect":  {ours(func(c *Connection) { c.Registration.Dialect = "mixap" }), []string{"registration.dialect"}},
		"unsafe address":   {ours(func(c *Connection) { c.Registration.URL = "http://as.example.com" }), []string{"registration.url"}},
		"mixapp with less": {ours(func(c *Connection) { c.Registration.Dialect = DialectMixApp }), []string{"registration.initial_access_token", "registration.url"}},
		"reserved metadata": {ours(func(c *Connection) {
			c.Registration.Metadata = map[string]string{"redirect_uris": "x", "contacts": "a@example.com"}
		}), []string{"registration.metadata.redirect_uris"}},
		"signs assertions": {ours(func(c *Connection) { c.AuthStyle = AuthPrivateKeyJWT }), []string{"auth_style"}},
		"issuer of each customer": {ours(func(c *Connection) {
			c.Issuer, c.Fields = "https://{team}.example.com", []Field{{Key: "team", Label: "Team"}}
		}), []string{"registration.url"}},
		"user names the host": {ours(func(c *Connection) {
			c.Issuer, c.Fields = "https://{host}", []Field{{Key: "host", Label: "Host"}}
			c.Registration.URL = "https://as.example.com"
		}), []string{"issuer"}},
		"oauth2 without a URL": {func() Connection {
			c := ours(func(c *Connection) { c.Provider, c.Issuer = "oauth2", "" })
			c.AuthorizeURL, c.TokenURL, c.Identity = "https://a.example.com", "https://a.example.com", IdentityPaths{URL: "https://a.example.com", ID: "id"}
			return c
		}(), []string{"registration.url"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, p := range test.conn.Problems() {
				got = append(got, p.Key)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("problems at %v, want %v: %v", got, test.want, test.conn.Problems())
			}
		})
	}
}
