package handlers

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"linkgate/connect"
	"linkgate/handlers/inbound"
	"linkgate/provider"
)

const aPassword = "correct horse battery & staple"

// aminoView asks for an address and a password, and for nothing else.
func aminoView() connect.View {
	return connect.View{
		ServiceName: "Amino", HostUserID: "alice", HostUserName: "Alice", Form: true,
		Fields: []provider.Field{
			{Key: "subdomain", Label: "Subdomain", Help: "The first part of your address.", Link: "https://help.example/address", Example: "acme"},
			{Key: "password", Label: "Password", Secret: true},
		},
	}
}

// mistaken has the fake refuse what is typed.
func mistaken(mistakes map[string]connect.FieldMistake) func(*bench) {
	return func(b *bench) { b.err = &connect.FieldsError{View: aminoView(), Mistakes: mistakes} }
}

// submit posts a form as our page does.
func (b *bench) submit(form url.Values, headers ...string) *httptest.ResponseRecorder {
	form.Set("form_token", formToken(aBrowser))
	return b.do("POST", "/connect/"+aTicket, form.Encode(), append([]string{
		"Cookie", aCookie, "Sec-Fetch-Site", "same-origin", "Content-Type", "application/x-www-form-urlencoded"}, headers...)...)
}

func typedForm() url.Values {
	return url.Values{"subdomain": {"acme"}, "password": {aPassword}}
}

// reveal is what has arrived at connect.
func (b *bench) reveal() map[string]string {
	shown := map[string]string{}
	for key, value := range b.values {
		shown[key] = value.Reveal()
	}
	return shown
}

func TestTypedValuesArrive(t *testing.T) {
	b := newBench(t)
	w := b.submit(typedForm())
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != b.address {
		t.Errorf("got %d %q, want 303 %q", w.Code, w.Header().Get("Location"), b.address)
	}
	if diff := cmp.Diff(map[string]string{"subdomain": "acme", "password": aPassword}, b.reveal()); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}

// TestOnlyTheBodyCounts: an address is kept in histories and logs, so none of ours takes a value.
func TestOnlyTheBodyCounts(t *testing.T) {
	b := newBench(t)
	b.do("POST", "/connect/"+aTicket+"?password=hunter2&subdomain=evil", "subdomain=acme", "Cookie", aCookie,
		"Sec-Fetch-Site", "same-origin", "Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	if diff := cmp.Diff(map[string]string{"subdomain": "acme"}, b.reveal()); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}

// TestOlderBrowsersType: their forms are believed for their token, which is nothing that is asked for.
func TestOlderBrowsersType(t *testing.T) {
	b := newBench(t)
	form := typedForm()
	form.Set("form_token", formToken(aBrowser))
	w := b.do("POST", "/connect/"+aTicket, form.Encode(), "Cookie", aCookie, "Origin", "null", "Content-Type", "application/x-www-form-urlencoded")
	if w.Code != http.StatusSeeOther || len(b.values) != 2 {
		t.Errorf("got %d with values %v, want 303 with two", w.Code, b.values)
	}
}

func TestFormIsAskedFor(t *testing.T) {
	b := newBench(t)
	b.view = aminoView()
	page := b.asBrowser("GET", "/connect/"+aTicket).Body.String()
	for _, want := range []string{
		`name="subdomain"`, `name="password" type="password"`, "Subdomain", "The first part of your address.",
		`href="https://help.example/address" target="_blank" rel="noopener noreferrer"`, "acme", ">Connect</button>", `class="promise"`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %s", want)
		}
	}
	if found := regexp.MustCompile(`We never see|role="alert"|<script`).FindString(page); found != "" {
		t.Errorf("the page has %s", found)
	}
}

// TestAddressIsAskedForBeforeTheService: the user types where the service is, and signs in there.
func TestAddressIsAskedForBeforeTheService(t *testing.T) {
	b := newBench(t)
	b.view = aminoView()
	b.view.Form, b.view.Fields = false, b.view.Fields[:1]
	w := b.asBrowser("GET", "/connect/"+aTicket)
	for _, want := range []string{`name="subdomain"`, ">Continue</button>", "We never see your password there"} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("the page has no %s", want)
		}
	}
	if got := w.Header().Get("Content-Security-Policy"); !strings.Contains(got, "form-action 'self' https:") {
		t.Errorf("got policy %q, want one that lets the form lead to the service", got)
	}
}

