package provider

import (
	"maps"
	"slices"
	"strings"
)

// authServerProblems are those of what oauth2 and oidc have in common, beside the client's.
func (c Connection) authServerProblems() []Problem {
	return slices.Concat(
		c.unusedKeyProblem(),
		c.pkceProblems(),
		c.parProblems(),
		c.deviceProblems(),
		c.resourceProblems(),
		c.tellingProblems(),
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

func (c Connection) identityURLProblem() []Problem {
	if c.identifiedByToken() {
		return nil
	}
	return c.templateProblem("identity.url", c.Identity.URL, required)
}

// tellingProblems: what is read from the token answer is kept in the open and shown, and must be none
// of the tokens.
func (c Connection) tellingProblems() []Problem {
	paths := map[string]string{}
	for name, path := range c.Identity.Settings {
		paths["identity.settings."+name] = path
	}
	if c.identifiedByToken() {
		paths["identity.id"], paths["identity.name"] = c.Identity.ID, c.Identity.Name
	}
	var problems []Problem
	for _, key := range slices.Sorted(maps.Keys(paths)) {
		first, _, _ := strings.Cut(paths[key], ".")
		switch first {
		case "access_token", "refresh_token", "id_token":
			problems = append(problems, Problem{key, "leads to a token, which is a secret", "name another value of the answer"})
		}
	}
	return problems
}
