package provider

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"linkgate/secret"
)

// What must never be seen in an error either. Spelt like error codes, as theCode is.
const (
	theDeviceCode = "the_device_code_of_this_test"
	theUserCode   = "WDJB-MJHT"
)

// devices has the service make codes, and returns the requests for them. more is laid over its answer.
func (s *service) devices(more map[string]any) (arrived func() []url.Values) {
	s.asked = url.Values{"client_id": {"client id"}} // of the ID token
	var mu sync.Mutex
	var requests []url.Values
	s.answer("/device", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if user, _, _ := r.BasicAuth(); r.Method != http.MethodPost || user != "client+id" {
			s.t.Errorf("%s by %q, want a POST by the client", r.Method, user)
		}
		requests = append(requests, r.PostForm)
		reply(w, 200, overlay(map[string]any{
			"device_code": theDeviceCode, "user_code": theUserCode, "verification_uri": s.URL + "/activate",
			"verification_uri_complete": s.URL + "/activate?user_code=" + theUserCode, "expires_in": 900, "interval": 3,
		}, more))
	})
	return func() []url.Values {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(requests)
	}
}

// byCode are the connections with device_url: an address, and for oidc what the issuer publishes.
func (s *service) byCode() map[string]Connection {
	plain, connect := s.oauth2(), s.oidc()
	plain.DeviceURL, connect.DeviceURL = s.URL+"/device", DeviceDiscover
	s.metadata = map[string]any{"device_authorization_endpoint": s.URL + "/device"}
	return map[string]Connection{"oauth2": plain, "oidc": connect}
}

