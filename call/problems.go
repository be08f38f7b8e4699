package call

import (
	"fmt"
	"slices"

	"linkgate/provider"
)

// Problems lists every mistake in the calls keys of a connection.
func Problems(c provider.Connection) []provider.Problem {
	if c.Calls.BaseURL == "" && len(c.Calls.Allow) == 0 {
		return nil // no calls wanted
	}
	b, problems := parseBase(c.Calls.BaseURL)
	problems = append(problems, placeholderProblems(b, c)...)
	if len(c.Calls.Allow) == 0 && !presetsOwn(c) {
		problems = append(problems, provider.Problem{
			Key:    "calls.allow",
			Text:   "is missing, so that nothing is allowed below calls.base_url",
			Remedy: `list what may be called: ["GET /user", "POST /repos/*/*/issues"]; or leave base_url out`,
		})
	}
	_, more := parseRules(c.Calls.Allow)
	return append(problems, more...)
}

// presetsOwn tells that the preset brings the base URL: who uses the preset need not want calls.
func presetsOwn(c provider.Connection) bool {
	preset, ok := provider.Preset(c.Provider)
	return ok && preset.Calls.BaseURL == c.Calls.BaseURL
}

func placeholderProblems(b base, c provider.Connection) []provider.Problem {
	var problems []provider.Problem
	for _, name := range b.placeholders() {
		asked := slices.ContainsFunc(c.Fields, func(f provider.Field) bool { return f.Key == name && !f.Secret })
		_, told := c.Identity.Settings[name]
		isHost := b.host == "{"+name+"}"
		if told && isHost {
			problems = append(problems, provider.Problem{
				Key: "calls.base_url", Text: "lets the service's answer name the host", Remedy: "write at least two labels after the placeholder, or ask the user for the host with a field",
			})
			continue
		}
		if told || asked || name == externalAccountID && !isHost {
			continue
		}
		problems = append(problems, provider.Problem{
			Key:    "calls.base_url",
			Text:   fmt.Sprintf("has the placeholder {%s}, and no account has a value for it", name),
			Remedy: fmt.Sprintf("name in identity.settings.%s where the service tells it, ask for it with a field, or use {%s}", name, externalAccountID),
		})
	}
	return problems
}
