package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"
)

// Browser is a scripted user: cookies, redirects and HTML forms, no JavaScript. Like the real
// ones it treats loopback addresses as trustworthy: Secure cookies work there over http.
// One Browser is one person at one screen: not for use by several goroutines at once.
type Browser struct {
	// Stop, if set, is asked before each request, redirects included; true ends the journey
	// there: the Page returned has that URL and no answer. Tests take a callback away with it.
	Stop func(*url.URL) bool

	jar    http.CookieJar
	client *http.Client
}

// Page is what the window shows.
type Page struct {
	URL    *url.URL
	Status int // 0: stopped by Browser.Stop before the request
	Header http.Header
	Body   string
	Forms  []Form
}

// NewBrowser makes a browser with no cookies.
func NewBrowser() *Browser {
	jar, _ := cookiejar.New(nil) // has no error to give without options
	return &Browser{jar: jar, client: &http.Client{
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// errTooManyRedirects ends a journey that has no end.
var errTooManyRedirects = errors.New("more than ten redirects")

// Get opens an address as if it had been typed, and follows redirects, ten at most.
func (b *Browser) Get(ctx context.Context, address string) (Page, error) {
	u, err := url.Parse(address)
	if err != nil {
		return Page{}, fmt.Errorf("parsing an address: %w", err)
	}
	return b.navigate(ctx, navigation{method: http.MethodGet, to: u})
}

// Cookies lists what the browser would send to an address.
func (b *Browser) Cookies(u *url.URL) []*http.Cookie { return b.jar.Cookies(u) }

// navigation is one request of a journey.
type navigation struct {
	method string
	to     *url.URL
	from   *url.URL // the page whose form it is; nil: typed
	form   url.Values
	site   string // the worst Sec-Fetch-Site so far
}

func (b *Browser) navigate(ctx context.Context, n navigation) (Page, error) {
	for range 10 {
		if b.Stop != nil && b.Stop(n.to) {
			return Page{URL: n.to}, nil
		}
		page, err := b.send(ctx, &n)
		if err != nil {
			return Page{}, fmt.Errorf("opening %s: %w", n.to.Redacted(), err)
		}
		location := page.Header.Get("Location")
		if page.Status < 300 || page.Status >= 400 || location == "" {
			return page, nil
		}
		if n.to, err = n.to.Parse(location); err != nil {
			return Page{}, fmt.Errorf("following a redirect: %w", err)
		}
		if page.Status != http.StatusTemporaryRedirect && page.Status != http.StatusPermanentRedirect {
			n.method, n.form = http.MethodGet, nil
		}
	}
	return Page{}, errTooManyRedirects
}

func (b *Browser) send(ctx context.Context, n *navigation) (Page, error) {
	var body io.Reader
	if n.method != http.MethodGet {
		body = strings.NewReader(n.form.Encode())
	}
	r, err := http.NewRequestWithContext(ctx, n.method, n.to.String(), body)
	if err != nil {
		return Page{}, err
	}
	n.site = worse(n.site, site(n.from, n.to))
	dress(r, n)
	for _, c := range b.Cookies(n.to) {
		r.AddCookie(c)
	}
	answer, err := b.client.Do(r)
	if err != nil {
		return Page{}, err
	}
	defer answer.Body.Close()
	b.jar.SetCookies(n.to, acceptable(answer.Cookies()))
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxBody))
	if err != nil {
		return Page{}, err
	}
	return Page{
		URL: n.to, Status: answer.StatusCode, Header: answer.Header, Body: string(text), Forms: parseForms(n.to, string(text)),
	}, nil
}

// dress adds the headers of a real browser's navigation (Fetch Metadata, RFC 6454 §7).
func dress(r *http.Request, n *navigation) {
	h := r.Header
	h.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	h.Set("User-Agent", "Mozilla/5.0 (scripted)")
	h.Set("Sec-Fetch-Site", n.site)
	h.Set("Sec-Fetch-Mode", "navigate")
	h.Set("Sec-Fetch-Dest", "document")
	h.Set("Sec-Fetch-User", "?1")
	if n.method != http.MethodGet {
		h.Set("Content-Type", "application/x-www-form-urlencoded")
		h.Set("Origin", origin(n.from))
	}
}

// site is Sec-Fetch-Site: ports make another origin, not another site.
func site(from, to *url.URL) string {
	switch {
	case from == nil:
		return "none"
	case origin(from) == origin(to):
		return "same-origin"
	case from.Scheme == to.Scheme && from.Hostname() == to.Hostname():
		return "same-site"
	}
	return "cross-site"
}

// worse keeps the least trusted of a journey: redirects never make it better.
func worse(a, b string) string {
	rank := map[string]int{"": 0, "none": 1, "same-origin": 2, "same-site": 3, "cross-site": 4}
	if rank[a] > rank[b] {
		return a
	}
	return b
}

// acceptable drops cookies that break the promise of the __Host- prefix, which the jar does not
// know (draft-ietf-httpbis-rfc6265bis §4.1.3.2).
func acceptable(cookies []*http.Cookie) []*http.Cookie {
	var kept []*http.Cookie
	for _, c := range cookies {
		if !strings.HasPrefix(c.Name, "__Host-") || c.Secure && c.Path == "/" && c.Domain == "" {
			kept = append(kept, c)
		}
	}
	return kept
}

// SignIn connects: ticket page, Continue, the service's sign-in as username, consent, callback,
// result page. It stops early at any page that is none of these and returns it.
func (b *Browser) SignIn(ctx context.Context, authorizationURL, username string) (Page, error) {
	return b.connect(ctx, authorizationURL, username, "allow")
}

// Deny is SignIn with "Deny" at the consent page.
func (b *Browser) Deny(ctx context.Context, authorizationURL, username string) (Page, error) {
	return b.connect(ctx, authorizationURL, username, "deny")
}

func (b *Browser) connect(ctx context.Context, authorizationURL, username, decision string) (Page, error) {
	page, err := b.Get(ctx, authorizationURL)
	if err != nil || page.Status != http.StatusOK {
		return page, err
	}
	page, err = b.Submit(ctx, page, "", nil)
	if err != nil {
		return page, err
	}
	return b.decide(ctx, page, username, decision)
}

// Activate types a code at the service, where verificationURI leads, signs in there as username, and
// decides: "allow" or "deny". Without userCode the address has it.
func (b *Browser) Activate(ctx context.Context, verificationURI, userCode, username, decision string) (Page, error) {
	page, err := b.Get(ctx, verificationURI)
	if err == nil && page.has("sign-in") {
		page, err = b.Submit(ctx, page, "sign-in", url.Values{"username": {username}, "password": {Password}})
	}
	if err == nil && page.has("code") {
		page, err = b.Submit(ctx, page, "code", url.Values{"user_code": {userCode}})
	}
	if err != nil {
		return page, err
	}
	return b.decide(ctx, page, username, decision)
}

// decide goes through the service's own pages.
func (b *Browser) decide(ctx context.Context, page Page, username, decision string) (_ Page, err error) {
	if page.has("sign-in") {
		page, err = b.Submit(ctx, page, "sign-in", url.Values{"username": {username}, "password": {Password}})
		if err != nil {
			return page, err
		}
	}
	if !page.has(decision) {
		return page, nil
	}
	return b.Submit(ctx, page, decision, nil)
}
