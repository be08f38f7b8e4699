package demo

import (
	"context"
	"net/http"
	"net/url"
)

// Browser is a scripted user: cookies, redirects and HTML forms, no JavaScript. Like the real
// ones it treats loopback addresses as trustworthy: Secure cookies work there over http.
// One Browser is one person at one screen: not for use by several goroutines at once.
type Browser struct {
	// Stop, if set, is asked before each request, redirects included; true ends the journey
	// there: the Page returned has that URL and no answer. Tests take a callback away with it.
	Stop func(*url.URL) bool
}

// Page is what the window shows.
type Page struct {
	URL    *url.URL
	Status int // 0: stopped by Browser.Stop before the request
	Header http.Header
	Body   string
	Forms  []Form
}

// Form is a form on a page with its fields as they stand.
type Form struct {
	Method  string // GET or POST
	Action  *url.URL
	Fields  url.Values
	Buttons []Button
}

// Button is a submit button.
type Button struct {
	Label, Name, Value string
}

// NewBrowser makes a browser with no cookies.
func NewBrowser() *Browser { panic("unwritten") }

// Get opens an address and follows redirects, ten at most.
func (b *Browser) Get(ctx context.Context, address string) (Page, error) { panic("unwritten") }

// Submit presses the button with that label (empty: the first of the first form that has one)
// after setting fields. The Origin and Sec-Fetch-Site headers are those of a real browser.
func (b *Browser) Submit(ctx context.Context, p Page, button string, fields url.Values) (Page, error) {
	panic("unwritten")
}

// SignIn connects: ticket page, Continue, the service's sign-in as username, consent, callback,
// result page. It stops early at any page that is none of these and returns it.
func (b *Browser) SignIn(ctx context.Context, authorizationURL, username string) (Page, error) {
	panic("unwritten")
}

// Deny is SignIn with "Deny" at the consent page.
func (b *Browser) Deny(ctx context.Context, authorizationURL, username string) (Page, error) {
	panic("unwritten")
}
