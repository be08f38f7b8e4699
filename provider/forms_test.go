package provider

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"linkgate/secret"
)

// byReveal compares secrets by what they hold.
var byReveal = cmp.Comparer(func(a, b secret.Text) bool { return a.Reveal() == b.Reveal() })

func TestCredentialRoundTrip(t *testing.T) {
	berlin := time.FixedZone("CET", 3600)
	tests := map[string]Credential{
		"everything": {
			AccessToken:  secret.New("at-\"ü\x00"),
			RefreshToken: secret.New("rt"),
			TokenType:    "bearer",
			IssuedAt:     time.Date(2030, 1, 2, 2, 4, 5, 6, berlin),
			ExpiresAt:    time.Date(2030, 1, 2, 3, 4, 5, 6, berlin),
		},
		"no expiry": {AccessToken: secret.New("at")},
		"empty":     {},
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			data, err := want.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			got, err := UnmarshalCredential(data)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, byReveal); diff != "" {
				t.Errorf("credential (-want +got):\n%s", diff)
			}
			if want.ExpiresAt.IsZero() != got.ExpiresAt.IsZero() {
				t.Errorf("zero expiry: want %v, got %v", want.ExpiresAt.IsZero(), got.ExpiresAt.IsZero())
			}
		})
	}
}

func TestAttemptRoundTrip(t *testing.T) {
	want := Attempt{
		State:       secret.New("state"),
		Verifier:    secret.New("verifier"),
		Nonce:       secret.New("nonce"),
		RedirectURI: "https://linkgate.example/callback/7f3c",
		Fingerprint: "fingerprint",
	}
	data, err := want.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	got, err := UnmarshalAttempt(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, byReveal); diff != "" {
		t.Errorf("attempt (-want +got):\n%s", diff)
	}
}

func TestUnmarshalNamesNoSecret(t *testing.T) {
	for _, data := range []string{`{"a":83517}`, `{"v":83517}`, `["83517"]`, `83517`, `null`, ``, `{"a":"83517"`, `{"s":{}}{`} {
		if _, err := UnmarshalCredential([]byte(data)); err != nil && strings.Contains(err.Error(), "83517") {
			t.Errorf("UnmarshalCredential(%q): error quotes its input: %v", data, err)
		}
		if _, err := UnmarshalAttempt([]byte(data)); err != nil && strings.Contains(err.Error(), "83517") {
			t.Errorf("UnmarshalAttempt(%q): error quotes its input: %v", data, err)
		}
	}
}

func TestUnmarshalRefuses(t *testing.T) {
	for _, data := range []string{``, `null`, `[]`, `"at"`, `1`, `{"a":"x","v":"y"`, `{"a":1,"v":1}`, `{} {}`} {
		if got, err := UnmarshalCredential([]byte(data)); err == nil {
			t.Errorf("UnmarshalCredential(%q): no error, got %+v", data, got)
		}
		if got, err := UnmarshalAttempt([]byte(data)); err == nil {
			t.Errorf("UnmarshalAttempt(%q): no error, got %+v", data, got)
		}
	}
}

// FuzzForms: whatever can be read can be written and read again, the same.
func FuzzForms(f *testing.F) {
	f.Add([]byte(`{"a":"at","r":"rt","t":"bearer","e":"2030-01-02T03:04:05.6Z"}`))
	f.Add([]byte(`{"s":"s","v":"v","n":"n","r":"https://x","f":"f"}`))
	f.Add([]byte(`{"e":"0000-01-01T00:00:00Z","a":"\ud800"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := UnmarshalCredential(data); err == nil {
			again := mustReread(t, c.Marshal, UnmarshalCredential)
			if diff := cmp.Diff(c, again, byReveal); diff != "" {
				t.Errorf("credential (-want +got):\n%s", diff)
			}
		}
		if a, err := UnmarshalAttempt(data); err == nil {
			again := mustReread(t, a.Marshal, UnmarshalAttempt)
			if diff := cmp.Diff(a, again, byReveal); diff != "" {
				t.Errorf("attempt (-want +got):\n%s", diff)
			}
		}
	})
}

func mustReread[T any](t *testing.T, marshal func() ([]byte, error), unmarshal func([]byte) (T, error)) T {
	t.Helper()
	data, err := marshal()
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(data) {
		t.Fatalf("not JSON: %s", data)
	}
	got, err := unmarshal(data)
	if err != nil {
		t.Fatal(err)
	}
	return got
}
