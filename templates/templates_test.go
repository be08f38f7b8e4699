package templates

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"
)

func newPages(t *testing.T) *Pages {
	t.Helper()
	p, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func render(t *testing.T, p *Pages, l Locale, page Page) string {
	t.Helper()
	var b bytes.Buffer
	if err := p.Render(&b, l, page); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// everyPage is each page in each of its states, with names that mean harm.
func everyPage() map[string]Page {
	const hostile = "</title><script>alert(1)</script>\"'\u202Etxt.exe"
	pages := map[string]Page{
		"ticket":         Ticket{ServiceName: hostile, UserName: hostile, UserID: hostile, Scopes: []string{hostile}, Action: "/connect/x", FormToken: "f"},
		"ticket by id":   Ticket{ServiceName: "GitHub", UserID: hostile, Action: "/connect/x"},
		"ticket of none": Ticket{Action: "/connect/x"},
		"ticket that asks": Ticket{ServiceName: hostile, UserID: "u", Action: "/connect/x", Fields: []Field{
			{Key: "subdomain", Label: hostile, Help: hostile, Link: "https://help.example/?a=" + hostile, Example: hostile}}},
		"form":   Ticket{ServiceName: "Amino", UserID: "u", Action: "/connect/x", Form: true, Fields: aForm()},
		"shared": Ticket{ServiceName: hostile, UserID: "u", Action: "/connect/x", Form: true, Shared: true},
		"form again": Ticket{ServiceName: hostile, UserID: "u", Action: "/connect/x", Form: true, Again: true, Fields: []Field{
			{Key: "subdomain", Label: hostile, Link: "javascript:alert(1)", Value: "</title><script>alert(1)</script>\"'", Mistake: "malformed"},
			{Key: "user", Label: "User", Mistake: "missing"}, {Key: "password", Label: "Password", Secret: true, Mistake: "rejected"}}},
		"form again, all wrong": Ticket{UserID: "u", Action: "/connect/x", Form: true, Again: true, Fields: aForm()},
		"ticket with a code":    Ticket{ServiceName: hostile, UserID: "u", Action: "/connect/x", CodeAction: "/connect/x/code"},
		"code": Code{ServiceName: hostile, UserCode: hostile, URI: "https://service.example/device?" + hostile, Left: 9 * time.Minute,
			Refresh: "/connect/x/code", After: 5 * time.Second, StartOver: "/connect/x"},
		"code complete":         Code{UserCode: "WDJB-MJHT", URI: "javascript:alert(1)", CompleteURI: "https://service.example/device?c=" + hostile, Refresh: "/connect/x/code", StartOver: "/connect/x"},
		"relay":                 Relay{Action: "/callback/x", Fields: []RelayField{{"code", `"><script>alert(1)</script>`}, {"state", "'\"&"}}},
		"failed oddly":          Result{State: "failed", Reason: "no such reason", TryAgain: "/connect/x"},
		"linked, returns":       Result{State: "linked", ServiceName: hostile, Return: "https://app.example/?a=" + hostile},
		"denied, returns":       Result{State: "failed", Reason: "denied", TryAgain: "/connect/x", Return: "https://app.example/"},
		"linked, in its window": Result{State: "linked", Return: "https://app.example/", Window: true},
		"stalled":               Result{State: "relaying", Stalled: true, ServiceName: hostile, TryAgain: "/connect/x", Refresh: "/connect/x/result"},
	}
	for _, state := range []string{"working", "relaying", "linked", "pending"} {
		pages[state] = Result{State: state, ServiceName: hostile, AccountName: hostile, Missing: []string{hostile},
			TryAgain: "/connect/x", Refresh: "/connect/x/result", Message: hostile, Origin: hostile}
	}
	for _, reason := range []string{"denied", "service_unavailable", "service_refused", "not_verified", "changed",
		"host_refused", "interrupted", "code_expired", "finished_by_other", "withdrawn"} {
		pages["failed "+reason] = Result{State: "failed", Reason: reason, ServiceName: hostile, TryAgain: "/connect/x"}
	}
	for _, kind := range []ProblemKind{Expired, Used, WrongBrowser, WrongConnection, Forbidden, BadRequest, NotFound,
		MethodNotAllowed, TooMany, Unavailable, Internal} {
		pages["problem "+string(kind)] = Problem{Kind: kind, RequestID: "R1"}
	}
	return pages
}

// aForm is what a service with a password could ask for.
func aForm() []Field {
	return []Field{
		{Key: "user", Label: "E-mail", Help: "The one that you sign in with.", Example: "ada@example.com"},
		{Key: "password", Label: "Password", Link: "https://help.example/password", Secret: true},
	}
}

// document is what a page has to have, read by a parser that forgives nothing.
type document struct {
	lang, dir, title   string
	h1, main, external int
	scripts, styles    []string
}

// voidElement is one that HTML has no end of (HTML §13.1.2); XML wants to see one.
var voidElement = regexp.MustCompile(`(<(?:meta|link|input) [^<>]*)>`)

func parse(t *testing.T, page string) document {
	t.Helper()
	var doc document
	var open []string
	d := xml.NewDecoder(strings.NewReader(voidElement.ReplaceAllString(page, "$1/>")))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return doc
		}
		if err != nil {
			t.Fatalf("not well-formed: %v\n%s", err, page)
		}
		switch token := token.(type) {
		case xml.StartElement:
			open = append(open, token.Name.Local)
			doc.element(token)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) > 0 {
				doc.text(open[len(open)-1], string(token))
			}
		}
	}
}

