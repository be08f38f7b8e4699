package handlers

import (
	"bytes"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"linkgate/templates"
)

// page is a page and what its content security policy must allow.
type page struct {
	templates.Page
	form   bool // it has a form
	stays  bool // its form's answer leads to no other site
	script bool
}

// writePage renders into memory first, so that a page is whole or not there at all.
func (s *site) writePage(c echo.Context, status int, p page) error {
	var body bytes.Buffer
	locale := s.Pages.Locale(c.Request().Header.Get("Accept-Language"))
	if err := s.Pages.Render(&body, locale, p.Page); err != nil {
		return err
	}
	h := c.Response().Header()
	h.Set("Content-Language", locale.Lang())
	h.Set("Vary", "Accept-Language, Cookie")
	h.Set("Content-Security-Policy", s.headers.policy(p))
	return c.HTMLBlob(status, body.Bytes())
}

// pageHeaders are what every answer to a browser carries.
type pageHeaders struct {
	style, script string // sources for the policy
	https         bool
}

func newPageHeaders(publicURL string, pages *templates.Pages) pageHeaders {
	return pageHeaders{
		style:  pages.StyleSource(),
		script: pages.ScriptSource(),
		https:  strings.HasPrefix(publicURL, "https:"),
	}
}

// set puts in what is the same for pages, redirects and answers without a body. There is no
// Cross-Origin-Opener-Policy: it would cut the result page off from the window it must tell.
func (p pageHeaders) set(h http.Header) {
	h.Set("Content-Security-Policy", p.policy(page{}))
	h.Set("X-Frame-Options", "DENY") // for browsers that don't know frame-ancestors; RFC 9700 §4.16
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer") // RFC 9700 §4.2.4
	h.Set("Cache-Control", "no-store")
	h.Set("Permissions-Policy", "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), "+
		"publickey-credentials-get=(), usb=()")
	if p.https {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// policy is the content security policy of p. Style and script never change, so they are allowed
// by hash, which is worth more than a nonce: not even a page with markup of somebody else's in it
// could run anything else. data: is for the icon.
//
// Chromium holds form-action against every redirect that follows a form, and from a service's
// authorization endpoint a sign-in may go on to identity providers that nobody can list here. A form
// for keys and passwords leads to us alone, so there nobody could have it sent anywhere else.
func (p pageHeaders) policy(of page) string { return p.policyWith(p.style, of) }

// policyWith is the policy of a page that has a style of its own.
func (p pageHeaders) policyWith(style string, of page) string {
	var b strings.Builder
	b.WriteString("default-src 'none'; base-uri 'none'; frame-ancestors 'none'; img-src data:; style-src " + style)
	if of.script {
		b.WriteString("; script-src " + p.script)
	}
	if !of.form {
		b.WriteString("; form-action 'none'")
		return b.String()
	}
	b.WriteString("; form-action 'self'")
	if of.stays {
		return b.String()
	}
	b.WriteString(" https:")
	if !p.https {
		b.WriteString(" http:")
	}
	return b.String()
}