// TestDevice: codes, two polls in vain, and then an account, the same as after a code exchange.
func TestDevice(t *testing.T) {
	for _, protocol := range signInProtocols {
		t.Run(protocol, func(t *testing.T) {
			s := newService(t)
			arrived := s.devices(nil)
			c := s.byCode()[protocol]
			c.Scopes, c.Resource, c.TokenParams = []string{"openid", "notes"}, []string{"https://api.example"}, map[string]string{"audience": "x"}
			p := s.open(c)
			a, err := p.Device.StartDevice(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			want := url.Values{"client_id": {"client id"}, "scope": {"openid notes"}, "resource": {"https://api.example"}}
			if diff := cmp.Diff([]url.Values{want}, arrived()); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
			if a.DeviceCode.Reveal() != theDeviceCode || a.UserCode.Reveal() != theUserCode || a.URI != s.URL+"/activate" ||
				a.CompleteURI.Reveal() != s.URL+"/activate?user_code="+theUserCode || a.ExpiresIn != 15*time.Minute || a.Interval != 3*time.Second {
				t.Errorf("the attempt: %+v", a)
			}
			for code, kind := range map[string]error{"authorization_pending": ErrPending, "slow_down": ErrSlowDown} {
				s.answer("/token", replying(400, `{"error":"`+code+`"}`))
				if _, err := p.Device.PollDevice(t.Context(), a); !errors.Is(err, kind) {
					t.Errorf("%s: %v, want %v", code, err, kind)
				}
			}
			s.answer("/token", nil)
			g, err := p.Device.PollDevice(t.Context(), roundTrip(t, a))
			if err != nil {
				t.Fatal(err)
			}
			form := url.Values{
				"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {theDeviceCode},
				"resource": {"https://api.example"}, "audience": {"x"},
			}
			if diff := cmp.Diff(form, s.forms[2]); diff != "" {
				t.Errorf("the last poll (-want +got):\n%s", diff)
			}
			same, err := s.connect(p)
			if err != nil {
				t.Fatal(err)
			}
			g.Credential.IssuedAt, g.Credential.ExpiresAt = same.Credential.IssuedAt, same.Credential.ExpiresAt
			if diff := cmp.Diff(same, g, byReveal); diff != "" {
				t.Errorf("not what a code exchange brings (-exchange +device):\n%s", diff)
			}
		})
	}
}

// TestDeviceAsksForOtherScopes in place of the connection's, and what is missing is missing of those.
func TestDeviceAsksForOtherScopes(t *testing.T) {
	for _, protocol := range signInProtocols {
		s := newService(t)
		arrived := s.devices(nil)
		c := s.byCode()[protocol]
		c.Scopes = []string{"notes"}
		p := s.open(c)
		a, err := p.Device.StartDevice(t.Context(), "mail", "files")
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{"oauth2": "mail files", "oidc": "openid mail files"}[protocol]
		if got := arrived()[0].Get("scope"); got != want {
			t.Errorf("%s: asked for %q, want %q", protocol, got, want)
		}
		s.answer("/token", func(w http.ResponseWriter, _ *http.Request) {
			reply(w, 200, overlay(s.tokens(), map[string]any{"scope": "mail"}))
		})
		g, err := p.Device.PollDevice(t.Context(), roundTrip(t, a))
		if err != nil || !slices.Equal(g.Missing, []string{"files"}) {
			t.Errorf("%s: missing %q, %v; want files", protocol, g.Missing, err)
		}
	}
}

// roundTrip is an attempt that has been stored.
func roundTrip(t *testing.T, a DeviceAttempt) DeviceAttempt {
	t.Helper()
	data, err := a.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	back, err := UnmarshalDeviceAttempt(data)
	if diff := cmp.Diff(a, back, byReveal); err != nil || diff != "" {
		t.Fatalf("stored and read: %v\n%s", err, diff)
	}
	for _, nonsense := range []string{"", "null", "{"} {
		if _, err := UnmarshalDeviceAttempt([]byte(nonsense)); err == nil {
			t.Errorf("%q is read as an attempt", nonsense)
		}
	}
	return back
}

// TestDeviceAnswers: what is shown to the user is fit to be, or nothing is.
func TestDeviceAnswers(t *testing.T) {
	tests := map[string]struct {
		more map[string]any
		want string // the error's words; empty: none
		see  func(a DeviceAttempt) bool
	}{
		"no interval":         {map[string]any{"interval": nil}, "", func(a DeviceAttempt) bool { return a.Interval == 5*time.Second }},
		"interval in quotes":  {map[string]any{"interval": "7"}, "", func(a DeviceAttempt) bool { return a.Interval == 7*time.Second }},
		"no pause at all":     {map[string]any{"interval": 0.1}, "", func(a DeviceAttempt) bool { return a.Interval == time.Second }},
		"an endless pause":    {map[string]any{"interval": 1e9}, "", func(a DeviceAttempt) bool { return a.Interval <= time.Hour }},
		"negative interval":   {map[string]any{"interval": -1}, "", func(a DeviceAttempt) bool { return a.Interval == 5*time.Second }},
		"a long life":         {map[string]any{"expires_in": 1e8}, "", func(a DeviceAttempt) bool { return a.ExpiresIn == time.Hour }},
		"no life":             {map[string]any{"expires_in": nil}, "no usable expires_in", nil},
		"dead already":        {map[string]any{"expires_in": 0}, "no usable expires_in", nil},
		"Google's name":       {map[string]any{"verification_uri": nil, "verification_url": "https://www.google.com/device"}, "", func(a DeviceAttempt) bool { return a.URI == "https://www.google.com/device" }},
		"no address":          {map[string]any{"verification_uri": nil}, "no usable verification_uri", nil},
		"an http address":     {map[string]any{"verification_uri": "http://a.example/"}, "no usable verification_uri", nil},
		"a script":            {map[string]any{"verification_uri": "javascript:alert(1)"}, "no usable verification_uri", nil},
		"a password":          {map[string]any{"verification_uri": "https://service.example@evil.example/"}, "no usable verification_uri", nil},
		"an endless address":  {map[string]any{"verification_uri": "https://a.example/" + strings.Repeat("x", 512)}, "no usable verification_uri", nil},
		"letters that mirror": {map[string]any{"verification_uri": "https://a.example/\u202Emoc"}, "no usable verification_uri", nil},
		"elsewhere completed": {map[string]any{"verification_uri_complete": "https://evil.example/?c=1"}, "", func(a DeviceAttempt) bool { return a.CompleteURI.IsZero() }},
		"not completed":       {map[string]any{"verification_uri_complete": nil}, "", func(a DeviceAttempt) bool { return a.CompleteURI.IsZero() }},
		"code with a blank":   {map[string]any{"user_code": "123 456"}, "", func(a DeviceAttempt) bool { return a.UserCode.Reveal() == "123 456" }},
		"no code":             {map[string]any{"user_code": " "}, "no usable user_code", nil},
		"code of two lines":   {map[string]any{"user_code": "A\nB"}, "no usable user_code", nil},
		"code that mirrors":   {map[string]any{"user_code": "A\u202EB"}, "no usable user_code", nil},
		"an endless code":     {map[string]any{"user_code": strings.Repeat("X", 33)}, "no usable user_code", nil},
		"no device code":      {map[string]any{"device_code": ""}, "no usable device_code", nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			s.devices(test.more)
			a, err := s.open(s.byCode()["oauth2"]).Device.StartDevice(t.Context())
			if test.want == "" && (err != nil || !test.see(a)) {
				t.Errorf("got %+v, %v", a, err)
			}
			var failure *Error
			if test.want != "" && (!errors.As(err, &failure) || !errors.Is(err, ErrUnavailable) || failure.Code != test.want || !reflect.DeepEqual(a, DeviceAttempt{})) {
				t.Errorf("got %+v, %v; want %q", a, err, test.want)
			}
			checkQuiet(t, err, theDeviceCode, theUserCode)
		})
	}
}

