package provider

import "slices"

// authServerProblems are those of what oauth2 and oidc have in common, beside the client's.
func (c Connection) authServerProblems() []Problem {
	return slices.Concat(
		c.pkceProblems(),
	)
}

func (c Connection) pkceProblems() []Problem {
	switch c.PKCE {
	case "", PKCES256:
		return nil
	case PKCENone:
		if c.AuthStyle == AuthNone {
			return []Problem{{"pkce", "is none, and auth_style is none: whoever sees a code could use it", "register the client with a secret, or leave pkce out"}}
		}
		return nil
	}
	return []Problem{{"pkce", "is unknown: " + shown(c.PKCE), "use S256, or none for a service that fails on it; leave it out for S256"}}
}
