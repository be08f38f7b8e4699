package call

import "linkgate/provider"

// Problems lists every mistake in the calls keys of a connection.
func Problems(c provider.Connection) []provider.Problem {
	if c.Calls.BaseURL == "" && len(c.Calls.Allow) == 0 && len(c.Calls.Headers) == 0 {
		return nil // no calls wanted
	}
	b, problems := parseBase(c.Calls.BaseURL)
	problems = append(problems, placeholderProblems(b, c)...)
	problems = append(problems, headerProblems(c)...)
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
		isHost := b.host == "{"+name+"}"
		if told(c, name) && isHost {
			problems = append(problems, provider.Problem{
				Key: "calls.base_url", Text: "lets the service's answer name the host", Remedy: "write at least two labels after the placeholder, or ask the user for the host with a field",
			})
			continue
		}
		if told(c, name) || asked(c, name) || name == externalAccountID && !isHost {
			continue
		}
		m := unknownPlaceholder(name)
		problems = append(problems, provider.Problem{Key: "calls.base_url", Text: m.text, Remedy: m.remedy})
	}
	return problems
}