func (d *document) element(e xml.StartElement) {
	for _, a := range e.Attr {
		switch {
		case e.Name.Local == "a" && a.Name.Local == "href" && (leavesNoTrace(e) || leadsBack(e)):
		case e.Name.Local == "html" && a.Name.Local == "lang":
			d.lang = a.Value
		case e.Name.Local == "html" && a.Name.Local == "dir":
			d.dir = a.Value
		case a.Name.Local == "href" || a.Name.Local == "src" || a.Name.Local == "action":
			if !strings.HasPrefix(a.Value, "/") && !strings.HasPrefix(a.Value, "#") && !strings.HasPrefix(a.Value, "data:") {
				d.external++
			}
		}
	}
	switch e.Name.Local {
	case "h1":
		d.h1++
	case "main":
		d.main++
	case "script":
		d.scripts = append(d.scripts, "")
	}
}

// leavesNoTrace tells a link that a user may follow elsewhere: in a window of its own, which learns
// neither where it comes from nor gets a hold on ours.
func leavesNoTrace(e xml.StartElement) bool {
	var target, rel, href string
	for _, a := range e.Attr {
		switch a.Name.Local {
		case "target":
			target = a.Value
		case "rel":
			rel = a.Value
		case "href":
			href = a.Value
		}
	}
	return target == "_blank" && rel == "noopener noreferrer" && (strings.HasPrefix(href, "https:") || href == "#ZgotmplZ")
}

// leadsBack tells the one link out of our window: to the app that the user came from, at an origin that
// the operator has allowed.
func leadsBack(e xml.StartElement) bool {
	attributes := map[string]string{}
	for _, a := range e.Attr {
		attributes[a.Name.Local] = a.Value
	}
	return attributes["id"] == "return" && attributes["rel"] == "noreferrer" && strings.HasPrefix(attributes["href"], "https://app.example/")
}

func (d *document) text(element, text string) {
	switch element {
	case "title":
		d.title += text
	case "script":
		d.scripts[len(d.scripts)-1] += text
	case "style":
		d.styles = append(d.styles, text)
	}
}

func TestEveryPageInEveryLanguage(t *testing.T) {
	p := newPages(t)
	for name, page := range everyPage() {
		for _, l := range p.locales {
			t.Run(name+"/"+l.Lang(), func(t *testing.T) {
				html := render(t, p, l, page)
				doc := parse(t, html)
				if doc.lang != l.Lang() || doc.dir != l.Dir() {
					t.Errorf("got lang %q dir %q, want %q %q", doc.lang, doc.dir, l.Lang(), l.Dir())
				}
				if !strings.HasSuffix(doc.title, " · Linkgate") || len(doc.title) < len("x · Linkgate") {
					t.Errorf("got title %q, want one that says what happened", doc.title)
				}
				if doc.h1 != 1 || doc.main != 1 {
					t.Errorf("got %d h1 and %d main, want one of each", doc.h1, doc.main)
				}
				if doc.external != 0 {
					t.Errorf("got %d addresses elsewhere, want none", doc.external)
				}
				for _, s := range doc.scripts {
					if source([]byte(s)) != p.ScriptSource() {
						t.Errorf("got a script that the policy does not allow: %q", s)
					}
				}
				for _, s := range doc.styles {
					if source([]byte(s)) != p.StyleSource() {
						t.Error("got a style that the policy does not allow")
					}
				}
			})
		}
	}
}

func TestHostileNamesStayText(t *testing.T) {
	p := newPages(t)
	markup := regexp.MustCompile(`(?i)<script>alert|onerror=|\x{202E}`)
	for name, page := range everyPage() {
		html := render(t, p, p.Locale("en"), page)
		// The message for the opener is ours; here it is hostile to see that it can't leave its attribute.
		html = regexp.MustCompile(`data-(message|origin)="[^"]*"`).ReplaceAllString(html, "")
		if found := markup.FindString(html); found != "" {
			t.Errorf("%s: got %q in the page", name, found)
		}
	}
}

func TestNoStyleOrHandlerAttributes(t *testing.T) {
	p := newPages(t)
	inline := regexp.MustCompile(`<[^>]* (style|on[a-z]+)=`)
	for name, page := range everyPage() {
		if found := inline.FindString(render(t, p, p.Locale("en"), page)); found != "" {
			t.Errorf("%s: got %q, which the content security policy blocks", name, found)
		}
	}
}

