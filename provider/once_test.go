package provider

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"linkgate/secret"
)

// shorten gives the legs of a provider a deadline that a test can wait for.
func shorten(p *Provider) {
	switch r := p.Redirector.(type) {
	case *oauth2Redirector:
		r.client.timeout = time.Second
	case *oidcRedirector:
		r.client.timeout = time.Second
	}
}

// drip sends a good answer, too slowly for the leg's deadline but not for a test without one.
func drip(body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for _, b := range append(bytes.Repeat([]byte(" "), 200), body...) {
			if _, err := w.Write([]byte{b}); err != nil || r.Context().Err() != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// endless sends a good beginning and never ends.
func endless(w http.ResponseWriter, r *http.Request) {
	_, _ = w.Write([]byte(`{"access_token":"` + theAccessToken + `","padding":"`))
	for r.Context().Err() == nil {
		if _, err := w.Write(bytes.Repeat([]byte("a"), 64<<10)); err != nil {
			return
		}
	}
}

// packed is a good answer, a few KiB in gzip and 4 MiB large.
var packed = sync.OnceValue(func() []byte {
	var buffer bytes.Buffer
	zip := gzip.NewWriter(&buffer)
	_, _ = zip.Write([]byte(`{"access_token":"` + theAccessToken + `"}`))
	_, _ = zip.Write(bytes.Repeat([]byte(" "), 4<<20))
	_ = zip.Close()
	return buffer.Bytes()
})

// bomb sends it.
func bomb(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Encoding", "gzip")
	_, _ = w.Write(packed())
}

// drop ends the connection (HTTP/2: the stream) without an answer.
func drop(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// dropHalfway ends it within the answer.
func dropHalfway(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "1000")
	_, _ = w.Write([]byte(`{"access_token":"` + theAccessToken + `"`))
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// TestCodeIsSentOnce counts, at a real server, how often the code arrives when the token endpoint
// misbehaves: over fresh and used connections, HTTP/1.1 and HTTP/2.
func TestCodeIsSentOnce(t *testing.T) {
	var elsewhere atomic.Int32
	foreign := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		elsewhere.Add(1)
		reply(w, 200, map[string]any{"access_token": theAccessToken})
	}))
	t.Cleanup(foreign.Close)
	abroad := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", foreign.URL+"/token")
			w.WriteHeader(status)
		}
	}
	tests := map[string]struct {
		answer http.HandlerFunc
		want   error
	}{
		"connection dropped":         {drop, ErrUnavailable},
		"dropped within the answer":  {dropHalfway, ErrUnavailable},
		"500":                        {replying(500, `{"error":"invalid_grant"}`), ErrUnavailable},
		"503":                        {replying(503, theCode), ErrUnavailable},
		"408":                        {replying(408, ``), ErrUnavailable},
		"429":                        {replying(429, ``), ErrUnavailable},
		"301 elsewhere":              {abroad(301), ErrUnavailable},
		"302 elsewhere":              {abroad(302), ErrUnavailable},
		"303 elsewhere":              {abroad(303), ErrUnavailable},
		"307 elsewhere":              {abroad(307), ErrUnavailable},
		"308 elsewhere":              {abroad(308), ErrUnavailable},
		"endless body":               {endless, ErrUnavailable},
		"gzip bomb":                  {bomb, ErrUnavailable},
		"dripping body":              {drip([]byte(`{"access_token":"` + theAccessToken + `"}`)), ErrUnavailable},
		"HTML":                       {replying(200, `<html>Sign in to the hotel's network`), ErrUnavailable},
		"HTML with 403":              {replying(403, `<html>Blocked by policy`), ErrUnavailable},
		"nothing":                    {replying(200, ``), ErrUnavailable},
		"null":                       {replying(200, `null`), ErrUnavailable},
		"a list":                     {replying(200, `[]`), ErrUnavailable},
		"no access token":            {replying(200, `{"token_type":"bearer"}`), ErrUnavailable},
		"access token with newline":  {replying(200, `{"access_token":"a\r\nX-Evil: 1"}`), ErrUnavailable},
		"access token of a number":   {replying(200, `{"access_token":17}`), ErrUnavailable},
		"two documents":              {replying(200, `{"access_token":"a"}{"access_token":"b"}`), ErrUnavailable},
		"200 with error":             {replying(200, `{"error":"invalid_client"}`), ErrRefused},
		"200 with error and token":   {replying(200, `{"error":"bad_verification_code","access_token":"a"}`), ErrInvalidGrant},
		"200 with the code as error": {replying(200, `{"error":"`+theCode+`"}`), ErrRefused},
		"401 without body":           {replying(401, ``), ErrRefused},
		"400 invalid_grant":          {replying(400, `{"error":"invalid_grant","error_description":"`+theCode+`"}`), ErrInvalidGrant},
		"400 with an object":         {replying(400, `{"error":{"code":"`+theCode+`"}}`), ErrUnavailable},
	}
	servers := map[string]func(*testing.T) *service{"HTTP/1.1": newService, "HTTP/2": newTLSService}
	for name, test := range tests {
		for version, newServer := range servers {
			t.Run(name+" over "+version, func(t *testing.T) {
				t.Parallel()
				s := newServer(t)
				p := s.open(s.oauth2())
				warm(t, s, p, version)
				if name == "dripping body" {
					shorten(p)
				}
				s.answer("/token", test.answer)
				attempt := s.begin(p)
				_, err := p.Redirector.Exchange(context.Background(), attempt, Callback{Code: secret.New(theCode)})
				if !errors.Is(err, test.want) {
					t.Errorf("want %v, got %v", test.want, err)
				}
				checkQuiet(t, err, attempt.Verifier.Reveal())
				if got := s.codesSeen(); got != 1 {
					t.Errorf("the code arrived %d times, want once", got)
				}
				if elsewhere.Load() != 0 {
					t.Error("a redirect was followed to another host")
				}
			})
		}
	}
}

