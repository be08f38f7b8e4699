package provider

import (
	"fmt"
	"maps"
	"net/textproto"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
)

// maxMargin keeps a margin shorter than what most access tokens live.
const maxMargin = time.Hour

// tokenProblems are those of what is known of a service's tokens.
func (c Connection) tokenProblems() []Problem {
	problems := slices.Concat(
		durationProblem("lifetime", c.Lifetime, maxLifetime),
		durationProblem("margin", c.Margin, maxMargin),
		durationProblem("keep_alive", c.KeepAlive, maxLifetime),
	)
	switch c.Rotation {
	case "", RotationAlways, RotationNone:
	default:
		problems = append(problems, Problem{"rotation", "is unknown: " + shown(c.Rotation), "use always or none, or leave it out for always"})
	}
	return problems
}

func durationProblem(key string, d, most time.Duration) []Problem {
	switch {
	case d < 0:
		return []Problem{{key, "is negative", "write how long it is, such as 90s or 24h, or leave it out"}}
	case d > most:
		return []Problem{{key, fmt.Sprintf("is longer than %s", hours(most)), "write it with its unit, such as 90s or 24h"}}
	}
	return nil
}

func hours(d time.Duration) string { return strings.TrimSuffix(d.String(), "0m0s") }

// settingName is what URLs can have between { and }.
var settingName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// subjectPlaceholder stands for Identity.Subject in URLs, so no setting can have its name.
const subjectPlaceholder = "external_account_id"

func (c Connection) settingProblems() []Problem {
	const key = "identity.settings"
	var problems []Problem
	for _, name := range slices.Sorted(maps.Keys(c.Identity.Settings)) {
		at, path := key+"."+name, c.Identity.Settings[name]
		switch {
		case name == subjectPlaceholder:
			problems = append(problems, Problem{at, "is the account's id, which is known without", "choose another name"})
		case !settingName.MatchString(name):
			problems = append(problems, Problem{key, shown(name) + " can't be a setting's name", "use small letters, digits and _, beginning with a letter"})
		case path == "":
			problems = append(problems, Problem{at, "leads nowhere", "name where the identity has the value: data.0.shop"})
		default:
			problems = append(problems, pathProblem(at, path)...)
		}
	}
	return problems
}

// paramName is a parameter that needs no escaping and means the same to every server.
var paramName = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)

func (c Connection) credentialProblems() []Problem {
	place := c.Credential
	var problems []Problem
	if place.Header != "" {
		problems = append(problems, headerProblem("credential.header", place.Header)...)
	}
	if place.Query != "" && !paramName.MatchString(place.Query) {
		problems = append(problems, Problem{"credential.query", shown(place.Query) + " can't be a parameter's name", "use letters, digits, _, . and -"})
	}
	if place.Prefix != "" && !isToken(place.Prefix) {
		problems = append(problems, Problem{"credential.prefix", shown(place.Prefix) + " can't stand before a token", "use one word, such as Bearer: a space follows it by itself"})
	}
	if place.Query != "" && place.Header != "" {
		problems = append(problems, Problem{"credential.query", "is set beside credential.header", "keep one of the two: the header, if the service takes it there"})
	}
	if place.Query != "" && place.Prefix != "" {
		problems = append(problems, Problem{"credential.prefix", "is not used in a query", "leave it out"})
	}
	return problems
}

func headerProblem(key, name string) []Problem {
	if !httpguts.ValidHeaderFieldName(name) {
		return []Problem{{key, shown(name) + " can't be a header's name", "use letters, digits and -, such as X-Api-Key"}}
	}
	if IsReservedHeader(name) {
		return []Problem{{key, shown(name) + " means something else", "name the header in which the service wants the credential"}}
	}
	return nil
}

// IsReservedHeader tells headers that make a request what it is, that stay on one connection (RFC
// 9110 §7.6.1), or that are ours and the host's.
func IsReservedHeader(name string) bool {
	name = textproto.CanonicalMIMEHeaderKey(name)
	switch name {
	case "Host", "Cookie", "Connection", "Proxy-Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
		"Proxy-Authenticate", "Proxy-Authorization", "Expect":
		return true
	}
	return slices.ContainsFunc([]string{"Content-", "Linkgate-", "Blink-"}, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}