func TestMistakeIsShownAtItsField(t *testing.T) {
	for _, tc := range []struct {
		key     string
		mistake connect.FieldMistake
		want    string
	}{
		{"subdomain", connect.FieldMissing, "Please fill this in."},
		{"subdomain", connect.FieldMalformed, "This does not look right."},
		{"password", connect.FieldMissing, "Please fill this in."},
		{"password", connect.FieldRejected, "<bdi>Amino</bdi> did not accept this."},
	} {
		t.Run(fmt.Sprint(tc.key, " ", tc.mistake), func(t *testing.T) {
			b := newBench(t)
			mistaken(map[string]connect.FieldMistake{tc.key: tc.mistake})(b)
			w := b.submit(typedForm())
			if w.Code != http.StatusUnprocessableEntity || !isPage(w) {
				t.Fatalf("got %d, want a page with 422", w.Code)
			}
			for _, part := range strings.Split(w.Body.String(), `<div class="field">`)[1:] {
				own := strings.Contains(part, ` name="`+tc.key+`"`)
				if got := strings.Contains(part, tc.want) && strings.Contains(part, "aria-invalid") && strings.Contains(part, "autofocus"); got != own {
					t.Errorf("got the mistake and the focus: %v, want %v, at %s", got, own, part)
				}
			}
			if !strings.Contains(w.Body.String(), `role="alert"`) {
				t.Error("the page has no alert")
			}
		})
	}
}

// TestSecretsAreNeverShownAgain, and are in no log line and no header. What is no secret is there as
// it was typed.
func TestSecretsAreNeverShownAgain(t *testing.T) {
	for _, e := range []error{
		&connect.FieldsError{View: aminoView(), Mistakes: map[string]connect.FieldMistake{"password": connect.FieldRejected}},
		&connect.FieldsError{View: aminoView(), Mistakes: map[string]connect.FieldMistake{"subdomain": connect.FieldMalformed}},
		connect.ErrTooMany, fmt.Errorf("database is down"), nil,
	} {
		b := newBench(t)
		b.err = e
		w := b.submit(typedForm())
		var all strings.Builder
		_ = w.Header().Write(&all) // a strings.Builder
		seen := all.String() + w.Body.String() + b.log.String()
		for _, part := range append(strings.Fields(aPassword), url.QueryEscape(aPassword)) {
			if len(part) > 1 && strings.Contains(seen, part) {
				t.Errorf("%v: got %q of the password", e, part)
			}
		}
		if strings.Contains(b.log.String()+all.String(), "acme") {
			t.Errorf("%v: got what was typed in a header or the log", e)
		}
		if got := strings.Contains(w.Body.String(), `value="acme"`); got != (w.Code == http.StatusUnprocessableEntity) {
			t.Errorf("%v: got the subdomain again: %v", e, got)
		}
	}
}

// TestShownAgain is what a page gives back of what is no secret.
func TestShownAgain(t *testing.T) {
	for _, tc := range []struct{ name, typed, want string }{
		{"as typed", " acme ", ` value=" acme "`},
		{"markup", `"><script>alert(1)</script>`, ` value="&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"`},
		{"Arabic", "مثال", ` value="مثال"`},
		{"not text", "a\xff", ` value=""`},
		{"control characters", "a\x00b", ` value=""`},
		{"long", strings.Repeat("a", valueLimit), ` value="` + strings.Repeat("a", valueLimit) + `"`},
		{"too long", strings.Repeat("a", valueLimit+1), ` value=""`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t)
			mistaken(map[string]connect.FieldMistake{"subdomain": connect.FieldMalformed})(b)
			page := b.submit(url.Values{"subdomain": {tc.typed}}).Body.String()
			if got := regexp.MustCompile(`<input id="field-subdomain"[^>]*>`).FindString(page); !strings.Contains(got, tc.want) {
				t.Errorf("got %.300s, want %.300s", got, tc.want)
			}
			if strings.Contains(page, "<script") {
				t.Error("got markup that somebody typed")
			}
		})
	}
}

