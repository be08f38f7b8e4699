package provider

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"linkgate/secret"
)

func TestDiscoveryDocument(t *testing.T) {
	const path = "/.well-known/openid-configuration"
	tests := map[string]struct {
		metadata map[string]any   // over the good document; nil values take out
		answer   http.HandlerFunc // instead of it
		want     error
	}{
		"good":                      {nil, nil, nil},
		"without the optional":      {map[string]any{"userinfo_endpoint": nil, "revocation_endpoint": nil}, nil, nil},
		"another issuer":            {map[string]any{"issuer": "https://evil.example"}, nil, ErrNotVerified},
		"no issuer":                 {map[string]any{"issuer": nil}, nil, ErrNotVerified},
		"issuer of another type":    {map[string]any{"issuer": 1}, nil, ErrUnavailable},
		"authorize over http":       {map[string]any{"authorization_endpoint": "http://public.example/a"}, nil, ErrNotVerified},
		"token over http":           {map[string]any{"token_endpoint": "http://public.example/t"}, nil, ErrNotVerified},
		"keys over http":            {map[string]any{"jwks_uri": "http://public.example/k"}, nil, ErrNotVerified},
		"userinfo over http":        {map[string]any{"userinfo_endpoint": "http://public.example/u"}, nil, ErrNotVerified},
		"revocation over http":      {map[string]any{"revocation_endpoint": "http://public.example/r"}, nil, ErrNotVerified},
		"script to authorize":       {map[string]any{"authorization_endpoint": "javascript:alert(1)"}, nil, ErrNotVerified},
		"password in the endpoint":  {map[string]any{"token_endpoint": "https://user:pass@public.example/t"}, nil, ErrNotVerified},
		"fragment in the endpoint":  {map[string]any{"token_endpoint": "https://public.example/t#f"}, nil, ErrNotVerified},
		"no token endpoint":         {map[string]any{"token_endpoint": nil}, nil, ErrNotVerified},
		"no keys":                   {map[string]any{"jwks_uri": ""}, nil, ErrNotVerified},
		"down":                      {nil, replying(503, ``), ErrUnavailable},
		"not there":                 {nil, replying(404, `{}`), ErrRefused},
		"moved":                     {nil, moved(302, `{}`), ErrUnavailable},
		"HTML":                      {nil, replying(200, `<html>`), ErrUnavailable},
		"null":                      {nil, replying(200, `null`), ErrNotVerified},
		"endless":                   {nil, endless, ErrUnavailable},
		"gzip bomb":                 {nil, bomb, ErrUnavailable},
		"dripping":                  {nil, drip([]byte(`{}`)), ErrUnavailable},
		"connection dropped":        {nil, drop, ErrUnavailable},
		"dropped within the answer": {nil, dropHalfway, ErrUnavailable},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			s.metadata = test.metadata
			s.answer(path, test.answer)
			p := s.open(s.oidc())
			if name == "dripping" {
				shorten(p)
			}
			_, _, err := p.Redirector.Authorize(t.Context(), secret.New("state"), theRedirectURI)
			if !errors.Is(err, test.want) {
				t.Errorf("want %v, got %v", test.want, err)
			}
			checkQuiet(t, err)
		})
	}
}

// TestSecureIssuerPublishesSecureEndpoints: plain http on loopback is for a demonstration; a public
// issuer can't send us to what listens on our own machine.
func TestSecureIssuerPublishesSecureEndpoints(t *testing.T) {
	good := metadata{
		Issuer:                "https://issuer.example",
		AuthorizationEndpoint: "https://issuer.example/a",
		TokenEndpoint:         "https://issuer.example/t",
		JWKSURI:               "https://issuer.example/k",
	}
	if err := checkEndpoints(&good); err != nil {
		t.Fatal(err)
	}
	bad := good
	bad.TokenEndpoint = "http://127.0.0.1:6379/t"
	if err := checkEndpoints(&bad); !errors.Is(err, ErrNotVerified) {
		t.Errorf("want ErrNotVerified, got %v", err)
	}
}

// fakeDiscovery counts fetches; each takes a second and ends as end says.
func fakeDiscovery(end func(fetch int32) (*metadata, error)) (*discovery, *atomic.Int32) {
	fetches := new(atomic.Int32)
	return &discovery{
		now: time.Now,
		fetch: func(ctx context.Context) (*metadata, error) {
			n := fetches.Add(1)
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(time.Second):
				return end(n)
			}
		},
	}, fetches
}

func TestDiscoveryIsReadOnceForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, fetches := fakeDiscovery(func(int32) (*metadata, error) { return new(metadata), nil })
		for range 100 {
			go func() {
				if _, err := d.get(t.Context()); err != nil {
					t.Error(err)
				}
			}()
		}
		time.Sleep(2 * time.Second)
		if got := fetches.Load(); got != 1 {
			t.Errorf("%d fetches for 100 callers, want 1", got)
		}
		time.Sleep(discoveryTTL - 10*time.Second)
		if _, err := d.get(t.Context()); err != nil || fetches.Load() != 1 {
			t.Errorf("shortly before the end of its time: %v, %d fetches, want 1", err, fetches.Load())
		}
		time.Sleep(10 * time.Second)
		if _, err := d.get(t.Context()); err != nil || fetches.Load() != 2 {
			t.Errorf("after its time: %v, %d fetches, want 2", err, fetches.Load())
		}
	})
}

func TestDiscoveryFailureIsSoonForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, fetches := fakeDiscovery(func(n int32) (*metadata, error) {
			if n == 1 {
				return nil, &Error{Op: opDiscover, Kind: ErrUnavailable}
			}
			return new(metadata), nil
		})
		for range 3 {
			if _, err := d.get(t.Context()); !errors.Is(err, ErrUnavailable) {
				t.Errorf("want ErrUnavailable, got %v", err)
			}
		}
		if got := fetches.Load(); got != 1 {
			t.Errorf("%d fetches at once of a service that is down, want 1", got)
		}
		time.Sleep(failureTTL)
		if m, err := d.get(t.Context()); err != nil || m == nil {
			t.Errorf("a moment later: %v", err)
		}
	})
}

// TestImpatientCallerHarmsNobody: who starts the fetch and gives up does not end it for others.
func TestImpatientCallerHarmsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, fetches := fakeDiscovery(func(int32) (*metadata, error) { return new(metadata), nil })
		impatient, cancel := context.WithCancel(t.Context())
		go func() {
			if _, err := d.get(impatient); !errors.Is(err, context.Canceled) || !errors.Is(err, ErrUnavailable) {
				t.Errorf("impatient caller: want ErrUnavailable and context.Canceled, got %v", err)
			}
		}()
		synctest.Wait()
		go func() {
			if _, err := d.get(t.Context()); err != nil {
				t.Errorf("patient caller: %v", err)
			}
		}()
		synctest.Wait()
		cancel()
		time.Sleep(2 * time.Second)
		if got := fetches.Load(); got != 1 {
			t.Errorf("%d fetches, want 1", got)
		}
	})
}