// warm leaves an idle connection, the kind on which net/http likes to send again.
func warm(t *testing.T, s *service, p *Provider, version string) {
	t.Helper()
	var protocol atomic.Value
	s.answer("/warm", func(w http.ResponseWriter, r *http.Request) {
		protocol.Store(r.Proto)
		reply(w, 200, map[string]any{})
	})
	var ignored document
	if err := p.Redirector.(*oauth2Redirector).client.getJSON(t.Context(), "warming", s.URL+"/warm", nil, &ignored); err != nil {
		t.Fatal(err)
	}
	if got := protocol.Load(); got != version && got != version+".0" {
		t.Fatalf("protocol: want %s, got %s", version, got)
	}
}

// TestNoCookies: a service can't make us carry anything from one user's sign-in to another's.
func TestNoCookies(t *testing.T) {
	s := newService(t)
	var carried atomic.Bool
	s.answer("/token", func(w http.ResponseWriter, r *http.Request) {
		if len(r.Cookies()) > 0 {
			carried.Store(true)
		}
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "first user's"})
		reply(w, 200, s.tokens())
	})
	p := s.open(s.oauth2())
	for range 2 {
		if _, err := s.connect(p); err != nil {
			t.Fatal(err)
		}
	}
	if carried.Load() {
		t.Error("a cookie was sent back")
	}
}

// TestProxyIsNotUsed: a proxy named by the environment would dial for us, past the guard.
func TestProxyIsNotUsed(t *testing.T) {
	if proxy := NewTransport(Deps{}).Proxy; proxy != nil {
		t.Error("the transport has a proxy function")
	}
}

// TestCallerGivesUp: the error says so, beside being ErrUnavailable.
func TestCallerGivesUp(t *testing.T) {
	s := newService(t)
	p := s.open(s.oauth2())
	attempt := s.begin(p)
	ctx, cancel := context.WithCancel(t.Context())
	s.answer("/token", func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	_, err := p.Redirector.Exchange(ctx, attempt, Callback{Code: secret.New(theCode)})
	if !errors.Is(err, ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("want ErrUnavailable and context.Canceled, got %v", err)
	}
}

// TestGarbageIsNotRepeated: net/http's own error would quote what is not HTTP, and with it the
// request that a broken service echoes.
func TestGarbageIsNotRepeated(t *testing.T) {
	s := newService(t)
	s.answer("/token", func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = conn.Write([]byte("echo " + r.PostForm.Get("code") + "\r\n\r\n"))
	})
	_, err := s.connect(s.open(s.oauth2()))
	if !errors.Is(err, ErrUnavailable) {
		t.Errorf("want ErrUnavailable, got %v", err)
	}
	checkQuiet(t, err)
}
