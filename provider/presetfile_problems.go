package provider

import (
	"slices"
	"strconv"
	"strings"

	"linkgate/secret"
)

// problems are those of the whole file, whose top-level keys are present.
func (p PresetFile) problems(present []string) []Problem {
	problems := slices.Concat(p.namingProblems(), p.strayProblems(present), p.setupProblems(), p.sourceProblems(present))
	c := p.Connection
	if _, ok := protocolNamed(c.Protocol); !ok {
		return append(problems, Problem{"protocol", "unknown protocol " + shown(c.Protocol), "use one of " + strings.Join(Protocols(), ", ")})
	}
	if c.hasClient() {
		c.ClientID = "client" // a stand-in for what the connection brings
		if c.AuthStyle != AuthNone {
			c.ClientSecret = secret.New("secret")
		}
		if c.AuthStyle == "" && c.Protocol != oauth1Name {
			problems = append(problems, Problem{"auth_style", "is missing", "say how the service wants client id and secret: basic, post or none"})
		}
	}
	return append(problems, c.Problems()...)
}

func (p PresetFile) namingProblems() []Problem {
	var problems []Problem
	if p.Connection.Name == "" {
		problems = append(problems, Problem{"name", "is missing", "write the service's name as its company does"})
	}
	last := p.Connection.Identity.ID[strings.LastIndex(p.Connection.Identity.ID, ".")+1:]
	if slices.Contains([]string{"email", "mail", "login", "username"}, strings.ToLower(last)) && p.Connection.Protocol != "password" {
		problems = append(problems, Problem{"identity.id", "may change, and be given to somebody else", "name an id that never changes; an address or a login name can be identity.name"})
	}
	return problems
}

// strayProblems are keys whose values only an operator can know.
func (p PresetFile) strayProblems(present []string) []Problem {
	var problems []Problem
	for _, key := range []string{"auth_id", "provider", "client_id", "client_secret", "signing_key", "removal_secret", "app"} {
		if slices.Contains(present, key) {
			problems = append(problems, Problem{key, "is for connections alone", "leave it out"})
		}
	}
	if len(p.Connection.Calls.Allow) > 0 {
		problems = append(problems, Problem{"calls.allow", "is for connections alone", "leave it out: what may be called the operator says"})
	}
	return problems
}

func (p PresetFile) setupProblems() []Problem {
	problems := pageProblem("setup.console", p.Setup.Console, optional)
	if !p.Connection.Redirects() {
		return problems
	}
	if !slices.ContainsFunc(p.Setup.Steps, func(step string) bool { return strings.Contains(step, RedirectURIPlaceholder) }) {
		problems = append(problems, Problem{"setup.steps", "have no " + RedirectURIPlaceholder, "say where in the service's console it is to be pasted"})
	}
	for i, step := range p.Setup.Steps {
		if strings.ContainsAny(strings.ReplaceAll(step, RedirectURIPlaceholder, ""), "{}") {
			problems = append(problems, Problem{"setup.steps." + strconv.Itoa(i), "has a placeholder that nobody fills in", "only " + RedirectURIPlaceholder + " is known here"})
		}
	}
	return problems
}

// pageProblem is that of an address for people to open, where a fragment is welcome.
func pageProblem(key, address string, n need) []Problem {
	page, _, _ := strings.Cut(address, "#")
	if page != "" && !isHTTPS(page) {
		return []Problem{{key, "is not https", "give the address that everybody can open"}}
	}
	return urlProblem(key, page, n)
}

// needNoSource are the keys that are no facts of the service's documentation.
func needNoSource() []string { return []string{"name", "protocol", "sources"} }

func (p PresetFile) sourceProblems(present []string) []Problem {
	var problems []Problem
	for i, s := range p.Sources {
		at := "sources." + strconv.Itoa(i)
		if !s.Unverified || s.URL != "" {
			problems = append(problems, pageProblem(at+".url", s.URL, required)...)
		}
		if len(s.For) == 0 {
			problems = append(problems, Problem{at + ".for", "is missing", "list the keys whose values come from there"})
		}
		for _, key := range s.For {
			if !slices.Contains(present, key) {
				problems = append(problems, Problem{at + ".for", "names " + shown(key) + ", which the preset has not", "name top-level keys of this file"})
			}
		}
	}
	for _, key := range present {
		if slices.Contains(needNoSource(), key) || p.hasSource(key) {
			continue
		}
		problems = append(problems, Problem{key, "has no source", "name it in the `for` of the page it comes from, or of an entry with `unverified: true`"})
	}
	return problems
}

func (p PresetFile) hasSource(key string) bool {
	return slices.ContainsFunc(p.Sources, func(s Source) bool { return slices.Contains(s.For, key) })
}
