package provider

import (
	"net/url"
	"testing"

	"linkgate/secret"
)

// TestUnlessSent: an error code may be anything that looks like one, except what we sent ourselves.
func TestUnlessSent(t *testing.T) {
	sent := url.Values{"code": {"thecodethatwesent"}, "grant_type": {"code"}}
	for code, want := range map[string]string{
		"invalid_grant":                 "invalid_grant",
		"invalid_code":                  "invalid_code",
		"thecodethatwesent":             "unknown error",
		"thecodethat":                   "unknown error",
		"no_thecodethatwesent":          "unknown error",
		"allsmalllettersecret":          "unknown error",
		"invalid_allsmalllettersecret_": "unknown error",
	} {
		if got := unlessSent(code, sent, secret.New("allsmalllettersecret")); got != want {
			t.Errorf("%s: got %q, want %q", code, got, want)
		}
	}
}
