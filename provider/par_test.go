package provider

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"linkgate/secret"
)

const theRequestURI = "urn:ietf:params:oauth:request_uri:6esc_11ACC5bwc014ltc14eY22c"

// pushing has the service take pushed requests, and returns what it takes.
func (s *service) pushing() *[]url.Values {
	var pushed []url.Values
	s.answer("/par", func(w http.ResponseWriter, r *http.Request) {
		user, _, _ := r.BasicAuth()
		if r.Method != http.MethodPost || user != "client+id" {
			s.t.Errorf("%s by %q, want a POST by the client", r.Method, user)
		}
		pushed = append(pushed, r.PostForm)
		reply(w, 201, map[string]any{"request_uri": theRequestURI, "expires_in": 60})
	})
	return &pushed
}

// TestPushedRequest: the browser gets a reference alone; what was in the URL before is pushed.
func TestPushedRequest(t *testing.T) {
	for _, protocol := range signInProtocols {
		s := newService(t)
		pushed := s.pushing()
		c := s.connections()[protocol]
		c.AuthorizeParams = map[string]string{"prompt": "consent"}
		c.PARURL = s.URL + "/par"
		p := s.open(c)
		attempt := s.begin(p)
		if diff := cmp.Diff(url.Values{"client_id": {"client id"}, "request_uri": {theRequestURI}}, s.asked); diff != "" {
			t.Errorf("%s: the browser's request (-want +got):\n%s", protocol, diff)
		}
		want := url.Values{
			"prompt": {"consent"}, "response_type": {"code"}, "client_id": {"client id"}, "redirect_uri": {theRedirectURI},
			"state": {"state-1"}, "code_challenge": {s256(attempt.Verifier.Reveal())}, "code_challenge_method": {"S256"},
		}
		if protocol == "oidc" {
			want["scope"], want["nonce"] = []string{"openid"}, []string{attempt.Nonce.Reveal()}
		}
		if diff := cmp.Diff([]url.Values{want}, *pushed); diff != "" {
			t.Errorf("%s: pushed (-want +got):\n%s", protocol, diff)
		}
		s.asked.Set("nonce", attempt.Nonce.Reveal())
		if _, err := p.Redirector.Exchange(t.Context(), attempt, Callback{Code: secret.New(theCode)}); err != nil {
			t.Errorf("%s: %v", protocol, err)
		}
	}
}

// TestEndpointsOwnQuery stays with a pushed request: it is part of the address.
func TestEndpointsOwnQuery(t *testing.T) {
	s := newService(t)
	s.pushing()
	c := s.oauth2()
	c.PARURL, c.AuthorizeURL = s.URL+"/par", s.URL+"/authorize?tenant=a"
	s.begin(s.open(c))
	if diff := cmp.Diff(url.Values{"tenant": {"a"}, "client_id": {"client id"}, "request_uri": {theRequestURI}}, s.asked); diff != "" {
		t.Errorf("the browser's request (-want +got):\n%s", diff)
	}
}

// TestDiscoveredPush: required means required; offered means nothing unless it is configured.
func TestDiscoveredPush(t *testing.T) {
	tests := map[string]struct {
		metadata map[string]any
		parURL   string
		pushes   bool
		want     error
	}{
		"offered":                {map[string]any{"pushed_authorization_request_endpoint": "/par"}, "", false, nil},
		"offered and wanted":     {map[string]any{"pushed_authorization_request_endpoint": "/par"}, PARDiscover, true, nil},
		"required":               {map[string]any{"pushed_authorization_request_endpoint": "/par", "require_pushed_authorization_requests": true}, "", true, nil},
		"wanted and not offered": {nil, PARDiscover, false, ErrRefused},
		"required, no address":   {map[string]any{"require_pushed_authorization_requests": true}, "", false, ErrRefused},
		"at an unsafe address":   {map[string]any{"pushed_authorization_request_endpoint": "http://a.example/par"}, "", false, ErrNotVerified},
	}
	for name, test := range tests {
		s := newService(t)
		pushed := s.pushing()
		s.metadata = test.metadata
		if s.metadata["pushed_authorization_request_endpoint"] == "/par" {
			s.metadata["pushed_authorization_request_endpoint"] = s.URL + "/par"
		}
		c := s.oidc()
		c.PARURL = test.parURL
		_, address, err := s.open(c).Redirector.Authorize(t.Context(), secret.New("state-1"), theRedirectURI)
		if !errors.Is(err, test.want) || (len(*pushed) == 1) != test.pushes {
			t.Errorf("%s: got %v, %d pushed; want %v, %t", name, err, len(*pushed), test.want, test.pushes)
		}
		if (err != nil) != (address == "") || test.pushes && strings.Contains(address, "state") {
			t.Errorf("%s: the browser is sent to %q", name, address)
		}
	}
}

