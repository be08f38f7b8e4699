package provider

import (
	"crypto/tls"
	"errors"
	"testing"

	"linkgate/secret"
)

// TestTLS: no leg is walked to a server that is not who it says, or speaks an old TLS.
func TestTLS(t *testing.T) {
	untrusted := newTLSService(t)
	old := unstartedService(t)
	old.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	old.StartTLS()
	p, err := New(untrusted.oauth2(), Deps{AllowPrivateNetworks: true})
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		service  *service
		provider *Provider
		code     string
	}{
		"unknown authority": {untrusted, p, "certificate not trusted"},
		"TLS 1.1":           {old, old.open(old.oauth2()), "connection broken"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			attempt := test.service.begin(test.provider)
			_, err := test.provider.Redirector.Exchange(t.Context(), attempt, Callback{Code: secret.New(theCode)})
			var failure *Error
			if !errors.Is(err, ErrUnavailable) || !errors.As(err, &failure) || failure.Code != test.code {
				t.Errorf("want ErrUnavailable (%s), got %v", test.code, err)
			}
			if got := test.service.codesSeen(); got != 0 {
				t.Errorf("the code arrived %d times, want never", got)
			}
		})
	}
}
