package config

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// appSecret is 24 bytes.
const appSecret = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"

func TestAppMistakes(t *testing.T) {
	tests := []struct {
		name string
		env  map[string]string
		want []string
	}{
		{name: "http", env: map[string]string{"APP_URL": "http://app.example.com", "APP_SECRET": appSecret}},
		{name: "https with a path", env: map[string]string{"APP_URL": "https://example.com/app", "APP_SECRET": "whsec_" + appSecret}},
		{name: "secret of openssl's", env: map[string]string{"APP_URL": "http://localhost:3000", "APP_SECRET": "ofn6TLGkIdFGRpUL3XrncCP+EEUPuVXA2Mv5Eqds/ZM="}},
		{name: "secret without an app", env: map[string]string{"APP_SECRET": "x"}},
		{name: "no scheme", env: map[string]string{"APP_URL": "localhost:3000", "APP_SECRET": appSecret}, want: []string{"APP_URL does not begin with https://"}},
		{name: "other scheme", env: map[string]string{"APP_URL": "unix:///run/app", "APP_SECRET": appSecret}, want: []string{"APP_URL does not begin with https://"}},
		{name: "no host", env: map[string]string{"APP_URL": "http://:3000", "APP_SECRET": appSecret}, want: []string{"APP_URL has no host"}},
		{name: "query", env: map[string]string{"APP_URL": "http://app/?hunter2", "APP_SECRET": appSecret}, want: []string{"APP_URL has a query or fragment (? or #) in it"}},
		{name: "fragment", env: map[string]string{"APP_URL": "http://app/#", "APP_SECRET": appSecret}, want: []string{"APP_URL has a query or fragment (? or #) in it"}},
		{name: "user", env: map[string]string{"APP_URL": "http://u:hunter2@app", "APP_SECRET": appSecret}, want: []string{"APP_URL has a user name or password in it"}},
		{name: "garbage", env: map[string]string{"APP_URL": "http://%zz", "APP_SECRET": appSecret}, want: []string{"APP_URL is not an address"}},
		{name: "no secret", env: map[string]string{"APP_URL": "http://app"}, want: []string{"APP_SECRET is not set, though APP_URL is"}},
		{name: "secret blank", env: map[string]string{"APP_URL": "http://app", "APP_SECRET": " "}, want: []string{"APP_SECRET is not set, though APP_URL is"}},
		{name: "secret a prefix", env: map[string]string{"APP_URL": "http://app", "APP_SECRET": "whsec_"}, want: []string{"APP_SECRET has 0 bytes, less than 24"}},
		{name: "secret short", env: map[string]string{"APP_URL": "http://app", "APP_SECRET": "AAECAwQFBgcICQoLDA0ODxAREhMUFRY="}, want: []string{"APP_SECRET has 23 bytes, less than 24"}},
		{name: "secret of words", env: map[string]string{"APP_URL": "http://app", "APP_SECRET": "correct horse battery staple correct horse"}, want: []string{"APP_SECRET is not base64"}},
		{name: "secret in hex, too odd", env: map[string]string{"APP_URL": "http://app", "APP_SECRET": appSecret + "=="}, want: []string{"APP_SECRET is not base64"}},
		{name: "secret and its file", env: map[string]string{"APP_URL": "http://app", "APP_SECRET": appSecret, "APP_SECRET_FILE": "f"}, want: []string{"both APP_SECRET and APP_SECRET_FILE are set"}},
		{name: "rate no number", env: map[string]string{"CALL_RATE": "many"}, want: []string{"CALL_RATE is not a whole number"}},
		{name: "rate a fraction", env: map[string]string{"CALL_RATE": "1.5"}, want: []string{"CALL_RATE is not a whole number"}},
		{name: "rate zero", env: map[string]string{"CALL_RATE": "0"}, want: []string{"CALL_RATE is not between 1 and 100000"}},
		{name: "rate too high", env: map[string]string{"CALL_RATE": "100001"}, want: []string{"CALL_RATE is not between 1 and 100000"}},
		{name: "rates at the bounds", env: map[string]string{"CALL_RATE": "100000"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := mistakesOf(t, source(tt.env, nil))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if strings.Contains(strings.Join(got, " "), "hunter2") {
				t.Error("a mistake shows what may be a secret")
			}
		})
	}
}

