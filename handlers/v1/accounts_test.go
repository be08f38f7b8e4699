package v1_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"
)

func TestETags(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at := "/v1/accounts/" + w.imported("one")
	read := w.wants(http.StatusOK, "", "GET", at, "")
	etag := read.header.Get("ETag")
	for _, have := range []string{etag, "W/" + etag, `"0", ` + etag, "*"} {
		if same := w.wants(http.StatusNotModified, "", "GET", at, "", "If-None-Match", have); same.body != "" || same.header.Get("ETag") != etag {
			t.Errorf("%s: ETag %q and %q", have, same.header.Get("ETag"), same.body)
		}
	}
	w.wants(http.StatusOK, "", "GET", at, "", "If-None-Match", `"0"`)

	changed := w.wants(http.StatusOK, "", "PATCH", at, `{"display_name":"Work"}`, "If-Match", etag)
	next := changed.header.Get("ETag")
	if next == "" || next == etag {
		t.Errorf("ETag %q after %q", next, etag)
	}
	for _, stale := range []string{etag, "W/" + next, `"no version"`} {
		w.wants(http.StatusPreconditionFailed, "stale", "PATCH", at, `{"display_name":"Home"}`, "If-Match", stale)
	}
	w.wants(http.StatusOK, "", "GET", at, "", "If-None-Match", etag)
	if got := w.wants(http.StatusOK, "", "GET", at, "").text(t, "display_name"); got != "Work" {
		t.Errorf("it is called %q", got)
	}
	w.wants(http.StatusOK, "", "PATCH", at, `{"display_name":"Home"}`, "If-Match", next)
	w.wants(http.StatusOK, "", "PATCH", at, `{"display_name":"Desk"}`, "If-Match", "*")
}

// pageAt reads a page: the external ids of its accounts, and where the next one begins.
func (w *world) pageAt(path string) (subjects []string, next string) {
	w.t.Helper()
	read := w.wants(http.StatusOK, "", "GET", path, "")
	var page struct {
		Data []struct {
			Subject string `json:"external_account_id"`
		}
		Next *string `json:"next_cursor"`
	}
	if err := json.Unmarshal([]byte(read.body), &page); err != nil {
		w.t.Fatal(err)
	}
	for _, one := range page.Data {
		subjects = append(subjects, one.Subject)
	}
	if page.Next != nil {
		next = *page.Next
	}
	return subjects, next
}

// TestPages: what is there all the while is told once, and nothing twice, while rows come and go.
func TestPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ids := map[string]string{}
	for i := range 7 {
		subject := fmt.Sprint("s", i)
		ids[subject] = w.imported(subject)
	}
	gone := func(subject string) { w.wants(http.StatusOK, "", "DELETE", "/v1/accounts/"+ids[subject], "") }
	meanwhile := []func(){
		func() { w.imported("new"); gone("s5") }, // the newest comes; the last of the page before goes
		func() { gone("s3"); gone("s6") },        // so does the cursor's own row, and one that was told
		func() { gone("s0") },                    // and one that was not
	}
	path := "/v1/accounts?user_id=u_ada&limit=2"
	all, next := w.pageAt(path)
	for _, happens := range meanwhile {
		happens()
		if next == "" {
			break
		}
		var page []string
		page, next = w.pageAt(path + "&cursor=" + url.QueryEscape(next))
		all = append(all, page...)
	}
	if want := []string{"s6", "s5", "s4", "s3", "s2", "s1"}; !slices.Equal(all, want) || next != "" {
		t.Errorf("told %q, then %q; want %q", all, next, want)
	}
	_, next = w.pageAt(path)
	w.wants(http.StatusBadRequest, "invalid-request", "GET", "/v1/accounts?user_id=u_grace&limit=2&cursor="+url.QueryEscape(next), "")
}
