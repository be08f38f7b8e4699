package provider

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"linkgate/secret"
)

// TestCallback: what comes back through the browser is checked before the code is sent.
func TestCallback(t *testing.T) {
	const issuer = "https://issuer.example"
	code := secret.New(theCode)
	tests := map[string]struct {
		issuer   string // of the connection
		promised bool
		callback Callback
		want     error // nil: let through
		code     string
	}{
		"good":                     {"", false, Callback{Code: code}, nil, ""},
		"iss as it should be":      {issuer, true, Callback{Code: code, Issuer: issuer}, nil, ""},
		"iss not promised":         {issuer, false, Callback{Code: code}, nil, ""},
		"iss of an unknown issuer": {"", false, Callback{Code: code, Issuer: issuer}, nil, ""},
		"iss missing":              {issuer, true, Callback{Code: code}, ErrNotVerified, "iss is missing"},
		"iss wrong":                {issuer, false, Callback{Code: code, Issuer: "https://evil.example"}, ErrNotVerified, "iss is another issuer's"},
		"iss with a slash":         {issuer, false, Callback{Code: code, Issuer: issuer + "/"}, ErrNotVerified, "iss is another issuer's"},
		"iss in capitals":          {issuer, false, Callback{Code: code, Issuer: "HTTPS://ISSUER.EXAMPLE"}, ErrNotVerified, "iss is another issuer's"},
		"error, iss missing":       {issuer, true, Callback{Error: "access_denied"}, ErrNotVerified, "iss is missing"},
		"error, iss wrong":         {issuer, false, Callback{Error: "access_denied", Issuer: "https://evil.example"}, ErrNotVerified, "iss is another issuer's"},
		"denied":                   {issuer, true, Callback{Error: "access_denied", Issuer: issuer}, ErrDenied, "access_denied"},
		"denied, with a code":      {"", false, Callback{Error: "access_denied", Code: code}, ErrDenied, "access_denied"},
		"our client":               {"", false, Callback{Error: "unauthorized_client"}, ErrRefused, "unauthorized_client"},
		"our request":              {"", false, Callback{Error: "invalid_request"}, ErrRefused, "invalid_request"},
		"our scope":                {"", false, Callback{Error: "invalid_scope"}, ErrRefused, "invalid_scope"},
		"our redirect URI":         {"", false, Callback{Error: "redirect_uri_mismatch"}, ErrRefused, "redirect_uri_mismatch"},
		"server":                   {"", false, Callback{Error: "server_error"}, ErrUnavailable, "server_error"},
		"not now":                  {"", false, Callback{Error: "temporarily_unavailable"}, ErrUnavailable, "temporarily_unavailable"},
		"unheard of":               {"", false, Callback{Error: "too_early"}, ErrRefused, "too_early"},
		"a log's next line":        {"", false, Callback{Error: "x\nlevel=ERROR msg=hacked"}, ErrRefused, "unknown error"},
		"a page's script":          {"", false, Callback{Error: "<html>"}, ErrRefused, "unknown error"},
		"a token":                  {"", false, Callback{Error: theAccessToken}, ErrRefused, "unknown error"},
		"a code too long":          {"", false, Callback{Error: strings.Repeat("a", 49)}, ErrRefused, "unknown error"},
		"neither code nor error":   {"", false, Callback{}, ErrUnavailable, "neither code nor error"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := endpoints{issuer: test.issuer, authorize: "https://a.example", token: "https://t.example", issuerPromised: test.promised}
			c := Connection{Provider: "oauth2", ClientID: "id"}
			attempt := Attempt{Verifier: secret.New("v"), RedirectURI: theRedirectURI, Fingerprint: fingerprint(c, e, theRedirectURI)}
			err := checkCallback(c, e, attempt, test.callback)
			if !errors.Is(err, test.want) {
				t.Fatalf("want %v, got %v", test.want, err)
			}
			checkQuiet(t, err, "hacked")
			var failure *Error
			if errors.As(err, &failure) && failure.Code != test.code {
				t.Errorf("code: want %q, got %q", test.code, failure.Code)
			}
		})
	}
}

