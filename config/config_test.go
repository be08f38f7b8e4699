package config

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"linkgate/secret"
)

const proxySecret = "0123456789abcdef"

// source is an environment that has no mistakes, changed by env ("-" unsets), and files.
func source(env, files map[string]string) Source {
	environ := map[string]string{
		"PUBLIC_URL":        "https://connect.example.com",
		"HOST_API_KEY":      "the-api-key",
		"HOST_PROXY_SECRET": proxySecret,
		"CLIENT_SECRET":     "the-client-secret",
	}
	maps.Copy(environ, env)
	maps.DeleteFunc(environ, func(_, value string) bool { return value == "-" })
	all := map[string]string{"connections.yaml": oneConnection}
	maps.Copy(all, files)
	return Source{Environ: environ, ReadFile: func(name string) ([]byte, error) {
		switch content, ok := all[name]; {
		case !ok:
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		case content == "forbidden":
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
		default:
			return []byte(content), nil
		}
	}}
}

const oneConnection = `connections:
  - auth_id: 7f3c
    provider: github
    client_id: the-client-id
    client_secret: ${CLIENT_SECRET}
`

// mistakesOf loads and returns every mistake in one line each.
func mistakesOf(t *testing.T, src Source) []string {
	t.Helper()
	_, err := Load(src)
	if err == nil {
		return nil
	}
	broken, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("Load: %v (%T), want an *Error", err, err)
	}
	var lines []string
	for _, m := range broken.Mistakes {
		lines = append(lines, m.String())
		if m.Remedy == "" {
			t.Errorf("no remedy for %q", m)
		}
	}
	return lines
}

