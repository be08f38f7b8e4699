package v1

import (
	"errors"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"linkgate/linkedaccount"
)

func pointers(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	var mistaken *Invalid
	if !errors.As(err, &mistaken) {
		return err.Error()
	}
	var all []string
	for _, m := range mistaken.Mistakes {
		if m.Detail == "" {
			t.Errorf("%s: no detail", m.Pointer)
		}
		all = append(all, m.Pointer)
	}
	return strings.Join(all, " ")
}

func TestQuery(t *testing.T) {
	for _, test := range []struct{ raw, want string }{
		{"", ""},
		{"user_id=u&limit=1&status=linked&status=refused&wait=30s&validate_scope=false", ""},
		{"user_id=", "?user_id"},
		{"user_id=a&user_id=b", "?user_id"},
		{"user_id=" + strings.Repeat("u", longestParameter+1), "?user_id"},
		{"limit=0", "?limit"},
		{"limit=201", "?limit"},
		{"limit=1e2", "?limit"},
		{"limit=99999999999999999999", "?limit"},
		{"status=gone", "?status"},
		{"validate_scope=1", "?validate_scope"},
		{"wait=61s", "?wait"},
		{"wait=-1s", "?wait"},
		{"wait=soon", "?wait"},
		{"userid=u", "?userid"},
		{"limit=0&stat=x&wait=1h", "?limit ?stat ?wait"}, // all at once
		{"%zz", "?"},
		{"a;b=c", "?"},
		{"cursor=zzz", "?cursor"},
		{"cursor=e30", "?cursor"},
	} {
		q := readQuery(test.raw)
		q.text("user_id")
		q.number("limit", 1, pageMost, pageDefault)
		q.statuses()
		q.flag("validate_scope", true)
		q.duration("wait", time.Minute)
		q.cursor()
		if got := pointers(t, q.err()); got != test.want {
			t.Errorf("%.60s: mistakes %q, want %q", test.raw, got, test.want)
		}
	}
}

func TestCursor(t *testing.T) {
	q := url.Values{"user_id": {"u"}, "limit": {"2"}}
	at := next(q, "acc_7", true)
	if at == nil || next(q, "acc_7", false) != nil {
		t.Fatal("a cursor leads on where there is a page, and only there")
	}
	read := func(raw url.Values) (string, error) {
		r := readQuery(raw.Encode())
		r.text("user_id")
		r.text("limit")
		after := r.cursor()
		return after, r.err()
	}
	if after, err := read(url.Values{"user_id": {"u"}, "limit": {"9"}, "cursor": {*at}}); after != "acc_7" || err != nil {
		t.Errorf("after %q, %v: the limit may change from page to page", after, err)
	}
	for name, other := range map[string]url.Values{
		"another user": {"user_id": {"v"}, "cursor": {*at}},
		"no user":      {"cursor": {*at}},
	} {
		if after, err := read(other); err == nil {
			t.Errorf("%s: the cursor leads to %q", name, after)
		}
	}
}

func TestDecode(t *testing.T) {
	for _, test := range []struct{ contentType, body, want string }{
		{"application/json", `{"user_id":"u","auth_id":"a","credential":{}}`, ""},
		{"", `{"user_id":"u"}`, ""},
		{"application/json; charset=utf-8", `{"user_id":"u"}`, ""},
		{"application/merge-patch+json", `{"user_id":"u"}`, ""},
		{"text/plain", `{"user_id":"u"}`, ErrMediaType.Error()},
		{"application/x-www-form-urlencoded", `user_id=u`, ErrMediaType.Error()},
		{"application/json", ``, ""[:0] + "\x00"},
		{"application/json", `{"user_id":7}`, "/user_id"},
		{"application/json", `{"credential":{"fields":{"k":7}}}`, "/credential/fields"},
		{"application/json", `{"userid":"u"}`, "/userid"},
		{"application/json", `{"user_id":"u"} {}`, "\x00"},
		{"application/json", `{"user_id":"hunter2`, "\x00"},
		{"application/json", `[]`, "/"},
	} {
		r := httptest.NewRequest("POST", "/", strings.NewReader(test.body))
		r.Header.Set("Content-Type", test.contentType)
		req := &request{Context: echo.New().NewContext(r, httptest.NewRecorder()), body: []byte(test.body)}
		var into importRequest
		err := decode(req, &into)
		want := test.want
		if want == "\x00" { // the body as a whole: its pointer is empty (RFC 6901 §5)
			if want = ""; err == nil {
				t.Errorf("%q is taken", test.body)
			}
		}
		if got := pointers(t, err); got != want {
			t.Errorf("%s %q: mistakes at %q, want %q", test.contentType, test.body, got, want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error quotes the body: %v", err)
		}
	}
}

func TestIfMatch(t *testing.T) {
	for _, test := range []struct {
		values []string
		want   int64
		err    error
	}{
		{nil, 0, nil},
		{[]string{"*"}, 0, nil},
		{[]string{`"7"`}, 7, nil},
		{[]string{`W/"7"`}, 0, linkedaccount.ErrStale}, // weak tags match nothing here (RFC 9110 §13.1.1)
		{[]string{`7`}, 0, linkedaccount.ErrStale},
		{[]string{`"0"`}, 0, linkedaccount.ErrStale},
		{[]string{`"07"`}, 0, linkedaccount.ErrStale},
		{[]string{`"x"`}, 0, linkedaccount.ErrStale},
		{[]string{`"1", "2"`}, 0, ErrInvalid},
		{[]string{`"1"`, `"2"`}, 0, ErrInvalid},
	} {
		if got, err := ifMatch(test.values); got != test.want || !errors.Is(err, test.err) {
			t.Errorf("%q: %d, %v; want %d, %v", test.values, got, err, test.want, test.err)
		}
	}
}