// TestPushFailures: no answer but a reference sends the browser anywhere.
func TestPushFailures(t *testing.T) {
	tests := map[string]struct {
		answer http.HandlerFunc
		want   error
		code   string
	}{
		"our client":      {replying(401, `{"error":"invalid_client"}`), ErrRefused, "invalid_client"},
		"our request":     {replying(400, `{"error":"invalid_request"}`), ErrRefused, "invalid_request"},
		"denied":          {replying(403, `{"error":"access_denied"}`), ErrRefused, "access_denied"},
		"too large":       {replying(413, ``), ErrUnavailable, "answer makes no sense"},
		"too many":        {replying(429, ``), ErrUnavailable, ""},
		"down":            {replying(503, ``), ErrUnavailable, ""},
		"moved":           {moved(307, `{"request_uri":"urn:x","expires_in":60}`), ErrUnavailable, "redirect"},
		"dropped":         {drop, ErrUnavailable, "connection broken"},
		"HTML":            {replying(201, `<html>`), ErrUnavailable, "answer is not the JSON expected"},
		"200":             {replying(200, `{"request_uri":"urn:x","expires_in":60}`), ErrUnavailable, "answer is not 201"},
		"no reference":    {replying(201, `{"expires_in":60}`), ErrUnavailable, "no usable request_uri"},
		"reference of ws": {replying(201, `{"request_uri":"urn:x y","expires_in":60}`), ErrUnavailable, "no usable request_uri"},
		"a long one":      {replying(201, `{"request_uri":"`+strings.Repeat("x", 2049)+`","expires_in":60}`), ErrUnavailable, "no usable request_uri"},
		"no end":          {replying(201, `{"request_uri":"urn:x"}`), ErrUnavailable, "no usable expires_in"},
		"over already":    {replying(201, `{"request_uri":"urn:x","expires_in":0}`), ErrUnavailable, "no usable expires_in"},
		"our state":       {replying(400, `{"error":"state_of_this_test"}`), ErrRefused, "unknown error"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			s.answer("/par", test.answer)
			c := s.oauth2()
			c.PARURL = s.URL + "/par"
			attempt, address, err := s.open(c).Redirector.Authorize(t.Context(), secret.New("state_of_this_test"), theRedirectURI)
			var failure *Error
			if !errors.Is(err, test.want) || !errors.As(err, &failure) || failure.Code != test.code {
				t.Errorf("got %v, want %v (%s)", err, test.want, test.code)
			}
			if diff := cmp.Diff(Attempt{}, attempt, byReveal); diff != "" || address != "" || s.count("/par") != 1 {
				t.Errorf("got %q, %d requests; want nothing, and one", address, s.count("/par"))
			}
			checkQuiet(t, err, "state_of_this_test")
		})
	}
}

// TestPushWithAssertion: the client authenticates there as at the token endpoint.
func TestPushWithAssertion(t *testing.T) {
	s := newService(t)
	c := s.oidc()
	secretJWT(&c)
	c.PARURL = s.URL + "/par"
	n := s.watch([]byte(theLongSecret), "HS256", "", s.URL)
	s.answer("/par", n.answering(replying(201, `{"request_uri":"`+theRequestURI+`","expires_in":"60"}`)))
	s.begin(s.open(c))
	if len(n.assertions) != 1 || s.asked.Has("client_assertion") || len(s.asked) != 2 {
		t.Errorf("%d assertions, the browser asks %v; want one, and a reference alone", len(n.assertions), s.asked)
	}
}

// TestPushOfPublicClient names the client alone.
func TestPushOfPublicClient(t *testing.T) {
	s := newService(t)
	c := s.oauth2()
	public(&c)
	c.PARURL = s.URL + "/par"
	s.answer("/par", func(w http.ResponseWriter, r *http.Request) {
		if r.PostForm.Get("client_id") != "client id" || r.Header.Get("Authorization") != "" {
			t.Errorf("pushed %v, want the client's id alone", r.PostForm)
		}
		replying(201, `{"request_uri":"urn:x","expires_in":60}`)(w, r)
	})
	s.begin(s.open(c))
}

// TestPushIsHeldBack: a service that keeps failing is left alone here too.
func TestPushIsHeldBack(t *testing.T) {
	s := newService(t)
	s.answer("/par", replying(503, ""))
	c := s.oauth2()
	c.PARURL = s.URL + "/par"
	p := s.open(c)
	for range breakerFailures + 3 {
		_, _, err := p.Redirector.Authorize(t.Context(), secret.New("state-1"), theRedirectURI)
		var failure *Error
		if !errors.As(err, &failure) || !errors.Is(err, ErrUnavailable) || failure.RetryAfter > time.Hour {
			t.Errorf("got %v, want %v", err, ErrUnavailable)
		}
	}
	if n := s.count("/par"); n != breakerFailures {
		t.Errorf("%d requests, want %d", n, breakerFailures)
	}
}
