package appproxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"linkgate/linkedaccount"
	"linkgate/secret"
)

func proxyWith(t *testing.T, f tokensFunc, inject ...string) (*Proxy, *strings.Builder) {
	t.Helper()
	log := &strings.Builder{}
	p, err := New(Options{
		URL: "http://app.example", Secret: secret.New(aSecret), Tokens: f, Inject: inject,
		Log: slog.New(slog.NewTextHandler(log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return p, log
}

// fieldsOf are the fields as name and value.
func fieldsOf(fields []field) map[string]string {
	got := map[string]string{}
	for _, f := range fields {
		got[f.header] = f.value
	}
	return got
}

func TestTokenOrWhyNot(t *testing.T) {
	for _, tc := range []struct {
		name   string
		token  string
		err    error
		header string
		value  string
		logged bool
	}{
		{"token", "gho_1", nil, "Linkgate-Token-7f3c", "gho_1", false},
		{"no account", "", fmt.Errorf("looking: %w", linkedaccount.ErrNotFound), "Linkgate-Token-Error-7f3c", "not_connected", false},
		{"must sign in", "", fmt.Errorf("asking: %w", linkedaccount.ErrReauthRequired), "Linkgate-Token-Error-7f3c", "reauth_required", false},
		{"must sign in, token at hand", "gho_1", linkedaccount.ErrReauthRequired, "Linkgate-Token-Error-7f3c", "reauth_required", false},
		{"service is down", "", errors.New("dial: refused"), "Linkgate-Token-Error-7f3c", "unavailable", true},
		{"empty token", "", nil, "Linkgate-Token-Error-7f3c", "unavailable", true},
		{"token with a line break", "gho_1\nLinkgate-User-Id: bob", nil, "Linkgate-Token-Error-7f3c", "unavailable", true},
		{"token with a space after", "gho_1 ", nil, "Linkgate-Token-Error-7f3c", "unavailable", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, log := proxyWith(t, func(context.Context, string, string) (string, error) { return tc.token, tc.err }, "7f3c")
			got := fieldsOf(p.tokenFields(t.Context(), "alice"))
			if diff := cmp.Diff(map[string]string{tc.header: tc.value}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if logged := strings.Contains(log.String(), "auth_id=7f3c"); logged != tc.logged || strings.Contains(log.String(), "gho_1") {
				t.Errorf("got log %q", log)
			}
		})
	}
}

// TestTokensAreFetchedAtOnce: each waits until all have been asked for.
func TestTokensAreFetchedAtOnce(t *testing.T) {
	inject := []string{"a", "b", "c"}
	var all sync.WaitGroup
	all.Add(len(inject))
	p, _ := proxyWith(t, func(ctx context.Context, user, authID string) (string, error) {
		all.Done()
		all.Wait()
		return tokenOf(ctx, user, authID)
	}, inject...)
	got := fieldsOf(p.tokenFields(t.Context(), "alice"))
	want := map[string]string{"Linkgate-Token-A": "token-of-alice-at-a", "Linkgate-Token-B": "token-of-alice-at-b", "Linkgate-Token-C": "token-of-alice-at-c"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestSlowServiceHoldsNobodyLong: for two seconds in all, whether or not it heeds the deadline.
func TestSlowServiceHoldsNobodyLong(t *testing.T) {
	for _, heedless := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			p, _ := proxyWith(t, func(ctx context.Context, user, authID string) (string, error) {
				switch {
				case authID == "well":
					return tokenOf(ctx, user, authID)
				case heedless:
					time.Sleep(time.Hour)
				}
				<-ctx.Done()
				return "", ctx.Err()
			}, "down", "down-too", "well")
			start := time.Now() // of the bubble
			got := fieldsOf(p.tokenFields(t.Context(), "alice"))
			if took := time.Since(start); took != tokenPatience {
				t.Errorf("heedless %v: got %v, want %v", heedless, took, tokenPatience)
			}
			want := map[string]string{
				"Linkgate-Token-Error-Down": "unavailable", "Linkgate-Token-Error-Down-Too": "unavailable",
				"Linkgate-Token-Well": "token-of-alice-at-well",
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("heedless %v (-want +got):\n%s", heedless, diff)
			}
			time.Sleep(2 * time.Hour) // for the heedless to end
		})
	}
}
