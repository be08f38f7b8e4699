package handlers

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"strings"
)

const browserBytes = 32

// cookies give each browser a random value that its sessions are bound to. With the __Host- prefix
// no other host, path or plain HTTP can set or see it (RFC 6265bis §4.1.3.2); on http, which
// configuration allows on loopback only, the prefix is not to be had.
type cookies struct {
	name   string
	secure bool
}

func newCookies(publicURL string) cookies {
	if strings.HasPrefix(publicURL, "https:") {
		return cookies{name: "__Host-linkgate", secure: true}
	}
	return cookies{name: "linkgate"}
}

// browser is the value in the browser's cookie. For one that has none it is a new value: one that
// no session is bound to, so that "no cookie" can never equal "no cookie"; known tells them apart.
func (k cookies) browser(r *http.Request) (value string, known bool) {
	found := r.CookiesNamed(k.name)
	if len(found) == 1 && validBrowser(found[0].Value) {
		return found[0].Value, true
	}
	raw := make([]byte, browserBytes)
	rand.Read(raw) // never fails
	return base64.RawURLEncoding.EncodeToString(raw), false
}

func validBrowser(value string) bool {
	if len(value) != base64.RawURLEncoding.EncodedLen(browserBytes) {
		return false
	}
	_, err := base64.RawURLEncoding.Strict().DecodeString(value)
	return err == nil
}

// set gives the browser its value. Lax, because the way back from the service is a navigation from
// another site; without expiry, because it serves sessions that last minutes.
func (k cookies) set(w http.ResponseWriter, value string) {
	http.SetCookie(w, &http.Cookie{
		Name: k.name, Value: value, Path: "/",
		HttpOnly: true, Secure: k.secure, SameSite: http.SameSiteLaxMode,
	})
}

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
