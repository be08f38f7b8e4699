package provider

import (
	"slices"
	"strings"
)

// apiKeyProblems: one secret, and an address that tells whether it is right.
func apiKeyProblems(c Connection) []Problem {
	secrets := 0
	for _, f := range c.Fields {
		if f.Secret {
			secrets++
		}
	}
	var problems []Problem
	switch {
	case len(c.Fields) == 0:
		problems = append(problems, Problem{"fields", "is missing", "ask for the key: a field with key, label and secret: true"})
	case secrets != 1:
		problems = append(problems, Problem{"fields", "must have one secret, which is the key", "set secret: true for the key alone; for a user name and a password use provider: basic"})
	}
	problems = append(problems, unused("credential.username", c.Credential.Username, "use provider: basic for it")...)
	problems = append(problems, unused("credential.password", c.Credential.Password, "use provider: basic for it")...)
	return append(problems, c.keyProblems()...)
}

// basicProblems: templates for both parts, made of the fields.
func basicProblems(c Connection) []Problem {
	var problems []Problem
	if len(c.Fields) == 0 {
		problems = append(problems, Problem{"fields", "is missing", "ask for what Basic is made of, such as an e-mail address and an API token"})
	}
	if c.Credential.Username == "" && c.Credential.Password == "" {
		problems = append(problems, Problem{"credential.username", "is missing", `write what is sent as user name and password, such as username: "{email}/token" and password: "{api_token}"`})
	}
	problems = append(problems, c.expandProblems("credential.username", c.Credential.Username)...)
	problems = append(problems, c.expandProblems("credential.password", c.Credential.Password)...)
	problems = append(problems, unused("credential.prefix", c.Credential.Prefix, "leave it out: it is Basic")...)
	problems = append(problems, unused("credential.query", c.Credential.Query, "leave it out: Basic goes into a header")...)
	return append(problems, c.keyProblems()...)
}

// keyProblems are those that both have.
func (c Connection) keyProblems() []Problem {
	var problems []Problem
	switch {
	case c.Identity.URL == "" && c.Verify.URL == "":
		problems = append(problems, Problem{"verify.url", "is missing", "name an address that answers 200 to the right credential; identity.url, if the service has one, says whose it is as well"})
	case c.Identity.URL != "":
		problems = append(problems, c.templateProblem("identity.url", c.Identity.URL, required)...)
		if c.Identity.ID == "" {
			problems = append(problems, Problem{"identity.id", "is missing", "name where the answer of identity.url has the account's stable id"})
		}
		problems = append(problems, pathProblem("identity.id", c.Identity.ID)...)
	default:
		problems = append(problems, c.templateProblem("verify.url", c.Verify.URL, required)...)
		problems = append(problems, c.subjectProblems()...)
	}
	return append(problems, c.clientlessProblems()...)
}

// subjectProblems: without identity.url the id can be what the user typed.
func (c Connection) subjectProblems() []Problem {
	id := c.Identity.ID
	if id == "" {
		return nil
	}
	if !strings.Contains(id, "{") {
		return []Problem{{"identity.id", "is a path, and there is no identity.url that it leads into", "set identity.url, or write {key} with the key of a field that says whose the account is"}}
	}
	for _, f := range c.Fields {
		if f.Secret && strings.Contains(id, "{"+f.Key+"}") {
			return []Problem{{"identity.id", "is a secret", "use a field that is none, or leave it out"}}
		}
	}
	return c.expandProblems("identity.id", id)
}

// expandProblems holds a template of fields to the fields there are.
func (c Connection) expandProblems(key, template string) []Problem {
	for _, found := range placeholderForm.FindAllStringSubmatch(template, -1) {
		if !slices.ContainsFunc(c.Fields, func(f Field) bool { return f.Key == found[1] }) {
			return []Problem{{key, "has a placeholder, " + shown("{"+found[1]+"}") + ", and no field has that key", "use the key of a field"}}
		}
	}
	return nil
}

// clientlessProblems: where no client is registered, nothing of one means anything.
func (c Connection) clientlessProblems() []Problem {
	const remedy = "leave it out: there is no client registered at this service"
	var clientSecret string
	if !c.ClientSecret.IsZero() {
		clientSecret = "set"
	}
	return slices.Concat(
		unused("client_id", c.ClientID, remedy), unused("client_secret", clientSecret, remedy), unused("auth_style", c.AuthStyle, remedy),
		unused("authorize_url", c.AuthorizeURL, remedy), unused("token_url", c.TokenURL, remedy), unused("revoke_url", c.RevokeURL, remedy),
		unused("device_url", c.DeviceURL, remedy),
	)
}
