package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"linkgate/apikey"
	"linkgate/secret"
)

// apiKeys reads the keys of the accounts API. No mistake shows any of a key.
func (r *rules) apiKeys() {
	const variable = "API_KEYS"
	c := r.config
	if c.APIRate < 1 || c.APIRate > maxRate {
		r.add("API_RATE", fmt.Sprintf("is not between 1 and %d", maxRate), "Set it to how many requests a second an API key may make, such as 50.")
	}
	for i, text := range c.APIKeyTexts {
		which := ""
		if len(c.APIKeyTexts) > 1 {
			which = fmt.Sprintf("number %d of %d ", i+1, len(c.APIKeyTexts))
		}
		text = secret.New(strings.TrimSpace(text.Reveal()))
		k, err := apikey.ParseStatic(text)
		switch {
		case err != nil:
			problem, remedy := apiKeyMistake(text, err)
			r.add(variable, which+problem, remedy)
		case slices.ContainsFunc(c.APIKeys, k.SameAs):
			r.add(variable, which+"is a key that is there already", "Write each key once, with all its scopes.")
		default:
			c.APIKeys = append(c.APIKeys, k)
		}
	}
}

func apiKeyMistake(text secret.Text, err error) (problem, remedy string) {
	switch {
	case text.IsZero():
		return "is empty", "Remove the comma too many: keys are separated by one comma each."
	case errors.Is(err, apikey.ErrMalformed):
		return "is not a whole key: it begins with lg_, and a character is missing or wrong", "Copy the whole key, or make another with `linkgate apikeys new`."
	case errors.Is(err, apikey.ErrScope):
		return `has something after "=" that is no scope`, "Write key=scope+scope with scopes of: " + apikey.Words(apikey.AllScopes(), ", ") + "."
	}
	return "is a key that is " + err.Error(), "Make one with: openssl rand -hex 32."
}