// TestIssuerInExchange: the check is made where it must be, before the code leaves.
func TestIssuerInExchange(t *testing.T) {
	s := newService(t)
	s.metadata = map[string]any{"authorization_response_iss_parameter_supported": true}
	connections := map[string]Connection{"oidc": s.oidc(), "oauth2": s.oauth2()}
	tests := map[string]struct {
		protocol string
		callback Callback
		want     error
	}{
		"promised and missing":         {"oidc", Callback{Code: secret.New(theCode)}, ErrNotVerified},
		"promised, missing with error": {"oidc", Callback{Error: "access_denied"}, ErrNotVerified},
		"another issuer's":             {"oidc", Callback{Code: secret.New(theCode), Issuer: "https://evil.example"}, ErrNotVerified},
		"another issuer's, oauth2":     {"oauth2", Callback{Code: secret.New(theCode), Issuer: "https://evil.example"}, ErrNotVerified},
		"denied":                       {"oidc", Callback{Error: "access_denied", Issuer: s.URL}, ErrDenied},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := connections[test.protocol]
			c.Issuer = s.URL
			p := s.open(c)
			_, err := p.Redirector.Exchange(t.Context(), s.begin(p), test.callback)
			if !errors.Is(err, test.want) {
				t.Errorf("want %v, got %v", test.want, err)
			}
		})
	}
	if got := s.count("/token"); got != 0 {
		t.Errorf("%d token requests, want none", got)
	}
	p := s.open(s.oidc())
	if _, err := p.Redirector.Exchange(t.Context(), s.begin(p), Callback{Code: secret.New(theCode), Issuer: s.URL}); err != nil {
		t.Errorf("with the right iss: %v", err)
	}
}

// TestChangedConnection: an attempt is of no use with another client or other endpoints.
func TestChangedConnection(t *testing.T) {
	s := newService(t)
	before := s.open(s.oauth2())
	tests := map[string]func(c *Connection, a *Attempt){
		"client":             func(c *Connection, _ *Attempt) { c.ClientID = "other" },
		"authorize URL":      func(c *Connection, _ *Attempt) { c.AuthorizeURL += "2" },
		"token URL":          func(c *Connection, _ *Attempt) { c.TokenURL += "2" },
		"issuer":             func(c *Connection, _ *Attempt) { c.Issuer = "https://issuer.example" },
		"protocol":           func(c *Connection, _ *Attempt) { *c = s.oidc() },
		"redirect URI":       func(_ *Connection, a *Attempt) { a.RedirectURI += "2" },
		"attempt of nothing": func(_ *Connection, a *Attempt) { *a = Attempt{} },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			c, attempt := s.oauth2(), s.begin(before)
			change(&c, &attempt)
			_, err := s.open(c).Redirector.Exchange(t.Context(), attempt, Callback{Code: secret.New(theCode)})
			if !errors.Is(err, ErrChanged) {
				t.Errorf("want ErrChanged, got %v", err)
			}
		})
	}
	if got := s.count("/token") + s.count("/token2"); got != 0 {
		t.Errorf("%d token requests, want none", got)
	}
	rotated := s.oauth2() // a new secret is no other service
	rotated.ClientSecret = secret.New("new")
	if _, err := s.open(rotated).Redirector.Exchange(t.Context(), s.begin(before), Callback{Code: secret.New(theCode)}); err != nil {
		t.Errorf("with a new client secret: %v", err)
	}
}

// TestPublishedEndpointsChange: the same, when it is the service that moves.
func TestPublishedEndpointsChange(t *testing.T) {
	s := newService(t)
	attempt := s.begin(s.open(s.oidc()))
	s.metadata = map[string]any{"token_endpoint": s.URL + "/token2"}
	_, err := s.open(s.oidc()).Redirector.Exchange(t.Context(), attempt, Callback{Code: secret.New(theCode)})
	if !errors.Is(err, ErrChanged) {
		t.Errorf("want ErrChanged, got %v", err)
	}
	if got := s.count("/token") + s.count("/token2"); got != 0 {
		t.Errorf("%d token requests, want none", got)
	}
}

func TestFingerprintsDoNotRunTogether(t *testing.T) {
	e := endpoints{issuer: "ab", authorize: "c"}
	f := endpoints{issuer: "a", authorize: "bc"}
	if fingerprint(Connection{}, e, "") == fingerprint(Connection{}, f, "") {
		t.Error("two different services have one fingerprint")
	}
}

func TestAttemptWithoutVerifier(t *testing.T) {
	s := newService(t)
	p := s.open(s.oauth2())
	attempt := s.begin(p)
	attempt.Verifier = secret.Text{}
	_, err := p.Redirector.Exchange(t.Context(), attempt, Callback{Code: secret.New(theCode)})
	if !errors.Is(err, ErrNotVerified) || s.count("/token") != 0 {
		t.Errorf("want ErrNotVerified and no token request, got %v and %d", err, s.count("/token"))
	}
}

func TestErrorText(t *testing.T) {
	tests := []struct {
		err  *Error
		want string
	}{
		{&Error{Op: "doing", Kind: ErrDenied}, "doing: the user denied access"},
		{&Error{Op: "doing", Kind: ErrRefused, Code: "invalid_client"}, "doing: the service refused the request (invalid_client)"},
		{&Error{Op: "doing", Kind: ErrUnavailable, Status: 503}, "doing: the service is unavailable (HTTP 503)"},
		{&Error{Op: "doing", Kind: ErrRefused, Code: "invalid_client", Status: 401}, "doing: the service refused the request (invalid_client, HTTP 401)"},
	}
	for _, test := range tests {
		if diff := cmp.Diff(test.want, test.err.Error()); diff != "" {
			t.Errorf("text (-want +got):\n%s", diff)
		}
	}
}