// TestDeviceOverTLS: a service with TLS can't show an address without it, not even on loopback.
func TestDeviceOverTLS(t *testing.T) {
	s := newTLSService(t)
	s.devices(map[string]any{"verification_uri": "http://127.0.0.1/activate"})
	if _, err := s.open(s.byCode()["oauth2"]).Device.StartDevice(t.Context()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v, want %v", err, ErrUnavailable)
	}
	s.devices(map[string]any{"verification_uri_complete": "http://127.0.0.1/activate"})
	a, err := s.open(s.byCode()["oauth2"]).Device.StartDevice(t.Context())
	if err != nil || !a.CompleteURI.IsZero() {
		t.Errorf("got %+v, %v; want no complete address", a, err)
	}
}

// TestDeviceRefused: a code that the service does not want to make.
func TestDeviceRefused(t *testing.T) {
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		want   error
		code   string
	}{
		"turned off":  {replying(400, `{"error":"device_flow_disabled"}`), ErrRefused, "device_flow_disabled"},
		"our client":  {replying(401, `{"error":"unauthorized_client"}`), ErrRefused, "unauthorized_client"},
		"denied":      {replying(403, `{"error":"access_denied"}`), ErrRefused, "access_denied"},
		"grant":       {replying(400, `{"error":"invalid_grant"}`), ErrRefused, "invalid_grant"},
		"down":        {replying(503, ``), ErrUnavailable, ""},
		"not found":   {replying(404, `<html>`), ErrUnavailable, "answer makes no sense"},
		"HTML":        {replying(200, `<html>`), ErrUnavailable, "answer is not the JSON expected"},
		"created":     {replying(201, `{}`), ErrUnavailable, "answer is not 200"},
		"our own tag": {replying(400, `{"error":"client id"}`), ErrRefused, "unknown error"},
	} {
		s := newService(t)
		s.answer("/device", test.answer)
		_, err := s.open(s.byCode()["oauth2"]).Device.StartDevice(t.Context())
		var failure *Error
		if !errors.Is(err, test.want) || !errors.As(err, &failure) || failure.Code != test.code {
			t.Errorf("%s: got %v, want %v (%s)", name, err, test.want, test.code)
		}
	}
}

// TestPollAnswers: what ends an attempt, and what does not.
func TestPollAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		want   error
	}{
		"pending":          {replying(400, `{"error":"authorization_pending"}`), ErrPending},
		"pending, Google":  {replying(428, `{"error":"authorization_pending"}`), ErrPending},
		"pending, GitHub":  {replying(200, `{"error":"authorization_pending"}`), ErrPending},
		"slow down":        {replying(400, `{"error":"slow_down"}`), ErrSlowDown},
		"too many":         {replying(429, `{"error":"slow_down"}`), ErrSlowDown},
		"denied":           {replying(400, `{"error":"access_denied"}`), ErrDenied},
		"declined":         {replying(400, `{"error":"authorization_declined"}`), ErrDenied},
		"expired":          {replying(400, `{"error":"expired_token"}`), ErrExpired},
		"spent":            {replying(400, `{"error":"invalid_grant"}`), ErrInvalidGrant},
		"our client":       {replying(401, `{"error":"invalid_client"}`), ErrRefused},
		"grant type":       {replying(400, `{"error":"unsupported_grant_type"}`), ErrRefused},
		"down":             {replying(503, ``), ErrSlowDown},
		"dropped":          {drop, ErrSlowDown},
		"moved":            {moved(307, `{}`), ErrSlowDown},
		"no tokens":        {replying(200, `{}`), ErrSlowDown},
		"our own code":     {replying(400, `{"error":"`+theDeviceCode+`"}`), ErrRefused},
		"a firewall's 403": {replying(403, `<html>`), ErrSlowDown},
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			s.devices(nil)
			p := s.open(s.byCode()["oauth2"])
			a, err := p.Device.StartDevice(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			s.answer("/token", test.answer)
			_, err = p.Device.PollDevice(t.Context(), a)
			if !errors.Is(err, test.want) || s.count("/token") != 1 {
				t.Errorf("got %v after %d requests, want %v after 1", err, s.count("/token"), test.want)
			}
			checkQuiet(t, err, theDeviceCode, theUserCode)
		})
	}
}

