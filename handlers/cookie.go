package handlers

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"strings"
	"time"
)

const (
	browserBytes = 32
	nameDigits   = 16 // of the session's id
)

// cookieLife is longer than a session lives after its ticket page was shown, which is when the
// cookie is set, or set anew: ten minutes there, ten at the service and ten for the host.
const cookieLife = 30 * time.Minute

// cookies give a browser a random value for each session that it opens, to which that session is
// bound. One for each, because two windows that open at the same moment in a browser without a
// cookie would overwrite each other's. With the __Host- prefix no other host, path or plain HTTP
// can set or see it (RFC 6265bis §4.1.3.2); on http, which configuration allows on loopback only,
// the prefix is not to be had.
type cookies struct {
	prefix string
	secure bool
}

func newCookies(publicURL string) cookies {
	if strings.HasPrefix(publicURL, "https:") {
		return cookies{prefix: "__Host-linkgate-", secure: true}
	}
	return cookies{prefix: "linkgate-"}
}

// name is the name of the cookie of a session. Half of the id tells sessions apart well enough.
func (k cookies) name(sessionID string) string { return k.prefix + sessionID[:nameDigits] }

// browser is the value in the browser's cookie for a session. For a browser that has none it is a
// new value: one that no session is bound to, so that "no cookie" can never equal "no cookie".
func (k cookies) browser(r *http.Request, sessionID string) string {
	found := r.CookiesNamed(k.name(sessionID))
	if len(found) == 1 && validBrowser(found[0].Value) {
		return found[0].Value
	}
	raw := make([]byte, browserBytes)
	rand.Read(raw) // never fails
	return base64.RawURLEncoding.EncodeToString(raw)
}

func validBrowser(value string) bool {
	if len(value) != base64.RawURLEncoding.EncodedLen(browserBytes) {
		return false
	}
	_, err := base64.RawURLEncoding.Strict().DecodeString(value)
	return err == nil
}

// set gives the browser its value for a session. Lax, because the way back from the service is a
// navigation from another site.
func (k cookies) set(w http.ResponseWriter, sessionID, value string) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // without Secure on http only, which is loopback
		Name: k.name(sessionID), Value: value, Path: "/", MaxAge: int(cookieLife.Seconds()),
		HttpOnly: true, Secure: k.secure, SameSite: http.SameSiteLaxMode,
	})
}

// markWindow notes that the session has a window of its own, opened by linkgate.js: that window can be
// closed, also when a page on the way has cut it off from its opener, and its owner's page is still there.
func (k cookies) markWindow(w http.ResponseWriter, sessionID string) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // as in set
		Name: k.windowName(sessionID), Value: "1", Path: "/", MaxAge: int(cookieLife.Seconds()),
		HttpOnly: true, Secure: k.secure, SameSite: http.SameSiteLaxMode,
	})
}

// isWindow tells whether markWindow was.
func (k cookies) isWindow(r *http.Request, sessionID string) bool {
	return len(r.CookiesNamed(k.windowName(sessionID))) > 0
}

func (k cookies) windowName(sessionID string) string { return k.name(sessionID) + "-window" }

// formToken is what our own forms carry: only a page made for this browser has it. It reveals
// nothing of the cookie.
func formToken(browser string) string {
	sum := sha256.Sum256([]byte("form token of " + browser))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// fromOurForm refuses a form that another site sent.
//
// Our pages have the referrer policy no-referrer, under which browsers send "Origin: null" with
// forms (Fetch §3.2). Those since 2023 also send Sec-Fetch-Site, which decides. An older one is
// believed when its form carries the token that only our page for this browser has; so it can
// connect, and a hostile page, whose origin may be null as well, can't.
func (s *site) fromOurForm(r *http.Request, browser string) error {
	if s.forms.Check(r) == nil {
		return nil
	}
	h := r.Header
	if h.Get("Sec-Fetch-Site") != "" || h.Get("Origin") != "null" {
		return errOtherSite
	}
	if subtle.ConstantTimeCompare([]byte(r.PostFormValue("form_token")), []byte(formToken(browser))) != 1 {
		return errOtherSite
	}
	return nil
}
