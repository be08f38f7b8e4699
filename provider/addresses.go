package provider

import "strings"

// Redirects tells that users sign in at the service's own pages, so that a redirect URI must be
// registered there.
func (c Connection) Redirects() bool {
	p, ok := protocolNamed(c.protocol())
	return ok && !p.clientless && !p.shared
}

// IsShared tells whether the account is the client's own: whoever connects acts with the same access.
func (c Connection) IsShared() bool {
	p, ok := protocolNamed(c.protocol())
	return ok && p.shared
}

// CanRefresh tells whether a credential can be traded for a new one, where there is a Refresher: it
// has a refresh token, or needs none.
func (c Connection) CanRefresh(credential Credential) bool {
	return !credential.RefreshToken.IsZero() || c.IsShared()
}

// Rotates tells whether a refresh may use a refresh token up.
func (c Connection) Rotates() bool { return c.Rotation != RotationNone && !c.IsShared() }

// hasClient tells whether a client of ours is registered at the service.
func (c Connection) hasClient() bool {
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
