package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"linkgate/apikey"
)

func TestAPIKeys(t *testing.T) {
	first, second := strings.Repeat("1", 32), strings.Repeat("2", 43)+"="
	for name, src := range map[string]Source{
		"variable": source(map[string]string{"API_KEYS": first + "=accounts:read+tokens:read, " + second}, nil),
		"file":     source(map[string]string{"API_KEYS_FILE": "keys"}, map[string]string{"keys": first + "=accounts:read+tokens:read," + second + "\n"}),
	} {
		c, err := Load(src)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var got [][]apikey.Scope
		for _, k := range c.APIKeys {
			got = append(got, k.Scopes)
		}
		if diff := cmp.Diff([][]apikey.Scope{{apikey.AccountsRead, apikey.TokensRead}, apikey.AllScopes()}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestAPIKeyMistakes(t *testing.T) {
	good := strings.Repeat("g", 32)
	for _, tt := range []struct {
		name, keys, rate, want string
	}{
		{"short", "hunter2", "", "API_KEYS is a key that is shorter than 32 characters"},
		{"second short", good + ",hunter2", "", "API_KEYS number 2 of 2 is a key that is shorter than 32 characters"},
		{"a comma too many", good + ",", "", "API_KEYS number 2 of 2 is empty"},
		{"a space", good + " hunter2", "", "API_KEYS is a key that is not free of spaces, control characters and characters beyond ASCII"},
		{"cut off", "lg_" + good + "hunter2", "", "API_KEYS is not a whole key: it begins with lg_, and a character is missing or wrong"},
		{"no scope", good + "=hunter2", "", `API_KEYS has something after "=" that is no scope`},
		{"twice", good + "," + good + "=accounts:read", "", "API_KEYS number 2 of 2 is a key that is there already"},
		{"rate", "", "0", "API_RATE is not between 1 and 100000"},
		{"rate without number", "", "fast", "API_RATE is not a whole number"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			env := map[string]string{"API_KEYS": tt.keys}
			if tt.rate != "" {
				env["API_RATE"] = tt.rate
			}
			got := mistakesOf(t, source(env, nil))
			if diff := cmp.Diff([]string{tt.want}, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			_, err := Load(source(env, nil))
			if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), good) {
				t.Errorf("the mistake shows the key: %v", err)
			}
		})
	}
}
