package provider

import "strings"

// Redirects tells that users sign in at the service's own pages, so that a redirect URI must be
// registered there.
func (c Connection) Redirects() bool {
	p, ok := protocolNamed(c.protocol())
	return ok && !p.clientless
}

// ServiceURL is an address that must answer if the service does; empty: each customer has another.
func (c Connection) ServiceURL() string {
	for _, address := range []string{c.TokenURL, c.AccessTokenURL, c.Login.URL, c.Identity.URL, c.Verify.URL} {
		if address != "" && !strings.Contains(hostPart(address), "{") {
			return address
		}
	}
	return ""
}