// TestAppSecretFromFile: as a secret store would give it.
func TestAppSecretFromFile(t *testing.T) {
	got, err := Load(source(map[string]string{"APP_URL": "http://app", "APP_SECRET_FILE": "f"}, map[string]string{"f": appSecret + "\n"}))
	if err != nil || got.AppSecret.Reveal() != appSecret {
		t.Errorf("got %q, %v", got.AppSecret.Reveal(), err)
	}
}

func TestWarnsOfInjection(t *testing.T) {
	const (
		noEffect = "APP_URL is not set, so that app.inject has no effect: 7f3c"
		openWay  = "APP_URL is http to a host that does not look like your own network's, and app.inject sends access tokens there: 7f3c"
	)
	tests := []struct {
		name, app string
		inject    string
		want      []string
	}{
		{"no app, not wanted", "", "false", nil},
		{"no app", "", "true", []string{noEffect}},
		{"https", "https://app.example.com", "true", nil},
		{"http to loopback", "http://127.0.0.1:3000", "true", nil},
		{"http to a container", "http://app:3000", "true", nil},
		{"http to the internet", "http://app.example.com", "true", []string{openWay}},
		{"http to the internet, not wanted", "http://app.example.com", "false", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Load(source(map[string]string{"APP_URL": tt.app, "APP_SECRET": appSecret}, file("app: {inject: "+tt.inject+"}")))
			if err != nil {
				t.Fatal(err)
			}
			var texts []string
			for _, w := range got.Warnings {
				texts = append(texts, w.Text)
				if w.Remedy == "" {
					t.Errorf("no remedy for %q", w.Text)
				}
			}
			if diff := cmp.Diff(tt.want, texts); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestLooksPrivate(t *testing.T) {
	private := []string{
		"localhost", "x.localhost", "127.8.9.1", "[::1]", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.1.1", "[fd00::1]", "[fe80::1]",
		"app", "APP", "app.", "app.default.svc.cluster.local", "app.process.internal", "nas.lan", "nas.home.arpa",
	}
	public := []string{"example.com", "8.8.8.8", "[2606:4700::1111]", "172.32.0.1", "local.example.com", "evil-internal.com", "app.notlocal", "127.0.0.1.example.com"}
	for want, hosts := range map[bool][]string{true: private, false: public} {
		for _, host := range hosts {
			if got := looksPrivate(&url.URL{Host: host + ":3000"}); got != want {
				t.Errorf("%s: got %v, want %v", host, got, want)
			}
		}
	}
}

// TestMisspeltAppVariables: two names begin with what is a mistake before the others.
func TestMisspeltAppVariables(t *testing.T) {
	tests := map[string]string{ // the one that is meant; "": none of ours
		"APP_URI": "APP_URL", "APP_URL_FILE": "APP_URL", "app_url": "APP_URL", "LINKGATE_APP_URL": "APP_URL", "linkgate_app_url": "APP_URL", "BLINK_APP_SECRET": "APP_SECRET", "APP_SECRETS": "APP_SECRET",
		"APP_PUBLIC_URL": "PUBLIC_URL", "BLINK_APP_PUBLIC_URL": "PUBLIC_URL", "LINKGATE_CONNECTIONS_FILE": "CONNECTIONS_FILE", "CALLRATE": "CALL_RATE", "APP_CALL_RATES": "CALL_RATE",
		"APP_ENV": "", "APP_NAME": "", "APP_KEY": "", "APP_PORT": "", "APP_DEBUG": "",
	}
	for name, want := range tests {
		if got, _ := meantVariable(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	got, err := Load(source(map[string]string{"APP_URL": "http://app", "APP_SECRET_FILE": "f"}, map[string]string{"f": appSecret}))
	if err != nil || len(got.Warnings) != 0 {
		t.Errorf("set as they should be: got %v, %v", got.Warnings, err)
	}
}