func TestTicketShowsWhoIsLinked(t *testing.T) {
	p := newPages(t)
	for _, tc := range []struct {
		name     string
		ticket   Ticket
		want     string
		unwanted string
	}{
		{"name and id", Ticket{UserName: "Ada", UserID: "u-1"}, `<bdi>Ada</bdi> <span class="label"><bdi class="id">u-1</bdi></span>`, "User id"},
		{"name that looks like another's id", Ticket{UserName: "u-2", UserID: "u-1"}, `<bdi class="id">u-1</bdi>`, `<bdi class="id">u-2`},
		{"id without a name", Ticket{UserID: "u-1"}, `<bdi class="id">u-1</bdi>`, "<bdi>"},
		{"id when the name can't be seen", Ticket{UserName: "\u202E\u200B ", UserID: "u-1"}, `<bdi class="id">u-1</bdi>`, "\u202E"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			html := render(t, p, p.Locale("en"), tc.ticket)
			_, who, _ := strings.Cut(html, `id="host-user"`)
			who, _, _ = strings.Cut(who, "</p>")
			if !strings.Contains(who, tc.want) || strings.Contains(who, tc.unwanted) {
				t.Errorf("got %q, want %q and not %q", who, tc.want, tc.unwanted)
			}
		})
	}
}

func TestTicketWarnsBeforeItsButton(t *testing.T) {
	p := newPages(t)
	html := render(t, p, p.Locale("en"), Ticket{ServiceName: "GitHub", UserName: "Ada", Action: "/connect/x"})
	warning := strings.Index(html, "Only continue if you started this yourself, in your app.")
	button := strings.Index(html, "<button")
	if warning < 0 || warning > button {
		t.Errorf("got warning at %d, button at %d; want the warning first", warning, button)
	}
}

// TestEveryFormSaysWhoIsLinked: a page whose form leads to the service can be put before anybody
// by whoever holds the ticket, so none goes without the user's id and the warning.
func TestEveryFormSaysWhoIsLinked(t *testing.T) {
	p := newPages(t)
	forms := 0
	for name, page := range everyPage() {
		html := render(t, p, p.Locale("en"), page)
		if _, toUs := page.(Relay); toUs || !strings.Contains(html, "<form") {
			continue
		}
		forms++
		for _, want := range []string{`id="host-user"`, "Only continue if you started this yourself"} {
			if i := strings.Index(html, want); i < 0 || i > strings.Index(html, "<form") {
				t.Errorf("%s: got a form without %q before it", name, want)
			}
		}
	}
	if forms == 0 {
		t.Error("got no page with a form")
	}
}

func TestResultOffers(t *testing.T) {
	p := newPages(t)
	for _, tc := range []struct {
		state, reason                  string
		stalled, retry, again, leaving bool
	}{
		{state: "linked", leaving: true},
		{state: "pending", leaving: true},
		{state: "working", again: true},
		{state: "working", stalled: true, again: true},
		{state: "relaying", again: true},
		{state: "relaying", stalled: true, retry: true},
		{state: "failed", reason: "denied", retry: true},
		{state: "failed", reason: "host_refused", retry: true},
		{state: "failed", reason: "finished_by_other"},
		{state: "failed", reason: "withdrawn"},
	} {
		t.Run(fmt.Sprintf("%s %s %v", tc.state, tc.reason, tc.stalled), func(t *testing.T) {
			html := render(t, p, p.Locale("en"), Result{State: tc.state, Reason: tc.reason, Stalled: tc.stalled, TryAgain: "/t", Refresh: "/r"})
			for what, want := range map[string]bool{
				`id="retry" href="/t"`: tc.retry, `http-equiv="refresh" content="2;url=/r"`: tc.again,
				`data-leave=""`: !tc.leaving, `data-stalled="true"`: tc.stalled && tc.state == "relaying",
				"<form": false,
			} {
				if got := strings.Contains(html, what); got != want {
					t.Errorf("got %s: %v, want %v", what, got, want)
				}
			}
		})
	}
}

func TestMissingScopesKeepTheWindowOpen(t *testing.T) {
	r := Result{State: "linked", Missing: []string{"repo"}}
	if got := r.Leave(); got != "" {
		t.Errorf("got %q, want a window that stays until it has been read", got)
	}
}

// TestConnectAgainForMore: a page that says that something is missing offers to ask for it again.
func TestConnectAgainForMore(t *testing.T) {
	pages := newPages(t)
	for _, test := range []struct {
		page Result
		want bool
	}{
		{Result{State: "linked", Missing: []string{"files.read"}, TryAgain: "/connect/x"}, true},
		{Result{State: "pending", Missing: []string{"files.read"}, TryAgain: "/connect/x"}, true},
		{Result{State: "linked", Missing: []string{"files.read"}}, false},
		{Result{State: "linked", TryAgain: "/connect/x"}, false},
	} {
		var out strings.Builder
		if err := pages.Render(&out, pages.Locale("en"), test.page); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(out.String(), "Connect again with all permissions"); got != test.want {
			t.Errorf("%+v: offered %v, want %v", test.page, got, test.want)
		}
	}
}
