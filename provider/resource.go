package provider

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// nameResources says what the access token is for (RFC 8707 §2), each in a parameter of its own.
func (c Connection) nameResources(form url.Values) {
	if len(c.Resource) > 0 {
		form["resource"] = slices.Clone(c.Resource)
	}
}

func (c Connection) resourceProblems() []Problem {
	var problems []Problem
	for i, resource := range c.Resource {
		if !isResource(resource) {
			problems = append(problems, Problem{"resource." + strconv.Itoa(i), "is not an absolute URI without fragment", "write what the service's documentation calls its resource or audience, such as https://api.example.com/"})
		}
	}
	params := func(key string, params map[string]string) {
		if _, beside := params["resource"]; beside && len(c.Resource) > 0 {
			problems = append(problems, Problem{key + ".resource", "is set beside resource", "leave it out"})
		}
	}
	params("authorize_params", c.AuthorizeParams)
	params("token_params", c.TokenParams)
	return problems
}

// isResource tells an absolute URI without fragment (RFC 8707 §2).
func isResource(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.IsAbs() && u.User == nil && (u.Host != "" || u.Opaque != "") && !strings.Contains(s, "#") && isToken(s)
}
