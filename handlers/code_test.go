package handlers

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"linkgate/connect"
	"linkgate/secret"
)

// aCode is what waits to be typed at GitHub.
func aCode() connect.CodeView {
	return connect.CodeView{
		ServiceName: "GitHub", UserCode: secret.New("WDJB-MJHT"), URI: "https://github.example/device",
		CompleteURI: secret.New("https://github.example/device?user_code=WDJB-MJHT"), Left: 899 * time.Second, LookAgain: 4200 * time.Millisecond,
	}
}

func TestCodePage(t *testing.T) {
	b := newBench(t)
	b.code = aCode()
	w := b.asBrowser("GET", "/connect/"+aTicket+"/code")
	if w.Code != http.StatusOK {
		t.Fatalf("got %d", w.Code)
	}
	for _, want := range []string{
		`>WDJB-MJHT</bdi>`, `>github.example/device</bdi>`, `href="https://github.example/device?user_code=WDJB-MJHT"`,
		`rel="noopener noreferrer"`, `<bdi>15</bdi> min`, `content="5;url=/connect/` + aTicket + `/code"`, `<a href="/connect/` + aTicket + `">`,
	} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("got no %s in %s", want, w.Body)
		}
	}
	if diff := cmp.Diff([]string{"Code " + aTicket + " " + aBrowser}, b.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if strings.Contains(b.log.String(), "WDJB") {
		t.Errorf("the log has the code: %s", b.log)
	}
}

// TestCodePageOfNothing leads to the result, which knows where to go on to.
func TestCodePageOfNothing(t *testing.T) {
	b := newBench(t)
	b.code = connect.CodeView{Over: true}
	w := b.asBrowser("GET", "/connect/"+aTicket+"/code")
	if got := w.Header().Get("Location"); w.Code != http.StatusSeeOther || got != "/connect/"+aTicket+"/result" {
		t.Errorf("got %d %q", w.Code, got)
	}
}

// TestByCode: the page's other button, where there is one, sends the same form to the other use case.
func TestByCode(t *testing.T) {
	for _, offered := range []bool{true, false} {
		b := newBench(t)
		b.view.ByCode = offered
		page := b.asBrowser("GET", "/connect/"+aTicket).Body.String()
		if got := strings.Contains(page, `formaction="/connect/`+aTicket+`/code"`); got != offered {
			t.Errorf("offered %v: button %v", offered, got)
		}
	}
	b := newBench(t)
	w := b.do("POST", "/connect/"+aTicket+"/code", "subdomain=acme", "Cookie", aCookie, "Sec-Fetch-Site", "same-origin", "Content-Type", urlEncoded)
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != b.address {
		t.Errorf("got %d %q, want 303 %q", w.Code, w.Header().Get("Location"), b.address)
	}
	if diff := cmp.Diff([]string{"ContinueByCode " + aTicket + " " + aBrowser}, b.calls); diff != "" || b.reveal()["subdomain"] != "acme" {
		t.Errorf("calls (-want +got):\n%s\nwith %v", diff, b.reveal())
	}
}

// TestMistakeByCode shows the form again, with both buttons.
func TestMistakeByCode(t *testing.T) {
	b := newBench(t)
	view := aminoView()
	view.Form, view.ByCode = false, true
	b.err = &connect.FieldsError{View: view, Mistakes: map[string]connect.FieldMistake{"subdomain": connect.FieldMissing}}
	w := b.do("POST", "/connect/"+aTicket+"/code", "", "Cookie", aCookie, "Sec-Fetch-Site", "same-origin", "Content-Type", urlEncoded)
	if page := w.Body.String(); w.Code != http.StatusUnprocessableEntity || !strings.Contains(page, "aria-invalid") || !strings.Contains(page, `id="by-code"`) {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}