// TestDeviceTokensAreWithdrawn: an identity that can't be had or does not check out ends the attempt, for
// the device code is spent; the tokens are revoked.
func TestDeviceTokensAreWithdrawn(t *testing.T) {
	for name, test := range map[string]struct {
		protocol string
		spoil    func(*service)
		want     error
	}{
		"oauth2: unavailable":   {"oauth2", func(s *service) { s.answer("/me", replying(503, ``)) }, ErrUnavailable},
		"oauth2: without id":    {"oauth2", func(s *service) { s.answer("/me", replying(200, `{}`)) }, ErrNotVerified},
		"oidc: another client":  {"oidc", func(s *service) { s.claims = map[string]any{"aud": "another"} }, ErrNotVerified},
		"oidc: another sign-in": {"oidc", func(s *service) { s.claims = map[string]any{"nonce": "of another sign-in"} }, ErrNotVerified},
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			revoked := s.revocations(nil)
			s.devices(nil)
			p := s.open(s.byCode()[test.protocol])
			a, err := p.Device.StartDevice(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			test.spoil(s)
			g, err := p.Device.PollDevice(t.Context(), a)
			if !errors.Is(err, test.want) || !g.Credential.AccessToken.IsZero() {
				t.Errorf("got %v, want %v and no credential", err, test.want)
			}
			if n := len(revoked()); n != 2 {
				t.Errorf("%d tokens revoked, want 2", n)
			}
		})
	}
}

// TestDeviceOfAChangedConnection: a device code goes to nobody but who made it.
func TestDeviceOfAChangedConnection(t *testing.T) {
	s := newService(t)
	s.devices(nil)
	a, err := s.open(s.byCode()["oauth2"]).Device.StartDevice(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(*Connection){
		"client":     func(c *Connection) { c.ClientID = "another" },
		"token_url":  func(c *Connection) { c.TokenURL += "2" },
		"device_url": func(c *Connection) { c.DeviceURL += "2" },
	} {
		c := s.byCode()["oauth2"]
		change(&c)
		if _, err := s.open(c).Device.PollDevice(t.Context(), a); !errors.Is(err, ErrChanged) {
			t.Errorf("%s: %v, want %v", what, err, ErrChanged)
		}
	}
	if n := s.count("/token") + s.count("/token2"); n != 0 {
		t.Errorf("%d token requests, want none", n)
	}
}

// TestDeviceDiscovery: what the issuer publishes is held to the rules for what is configured.
func TestDeviceDiscovery(t *testing.T) {
	for name, test := range map[string]struct {
		published any
		want      error
	}{
		"none":       {nil, ErrRefused},
		"not https":  {"http://a.example/device", ErrNotVerified},
		"not an URL": {"device", ErrNotVerified},
	} {
		s := newService(t)
		c := s.byCode()["oidc"]
		s.metadata = map[string]any{"device_authorization_endpoint": test.published}
		if _, err := s.open(c).Device.StartDevice(t.Context()); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
	s := newService(t)
	s.devices(nil)
	c := s.byCode()["oidc"]
	c.DeviceURL = s.URL + "/device"
	s.metadata = nil
	if _, err := s.open(c).Device.StartDevice(t.Context()); err != nil {
		t.Errorf("with an address of its own: %v", err)
	}
}

// TestDeviceIsOptional: a service of which it is not said has none.
func TestDeviceIsOptional(t *testing.T) {
	s := newService(t)
	for name, c := range s.connections() {
		if s.open(c).Device != nil {
			t.Errorf("%s without device_url signs in by code", name)
		}
	}
}

// TestDeviceOfACustomer: one whose address the user was asked for, and who is remembered with the attempt.
func TestDeviceOfACustomer(t *testing.T) {
	s := newService(t)
	c := s.byCode()["oauth2"]
	c.Fields = []Field{{Key: "team", Label: "Team"}}
	c.DeviceURL, c.TokenURL, c.Identity.URL = s.URL+"/{team}/device", s.URL+"/{team}/token", s.URL+"/{team}/me"
	s.devices(nil)
	for path, as := range map[string]string{"/acme/device": "/device", "/acme/token": "/token", "/acme/me": "/me"} {
		s.answer(path, func(w http.ResponseWriter, r *http.Request) {
			r.URL.Path = as
			s.serve(w, r)
		})
	}
	all := s.open(c)
	one, err := all.With(map[string]string{"team": "acme"})
	if err != nil {
		t.Fatal(err)
	}
	a, err := one.Device.StartDevice(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	g, err := all.Device.PollDevice(t.Context(), roundTrip(t, a))
	if err != nil || g.Credential.Settings["team"] != "acme" || g.Identity.Settings["team"] != "acme" {
		t.Errorf("got %+v, %v", g, err)
	}
}

// TestDeviceOfARegisteredClient is asked for by the client that is the right one at the moment.
func TestDeviceOfARegisteredClient(t *testing.T) {
	s := newService(t)
	s.devices(nil)
	p := s.registering(s.byCode()["oauth2"], func(context.Context) (Client, error) {
		return Client{ID: "client id", Secret: secret.New("secret-1")}, nil
	})
	a, err := p.Device.StartDevice(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Device.PollDevice(t.Context(), a); err != nil || s.basic[0] != "client+id secret-1" {
		t.Errorf("got %v as %q", err, s.basic)
	}
}