// TestFormLeadsToUsAlone: what is typed on a page for keys and passwords can be sent nowhere else,
// first and again; in all else both answers have the headers of every page.
func TestFormLeadsToUsAlone(t *testing.T) {
	b := newBench(t)
	plain := b.asBrowser("GET", "/connect/"+aTicket).Header()
	b.view = aminoView()
	first := b.asBrowser("GET", "/connect/"+aTicket).Header()
	mistaken(nil)(b)
	again := b.submit(typedForm()).Header()
	plain.Set("Content-Security-Policy", strings.Replace(plain.Get("Content-Security-Policy"), "form-action 'self' https:", "form-action 'self'", 1))
	for _, h := range []http.Header{plain, first, again} {
		h.Del("Set-Cookie") // of the first page alone
		h.Del(requestIDHeader)
	}
	for name, got := range map[string]http.Header{"first": first, "again": again} {
		if diff := cmp.Diff(plain, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if got := again.Get("Cache-Control"); got != "no-store" {
		t.Errorf("got Cache-Control %q, want no-store", got)
	}
}

// TestBadForms get a page that says so, and nobody is asked anything.
func TestBadForms(t *testing.T) {
	multipart := "--x\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nhunter2\r\n--x--\r\n"
	for _, tc := range []struct {
		name, kind, body string
		status           int
	}{
		{"a field twice", urlEncoded, "subdomain=a&password=hunter2&subdomain=b", 400},
		{"a secret twice", urlEncoded, "password=hunter2&password=hunter2", 400},
		{"the token twice", urlEncoded, "form_token=a&form_token=b&password=hunter2", 400},
		{"broken encoding", urlEncoded, "password=hunter2%zz", 400},
		{"semicolons", urlEncoded, "a=b;password=hunter2", 400},
		{"multipart", "multipart/form-data; boundary=x", multipart, 400},
		{"JSON", "application/json", `{"password":"hunter2"}`, 400},
		{"plain text", "text/plain", "password=hunter2", 400},
		{"no type that makes sense", ";;", "password=hunter2", 400},
		{"too large", urlEncoded, "password=hunter2" + strings.Repeat("x", inbound.BodyLimit), 413},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t)
			w := b.do("POST", "/connect/"+aTicket, tc.body, "Cookie", aCookie, "Sec-Fetch-Site", "same-origin", "Content-Type", tc.kind)
			if w.Code != tc.status || !isPage(w) || !strings.Contains(w.Body.String(), `data-problem="bad_request"`) {
				t.Errorf("got %d %.80q, want a page with %d", w.Code, w.Body, tc.status)
			}
			if len(b.calls) > 0 {
				t.Errorf("got calls %v, want none", b.calls)
			}
			if strings.Contains(w.Body.String()+b.log.String(), "hunter2") {
				t.Error("got what was typed on the page or in the log")
			}
		})
	}
}

// TestOtherSitesTypeNothing: before anything is said about a form, it is ours or it is refused.
func TestOtherSitesTypeNothing(t *testing.T) {
	for _, body := range []string{"password=hunter2", "password=a&password=b", "password=%zz"} {
		b := newBench(t)
		w := b.do("POST", "/connect/"+aTicket, body, "Cookie", aCookie, "Sec-Fetch-Site", "cross-site", "Content-Type", urlEncoded)
		if w.Code != http.StatusForbidden || len(b.calls) > 0 {
			t.Errorf("%s: got %d and calls %v, want 403 and none", body, w.Code, b.calls)
		}
	}
}