func TestLoadDefaults(t *testing.T) {
	got, err := Load(source(nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Connections) != 1 {
		t.Fatalf("got %d connections, want 1", len(got.Connections))
	}
	got.Connections = nil
	want := Config{
		Addr:             ":8080",
		PublicURL:        "https://connect.example.com",
		OperatorAddr:     ":9090",
		ConnectionsFile:  "connections.yaml",
		HostAPIURL:       "https://api.joinblink.com",
		HostAPIKey:       secret.New("the-api-key"),
		HostProxySecrets: []secret.Text{secret.New(proxySecret)},
		DataDir:          "./data",
		CallRate:         50,
		APIRate:          50,
		LogFormat:        "text",
		ShutdownTimeout:  25 * time.Second,
	}
	if diff := cmp.Diff(want, got, compareSecrets()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func compareSecrets() cmp.Option {
	return cmp.Comparer(func(a, b secret.Text) bool { return a.Reveal() == b.Reveal() })
}

func TestLoadEverything(t *testing.T) {
	keyset, err := secret.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Load(source(map[string]string{
		"ADDR": "127.0.0.1:1", "OPERATOR_ADDR": "[::1]:2", "PUBLIC_URL": "HTTPS://Connect.Example.com:443/",
		"HOST_API_URL": "http://localhost:3/base/", "HOST_API_KEY": "-", "HOST_API_KEY_FILE": "api-key",
		"HOST_PROXY_SECRET": proxySecret + "1, " + proxySecret + "2", "HOST_SHARE_TOKENS": "true",
		"HOST_ORIGIN": "https://app.example.com:8443", "HOST_FINISH": "true", "SESSION_ORIGINS": "HTTPS://B.example.com:443, http://localhost:3000,https://app.example.com:8443", "REDIS_URL": "rediss://:pw@redis:6379/1",
		"APP_URL": "http://app:3000/base/", "APP_SECRET": "whsec_" + appSecret, "CALL_RATE": "7", "API_RATE": "8",
		"DATA_DIR": "/data", "DATABASE_URL": "postgresql://u:p@sql/linkgate", "ENCRYPTION_KEYSET": keyset.Reveal(),
		"ALLOW_PRIVATE_NETWORKS": "1", "LOG_LEVEL": "debug", "LOG_FORMAT": "json", "SHUTDOWN_TIMEOUT": "1m30s",
	}, map[string]string{"api-key": "from-a-file\r\n"}))
	if err != nil {
		t.Fatal(err)
	}
	got.Connections = nil
	want := Config{
		Addr: "127.0.0.1:1", OperatorAddr: "[::1]:2", PublicURL: "https://connect.example.com", ConnectionsFile: "connections.yaml",
		HostAPIURL: "http://localhost:3/base", HostAPIKey: secret.New("from-a-file"),
		HostProxySecrets: []secret.Text{secret.New(proxySecret + "1"), secret.New(proxySecret + "2")}, HostShareTokens: true,
		HostOrigin: "https://app.example.com:8443", HostFinish: true,
		SessionOrigins: []string{"http://localhost:3000", "https://app.example.com:8443", "https://b.example.com"}, RedisURL: secret.New("rediss://:pw@redis:6379/1"),
		AppURL: "http://app:3000/base", AppSecret: secret.New("whsec_" + appSecret), CallRate: 7, APIRate: 8,
		DataDir: "/data", DatabaseURL: secret.New("postgresql://u:p@sql/linkgate"), EncryptionKeyset: keyset,
		AllowPrivateNetworks: true, LogLevel: slog.LevelDebug, LogFormat: "json", ShutdownTimeout: 90 * time.Second,
	}
	if diff := cmp.Diff(want, got, compareSecrets()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestEnvironmentMistakes(t *testing.T) {
	tests := []struct {
		name  string
		env   map[string]string
		files map[string]string
		want  []string
	}{
		{name: "nothing wrong"},
		{name: "everything missing", env: map[string]string{"PUBLIC_URL": "-", "HOST_API_KEY": "-", "HOST_PROXY_SECRET": "-"},
			want: []string{"PUBLIC_URL is not set", "HOST_API_KEY is not set", "HOST_PROXY_SECRET is not set"}},
		{name: "everything empty", env: map[string]string{"PUBLIC_URL": "", "HOST_API_KEY": "", "HOST_PROXY_SECRET": ""},
			want: []string{"PUBLIC_URL is not set", "HOST_API_KEY is not set", "HOST_PROXY_SECRET is not set"}},
		{name: "blank secrets", env: map[string]string{"HOST_API_KEY": " ", "HOST_PROXY_SECRET": " \t"},
			want: []string{"HOST_API_KEY is not set", "HOST_PROXY_SECRET is not set"}},
		{name: "public url without scheme", env: map[string]string{"PUBLIC_URL": "connect.example.com"}, want: []string{"PUBLIC_URL does not begin with https://"}},
		{name: "public url http", env: map[string]string{"PUBLIC_URL": "http://connect.example.com"}, want: []string{"PUBLIC_URL is http, which is safe on loopback alone"}},
		{name: "public url http on loopback", env: map[string]string{"PUBLIC_URL": "http://127.0.0.1:8080"}},
		{name: "public url http on a name like localhost", env: map[string]string{"PUBLIC_URL": "http://localhost.example.com"}, want: []string{"PUBLIC_URL is http, which is safe on loopback alone"}},
		{name: "public url path", env: map[string]string{"PUBLIC_URL": "https://example.com/app"}, want: []string{"PUBLIC_URL has a path after the host"}},
		{name: "public url query", env: map[string]string{"PUBLIC_URL": "https://example.com?"}, want: []string{"PUBLIC_URL has a query or fragment (? or #) in it"}},
		{name: "public url fragment", env: map[string]string{"PUBLIC_URL": "https://example.com#"}, want: []string{"PUBLIC_URL has a query or fragment (? or #) in it"}},
		{name: "public url user", env: map[string]string{"PUBLIC_URL": "https://a:b@example.com"}, want: []string{"PUBLIC_URL has a user name or password in it"}},
		{name: "public url without host", env: map[string]string{"PUBLIC_URL": "https://:8080"}, want: []string{"PUBLIC_URL has no host"}},
		{name: "public url garbage", env: map[string]string{"PUBLIC_URL": "https://%zz"}, want: []string{"PUBLIC_URL is not an address"}},
		{name: "host api http", env: map[string]string{"HOST_API_URL": "http://api.example.com"}, want: []string{"HOST_API_URL is http, which is safe on loopback alone"}},
		{name: "host api query", env: map[string]string{"HOST_API_URL": "https://api.example.com?key=hunter2"}, want: []string{"HOST_API_URL has a query or fragment (? or #) in it"}},
		{name: "short proxy secret", env: map[string]string{"HOST_PROXY_SECRET": "hunter2"}, want: []string{"HOST_PROXY_SECRET is 7 characters long"}},
		{name: "second proxy secret short", env: map[string]string{"HOST_PROXY_SECRET": proxySecret + ",x"}, want: []string{"HOST_PROXY_SECRET number 2 of 2 is 1 character long"}},
		{name: "comma too many", env: map[string]string{"HOST_PROXY_SECRET": proxySecret + ","}, want: []string{"HOST_PROXY_SECRET number 2 of 2 is empty"}},
		{name: "proxy secret on two lines", env: map[string]string{"HOST_PROXY_SECRET": "0123456789\nabcdef"}, want: []string{"HOST_PROXY_SECRET has a line break or another control character in it"}},
		{name: "api key on two lines", env: map[string]string{"HOST_API_KEY": "a\nb"}, want: []string{"HOST_API_KEY has a line break or another control character in it"}},
		{name: "origin with path", env: map[string]string{"HOST_ORIGIN": "https://app.example.com/"}, want: []string{"HOST_ORIGIN has a path after the host"}},
		{name: "origin wildcard", env: map[string]string{"HOST_ORIGIN": "*"}, want: []string{"HOST_ORIGIN does not begin with https://"}},
		{name: "finish without origin", env: map[string]string{"HOST_FINISH": "true"}, want: []string{"HOST_ORIGIN is not set, though HOST_FINISH is true"}},
		{name: "finish with pages of our own", env: map[string]string{"HOST_FINISH": "true", "SESSION_ORIGINS": "https://app.example.com"}},
		{name: "session origin with path", env: map[string]string{"SESSION_ORIGINS": "https://app.example.com/x"}, want: []string{"SESSION_ORIGINS has a path after the host"}},
		{name: "session origins, wildcard and http", env: map[string]string{"SESSION_ORIGINS": "https://*.example.com,*,http://app.example.com"},
			want: []string{"SESSION_ORIGINS number 1 of 3 is for every host, and must be for one", "SESSION_ORIGINS number 2 of 3 does not begin with https://", "SESSION_ORIGINS number 3 of 3 is http, which is safe on loopback alone"}},
		{name: "not a bool", env: map[string]string{"HOST_SHARE_TOKENS": "ja"}, want: []string{"HOST_SHARE_TOKENS is neither true nor false"}},
		{name: "redis", env: map[string]string{"REDIS_URL": "http://pw@redis"}, want: []string{"REDIS_URL is not the address of a Redis"}},
		{name: "redis socket", env: map[string]string{"REDIS_URL": "unix:///run/redis.sock"}},
		{name: "mysql without keyset", env: map[string]string{"DATABASE_URL": "mysql://u:hunter2@h/d"},
			want: []string{"DATABASE_URL is not the address of a Postgres", "ENCRYPTION_KEYSET is not set, though DATABASE_URL is"}},
		{name: "postgres without host", env: map[string]string{"DATABASE_URL": "postgres:///d", "ENCRYPTION_KEYSET": "hunter2"},
			want: []string{"DATABASE_URL is not the address of a Postgres", "ENCRYPTION_KEYSET is not a keyset"}},
		{name: "log level", env: map[string]string{"LOG_LEVEL": "loud"}, want: []string{"LOG_LEVEL is not a log level"}},
		{name: "log format", env: map[string]string{"LOG_FORMAT": "xml"}, want: []string{"LOG_FORMAT is neither text nor json"}},
		{name: "timeout without unit", env: map[string]string{"SHUTDOWN_TIMEOUT": "25"}, want: []string{"SHUTDOWN_TIMEOUT is not a duration"}},
		{name: "timeout negative", env: map[string]string{"SHUTDOWN_TIMEOUT": "-1s"}, want: []string{"SHUTDOWN_TIMEOUT is not between 1s and 10m0s"}},
		{name: "timeout too long", env: map[string]string{"SHUTDOWN_TIMEOUT": "1h"}, want: []string{"SHUTDOWN_TIMEOUT is not between 1s and 10m0s"}},
		{name: "address without port", env: map[string]string{"ADDR": "localhost"}, want: []string{"ADDR is not an address to listen on"}},
		{name: "port out of range", env: map[string]string{"OPERATOR_ADDR": ":65536"}, want: []string{"OPERATOR_ADDR is not an address to listen on"}},
		{name: "one address for both", env: map[string]string{"ADDR": ":9090"}, want: []string{"OPERATOR_ADDR is the same address as ADDR"}},
		{name: "both value and file", env: map[string]string{"HOST_API_KEY_FILE": "f"}, want: []string{"both HOST_API_KEY and HOST_API_KEY_FILE are set"}},
		{name: "missing file", env: map[string]string{"HOST_API_KEY": "-", "HOST_API_KEY_FILE": "f"}, want: []string{"there is no file f"}},
		{name: "forbidden file", env: map[string]string{"HOST_API_KEY": "", "HOST_API_KEY_FILE": "f"},
			files: map[string]string{"f": "forbidden"}, want: []string{"Linkgate is not allowed to read the file f"}},
		{name: "missing connections file", env: map[string]string{"CONNECTIONS_FILE": "other.yaml"}, want: []string{"other.yaml: there is no such file"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, mistakesOf(t, source(tt.env, tt.files))); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestWarnings(t *testing.T) {
	got, err := Load(source(map[string]string{
		"HOST_PROXY_SECRETS": "hunter2", "LINKGATE_PUBLIC_URL": "x", "PUBLIC_URL_FILE": "x", "public_url": "x", "DATABSE_URL": "x",
		"HOSTNAME": "x", "HOME": "/root", "PATH": "/bin", "REDIS_URL_FILE": "", "CLIENT_SECRET_FILE": "", "LOGNAME": "me", "HOST": "x", "ADDRESS": "x",
		"HOST_API_KEY": "replace-me-with-the-api-key", "UNUSED": "replace-me",
	}, nil))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"DATABSE_URL is no variable of Linkgate's and has no effect: Did you mean DATABASE_URL?",
		"HOST_PROXY_SECRETS is no variable of Linkgate's and has no effect: Did you mean HOST_PROXY_SECRET?",
		"LINKGATE_PUBLIC_URL is no variable of Linkgate's and has no effect: Did you mean PUBLIC_URL?",
		"PUBLIC_URL_FILE has no effect: only secrets are read from files: Set PUBLIC_URL itself.",
		"public_url is no variable of Linkgate's and has no effect: Did you mean PUBLIC_URL?",
		"HOST_API_KEY still has the value of .env.example: Replace it by your own: everybody knows that one.",
	}
	var lines []string
	for _, w := range got.Warnings {
		lines = append(lines, w.Text+": "+w.Remedy)
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestWarnsOfHalfSharedStores(t *testing.T) {
	keyset, err := secret.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	for redis, want := range map[string]int{"": 1, "redis://127.0.0.1:6379": 0} {
		got, err := Load(source(map[string]string{
			"DATABASE_URL": "postgres://127.0.0.1/linkgate", "ENCRYPTION_KEYSET": keyset.Reveal(), "REDIS_URL": redis,
		}, nil))
		if err != nil || len(got.Warnings) != want {
			t.Errorf("REDIS_URL %q: got %v, %v; want %d warnings", redis, got.Warnings, err, want)
		}
	}
}

func TestErrorNamesEveryMistake(t *testing.T) {
	_, err := Load(source(map[string]string{"PUBLIC_URL": "-"}, map[string]string{"connections.yaml": "x: 1"}))
	want := "the configuration has 3 mistakes\n" +
		"PUBLIC_URL is not set\n" +
		"connections.yaml:1:1: unknown key x\n" +
		"connections.yaml:1:1: there are no connections"
	if fmt.Sprint(err) != want {
		t.Errorf("got  %q\nwant %q", err, want)
	}
}

func TestRedirectURI(t *testing.T) {
	c := Config{PublicURL: "https://connect.example.com"}
	if got, want := c.RedirectURI("7f3c"), "https://connect.example.com/callback/7f3c"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	c, err := Load(source(nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	printed := fmt.Sprintf("%v %+v %#v", c, c, c)
	for _, s := range []string{"the-api-key", proxySecret, "the-client-secret"} {
		if strings.Contains(printed, s) {
			t.Errorf("%s is in %s", s, printed)
		}
	}
}

func TestDistance(t *testing.T) {
	tests := []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"name", "name", 0}, {"", "abc", 3}, {"name", "nme", 1}, {"name", "names", 1},
		{"name", "nane", 1}, {"anme", "name", 1}, {"client", "cleint", 1}, {"kitten", "sitting", 3}, {"ca", "abc", 3},
	}
	for _, tt := range tests {
		if got := distance(tt.a, tt.b); got != tt.want {
			t.Errorf("distance(%q, %q): got %d, want %d", tt.a, tt.b, got, tt.want)
		}
		if got := distance(tt.b, tt.a); got != tt.want {
			t.Errorf("distance(%q, %q): got %d, want %d", tt.b, tt.a, got, tt.want)
		}
	}
}
