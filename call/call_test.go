package call

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestServe follows one plain call to the service and back.
func TestServe(t *testing.T) {
	var seen *http.Request
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		seen = r
		rw.Header().Set("X-Request-Id", "theirs")
		rw.Header().Set("X-Other", "1")
		rw.Header()["Content-Type"] = nil
		rw.WriteHeader(http.StatusCreated)
		fmt.Fprintf(rw, "<html>%s", body)
	}, nil).start()
	res, text := w.want(http.StatusCreated, nil, "POST", "/repos/a%2Fb?q=1&x=%20", "body", "User-Agent", "browser", "Linkgate-Account", "acc_1",
		"Authorization", "Bearer forged", "Cookie", "session=1", "X-Forwarded-For", "1.2.3.4", "Blink-Auth-Proxysecret", "secret")
	if text != "<html>body" {
		t.Errorf("got body %q", text)
	}
	want := http.Header{"X-Request-Id": {"ours"}, "X-Other": {"1"}, "Date": res.Header["Date"], "Content-Length": {"10"}, "X-Content-Type-Options": {"nosniff"}}
	if diff := cmp.Diff(want, res.Header); diff != "" {
		t.Errorf("answer's header (-want +got):\n%s", diff)
	}
	if seen.RequestURI != "/repos/a%2Fb?q=1&x=%20" || "http://"+seen.Host != w.service.URL {
		t.Errorf("the service saw %s at %s", seen.RequestURI, seen.Host)
	}
	if diff := cmp.Diff(http.Header{"Authorization": {"Bearer " + theToken}, "User-Agent": {"browser"}, "Content-Length": {"4"}}, seen.Header); diff != "" {
		t.Errorf("request's header (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{theUser + " " + theAuthID + " acc_1"}, w.tokens.asked); diff != "" {
		t.Errorf("asked for credentials (-want +got):\n%s", diff)
	}
	w.want(http.StatusCreated, nil, "GET", "/", "", "User-Agent", "")
	if got := seen.Header["User-Agent"]; !cmp.Equal(got, []string{"linkgate"}) {
		t.Errorf("without User-Agent: the service saw %q", got)
	}
}
