package templates

import (
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"
)

// Code is the page of a sign-in by code: what to type, where, and for how long (RFC 8628 §3.3). It looks
// again by itself until that is done. Like Result it has no form.
type Code struct {
	ServiceName string
	UserCode    string
	URI         string // where the code is typed, for people to read and to copy to another device
	CompleteURI string // the same with the code in it; empty: the link leads to URI
	Left        time.Duration
	Refresh     string        // address to look again at
	After       time.Duration // how long to wait before that
	StartOver   string        // path of the ticket page
}

const codeLimit = 64 // runes

func (c Code) in(v view) (templ.Component, error) {
	service, err := v.service(c.Service())
	if err != nil {
		return nil, err
	}
	title, err := v.Plain("code.title", "service", service)
	return c.markup(v, title, service), err
}

// Service is the name to show.
func (c Code) Service() string { return displayName(c.ServiceName) }

// ServiceInitial is the letter on the service's tile.
func (c Code) ServiceInitial() string { return initial(c.Service()) }

// Shown is the code to show.
func (c Code) Shown() string { return displayText(c.UserCode, codeLimit) }

// Address is where the code is typed, as short as it can be said; a browser adds the scheme by itself.
func (c Code) Address() string {
	return strings.TrimPrefix(string(address(c.URI)), "https://")
}

// Link is where the button leads.
func (c Code) Link() string {
	if c.CompleteURI != "" {
		return c.CompleteURI
	}
	return c.URI
}

// Minutes is how long the code is valid: a minute that has begun counts.
func (c Code) Minutes() string {
	return strconv.Itoa(max(1, int((c.Left+time.Minute-1)/time.Minute)))
}

// lookAgain is that a page is to be loaded anew; the zero value: that it stays.
type lookAgain struct {
	address string
	after   time.Duration
}

const soonest = 2 * time.Second

// content is that of the meta element that does it. A page that comes sooner than it has news would
// take a reader's place in it away for nothing.
func (l lookAgain) content() string {
	seconds := int((max(l.after, soonest) + time.Second - 1) / time.Second)
	return strconv.Itoa(seconds) + ";url=" + string(address(l.address))
}
