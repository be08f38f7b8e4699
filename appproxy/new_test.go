package appproxy

import (
	"strings"
	"testing"

	"linkgate/secret"
)

func TestNew(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*Options)
		want   string // in the error; empty: none
	}{
		{"right", func(*Options) {}, ""},
		{"secret without prefix", func(o *Options) { o.Secret = secret.New(strings.TrimPrefix(aSecret, "whsec_")) }, ""},
		{"inject", func(o *Options) { o.Inject = []string{"7f3c", "a_b", "error"} }, ""},
		{"no URL", func(o *Options) { o.URL = "" }, "http://"},
		{"no host", func(o *Options) { o.URL = "http://:80/" }, "host"},
		{"other scheme", func(o *Options) { o.URL = "ftp://app" }, "http://"},
		{"no scheme", func(o *Options) { o.URL = "app:3000" }, "http://"},
		{"query", func(o *Options) { o.URL = "http://app/?a" }, "more than a host"},
		{"bare question mark", func(o *Options) { o.URL = "http://app/?" }, "more than a host"},
		{"fragment", func(o *Options) { o.URL = "http://app/#a" }, "more than a host"},
		{"password", func(o *Options) { o.URL = "http://u:hush-hush@app/" }, "more than a host"},
		{"unreadable with password", func(o *Options) { o.URL = "http://u:hush-hush@app:port/" }, "can't be read"},
		{"dot segment", func(o *Options) { o.URL = "http://app/a/%2e%2e/b" }, "more than one way"},
		{"no secret", func(o *Options) { o.Secret = secret.Text{} }, "secret"},
		{"prefix alone", func(o *Options) { o.Secret = secret.New("whsec_") }, "secret"},
		{"short secret", func(o *Options) { o.Secret = secret.New("whsec_aHVzaC1odXNo") }, "secret"},
		{"not base64", func(o *Options) { o.Secret = secret.New("hush-hush-hush-hush-hush-hush-hush") }, "secret"},
		{"space in auth id", func(o *Options) { o.Inject = []string{"a b"} }, `"a b"`},
		{"letter in auth id", func(o *Options) { o.Inject = []string{"é"} }, `"é"`},
		{"empty auth id", func(o *Options) { o.Inject = []string{""} }, "auth id"},
		{"twice", func(o *Options) { o.Inject = []string{"a", "a"} }, "apart"},
		{"by case alone", func(o *Options) { o.Inject = []string{"ab", "aB"} }, "apart"},
		{"by underscore alone", func(o *Options) { o.Inject = []string{"a_b", "a-b"} }, "apart"},
		{"another's error", func(o *Options) { o.Inject = []string{"7f3c", "error-7f3c"} }, "apart"},
		{"another's error, first", func(o *Options) { o.Inject = []string{"Error_7f3c", "7f3c"} }, "apart"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := Options{URL: "http://app.example/base", Secret: secret.New(aSecret)}
			tc.change(&o)
			_, err := New(o)
			switch {
			case tc.want == "" && err != nil:
				t.Errorf("got %v, want no error", err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("got %v, want %q in it", err, tc.want)
			case err != nil && (strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), "aHVz")):
				t.Errorf("got the secret in %q", err)
			}
		})
	}
}
