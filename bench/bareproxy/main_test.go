package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestProxySetsTheCredential(t *testing.T) {
	var got http.Header
	service := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header }))
	defer service.Close()
	base, err := url.Parse(service.URL)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/thing", nil)
	r.Header.Set("Blink-Auth-Proxysecret", "s")
	r.Header.Set("Blink-Auth-Userid", "u")
	r.Header.Set("Accept", "text/plain")
	w := httptest.NewRecorder()
	proxy(base, "Bearer t").ServeHTTP(w, r)
	want := http.Header{"Authorization": {"Bearer t"}, "Accept": {"text/plain"}}
	if diff := cmp.Diff(want, got); w.Code != http.StatusOK || diff != "" {
		t.Errorf("status %d, want minus got:\n%s", w.Code, diff)
	}
}
