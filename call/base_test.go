package call

import (
	"errors"
	"strings"
	"testing"

	"linkgate/linkedaccount"
	"linkgate/provider"
)

// account has an id at the service and some settings.
func account(subject string, settings map[string]string) *linkedaccount.Account {
	return &linkedaccount.Account{Identity: provider.Identity{Subject: subject, Settings: settings}}
}

func TestTarget(t *testing.T) {
	acme := map[string]string{"sub": "acme", "Region": "EU-1", "tenant": "T.1_x~y-z"}
	tests := []struct{ base, path, query, want string }{
		{"https://api.example.com", "/user", "", "https://api.example.com/user"},
		{"https://api.example.com/", "/user", "", "https://api.example.com/user"},
		{"https://api.example.com", "/", "", "https://api.example.com/"},
		{"https://api.example.com/v1", "/", "", "https://api.example.com/v1/"},
		{"https://api.example.com/v1/", "/user/", "", "https://api.example.com/v1/user/"},
		{"HTTPS://API.Example.com/V1", "/User", "", "https://api.example.com/V1/User"},
		{"https://api.example.com:8443/v1", "/user", "a=1&b=%20&c", "https://api.example.com:8443/v1/user?a=1&b=%20&c"},
		{"http://localhost:8080", "/user", "", "http://localhost:8080/user"},
		{"http://127.0.0.1:1/x", "/user", "", "http://127.0.0.1:1/x/user"},
		{"http://[::1]:8080", "/user", "", "http://[::1]:8080/user"},
		{"https://10.1.2.3", "/user", "", "https://10.1.2.3/user"},
		{"https://[2001:db8::1]", "/user", "", "https://[2001:db8::1]/user"},
		{"https://localhost", "/user", "", "https://localhost/user"},
		{"https://api.example.com/a%20b", "/c%2Fd", "", "https://api.example.com/a%20b/c%2Fd"},
		{"https://api.example.com", "/a;b%5Cc/%e4%bd%a0", "", "https://api.example.com/a;b%5Cc/%e4%bd%a0"},
		{"https://api.example.com", "/@evil.example", "@evil.example", "https://api.example.com/@evil.example?@evil.example"},
		{"https://{sub}.example.com", "/user", "", "https://acme.example.com/user"},
		{"https://{sub}.example.com:444/v1", "/user", "", "https://acme.example.com:444/v1/user"},
		{"https://api.{Region}.example.com", "/user", "", "https://api.eu-1.example.com/user"},
		{"https://{sub}.{Region}.example.com", "/user", "", "https://acme.eu-1.example.com/user"},
		{"https://api.example.com/{tenant}/v1", "/user", "", "https://api.example.com/T.1_x~y-z/v1/user"},
		{"https://api.example.com/{external_account_id}", "/user", "", "https://api.example.com/4711/user"},
		{"https://{sub}.example.com/{sub}/{external_account_id}", "/", "", "https://acme.example.com/acme/4711/"},
	}
	for _, test := range tests {
		b, problems := parseBase(test.base)
		p, err := readPath(test.path)
		if len(problems) > 0 || err != nil {
			t.Errorf("%s %s: %v, %v", test.base, test.path, problems, err)
			continue
		}
		u, err := b.target(p, test.query, account("4711", acme))
		if err != nil || u.String() != test.want {
			t.Errorf("%s %s: want %s, got %v, %v", test.base, test.path, test.want, u, err)
		}
	}
}

// TestTargetValues: a value that is no label or segment leads nowhere, and is not repeated.
func TestTargetValues(t *testing.T) {
	long := strings.Repeat("a", 63)
	tests := []struct {
		value             string
		inHost, inSegment bool
	}{
		{"acme", true, true}, {"A1", true, true}, {"7", true, true}, {"a-b", true, true}, {"xn--bcher-kva", true, true},
		{long, true, true}, {long + "a", false, false},
		{"a.b", false, true}, {"a_b", false, true}, {"a~b", false, true}, {"a-", false, true}, {"a.", false, true},
		{"", false, false}, {"-a", false, false}, {".a", false, false}, {"_a", false, false}, {"~a", false, false},
		{"..", false, false}, {".", false, false}, {"a..b", false, false}, {"a..", false, false}, {"...", false, false},
		{"a/b", false, false}, {"a/../b", false, false}, {"../x", false, false}, {`a\b`, false, false}, {"/a", false, false}, {"a/", false, false},
		{"evil.example/", false, false}, {"evil.example#", false, false}, {"evil.example?", false, false}, {"evil@x", false, false},
		{"a:b", false, false}, {"a:80", false, false}, {"a@b", false, false}, {"a;b", false, false}, {"a?b", false, false}, {"a#b", false, false},
		{"a%2Fb", false, false}, {"a%00", false, false}, {"a%", false, false}, {"a b", false, false}, {" a", false, false}, {"a ", false, false},
		{"a\x00", false, false}, {"a\n", false, false}, {"a\r\nHost: evil.example", false, false}, {"a\t", false, false},
		{"ä", false, false}, {"ａ", false, false}, {"a\u200d", false, false}, {"[::1]", false, false}, {"{sub}", false, false}, {"*", false, false},
	}
	p, err := readPath("/user")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range tests {
		for template, want := range map[string]bool{
			"https://{sub}.example.com":                   test.inHost,
			"https://api.example.com/{sub}":               test.inSegment,
			"https://{external_account_id}.example.com":   test.inHost,
			"https://api.x.example/{external_account_id}": test.inSegment,
		} {
			b, problems := parseBase(template)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			u, err := b.target(p, "", account(test.value, map[string]string{"sub": test.value}))
			if want {
				if err != nil || !strings.Contains(u.String(), strings.ToLower(test.value)) && !strings.Contains(u.String(), test.value) {
					t.Errorf("%s with %q: %v, %v", template, test.value, u, err)
				}
				continue
			}
			var unfit *TargetError
			if !errors.Is(err, ErrNoTarget) || !errors.As(err, &unfit) || unfit.Missing != (test.value == "") {
				t.Errorf("%s with %q: want ErrNoTarget, got %v, %v", template, test.value, u, err)
			} else if len(test.value) > 3 && strings.Contains(err.Error(), test.value) && test.value != "{sub}" {
				t.Errorf("%s with %q: the error repeats the value: %v", template, test.value, err)
			}
		}
	}
}

// TestTargetMissing: an account may have no settings at all, and a setting of the id's name counts for nothing.
func TestTargetMissing(t *testing.T) {
	b, _ := parseBase("https://api.example.com/{external_account_id}")
	_, err := b.target(path{escaped: "/"}, "", account("", map[string]string{"external_account_id": "forged"}))
	if !errors.Is(err, ErrNoTarget) || !strings.Contains(err.Error(), "{external_account_id} is missing") {
		t.Errorf("no subject: got %v", err)
	}
	b, _ = parseBase("https://{sub}.example.com")
	_, err = b.target(path{escaped: "/"}, "", account("4711", nil))
	if !errors.Is(err, ErrNoTarget) || !strings.Contains(err.Error(), "{sub} is missing") {
		t.Errorf("no settings: got %v", err)
	}
	_, err = b.target(path{escaped: "/"}, "", account("4711", map[string]string{"sub": "a.b"}))
	if !errors.Is(err, ErrNoTarget) || !strings.Contains(err.Error(), "{sub} does not fit") {
		t.Errorf("unfit: got %v", err)
	}
}

// TestTargetQuery: a query can't end itself or the request line.
func TestTargetQuery(t *testing.T) {
	b, _ := parseBase("https://api.example.com")
	for query, good := range map[string]bool{
		"": true, "a=b": true, "a=%20%00&&;=?/?:@é\xff": true,
		"a b": false, "a#b": false, "a\r\nX: y": false, "\x00": false, "a\tb": false, "\x7f": false,
	} {
		u, err := b.target(path{escaped: "/"}, query, &linkedaccount.Account{})
		if good && (err != nil || u.RawQuery != query) || !good && !errors.Is(err, ErrBadPath) {
			t.Errorf("%q: got %v, %v", query, u, err)
		}
	}
}

func TestParseBaseMistakes(t *testing.T) {
	tests := []struct{ template, want string }{
		{"", "is missing"},
		{"api.example.com", "is not a URL"},
		{"/v1", "is not a URL"},
		{"//api.example.com", "is not https"},
		{"https:", "is not a URL"},
		{"https:///v1", "is not a URL"},
		{"https:api.example.com", "is not a URL"},
		{"https://", "is not a URL"},
		{"https:// api.example.com", "is not a URL"},
		{" https://api.example.com", "is not a URL"},
		{"https://api.example.com\n", "is not a URL"},
		{"https://api example.com", "is not a URL"},
		{"https://api.example.com:x", "is not a URL"},
		{"https://[::1", "is not a URL"},
		{"http://api.example.com", "is not https"},
		{"http://localhost.example.com", "is not https"},
		{"http://127.0.0.1.example.com", "is not https"},
		{"http://10.0.0.1", "is not https"},
		{"http://{sub}.localhost.example.com", "is not https"},
		{"ftp://api.example.com", "is not https"},
		{"wss://api.example.com", "is not https"},
		{"https://user@api.example.com", "user name or password"},
		{"https://user:hunter2@api.example.com", "user name or password"},
		{"https://@api.example.com", "user name or password"},
		{"https://{sub}@api.example.com", "user name or password"},
		{"https://api.example.com?", "a query"},
		{"https://api.example.com/?a=b", "a query"},
		{"https://api.example.com?{sub}", "a query"},
		{"https://api.example.com/#x", "fragment"},
		{"https://api.example.com#", "fragment"},
		{"https://api.example.com:", "a port that is none"},
		{"https://api.example.com:0", "a port that is none"},
		{"https://api.example.com:65536", "a port that is none"},
		{"https://api.example.com:{port}", "is not a URL"},
		{"https://api..example.com", "a host that is no name"},
		{"https://.example.com", "a host that is no name"},
		{"https://example.com.", "a host that is no name"},
		{"https://-a.example.com", "a host that is no name"},
		{"https://a_b.example.com", "a host that is no name"},
		{"https://bücher.example", "a host that is no name"},
		{"https://a%2eb.example", "is not a URL"},
		{"https://*.example.com", "a host that is no name"},
		{"https://127.1", "ends in a number"},
		{"https://2130706433", "ends in a number"},
		{"https://127.0.0.0x1", "ends in a number"},
		{"https://1.2.3.4.5", "ends in a number"},
		{"https://{sub}.0.0.1", "ends in a number"},
		{"https://api.[fe80::1%25eth0]", "is not a URL"},
		{"https://[fe80::1%25eth0]", "a host that is no name"},
		{"https://{sub}:443", "without a domain"},
		{"https://{sub}.com", "without a domain"},
		{"https://{sub}.localhost", "without a domain"},
		{"https://{a}.{b}.com", "without a domain"},
		{"https://api.{a}", "without a domain"},
		{"https://example.com.{a}", "without a domain"},
		{"https://example.{tld}", "without a domain"},
		{"https://x{sub}.example.com", "part of a label"},
		{"https://{sub}x.example.com", "part of a label"},
		{"https://{a}{b}.example.com", "part of a label"},
		{"https://{a}-{b}.example.com", "part of a label"},
		{"https://{sub.example.com", "a brace"},
		{"https://sub}.example.com", "a brace"},
		{"https://{}.example.com", "a brace"},
		{"https://{{sub}}.example.com", "a brace"},
		{"https://{su b}.example.com", "a brace"},
		{"https://{a/b}.example.com", "a brace"},
		{"{scheme}://api.example.com", "is not https"},
		{"{url}", "is not a URL"},
		{"https://api.example.com/v{n}", "part of a path segment"},
		{"https://api.example.com/{n}.json", "part of a path segment"},
		{"https://api.example.com/{a}{b}", "part of a path segment"},
		{"https://api.example.com//v1", "never sent: it has an empty segment"},
		{"https://api.example.com/v1//", "never sent: it has an empty segment"},
		{"https://api.example.com/..", "never sent: it has a dot segment"},
		{"https://api.example.com/a/%2e%2e", "never sent: it has a dot segment"},
		{"https://api.example.com/a/../{sub}", "never sent: it has a dot segment"},
		{"https://api.example.com/{sub}/..", "never sent: it has a dot segment"},
		{"https://api.example.com/a b", "never sent: it has a character"},
		{"https://api.example.com/ä", "never sent: it has a character"},
		{`https://api.example.com/a\b`, "never sent: it has a character"},
		{`https://api.example.com\@evil.example`, "is not a URL"},
		{"https://api.example.com/a%2Fb", "more than one way"},
		{"https://api.example.com/a;b", "more than one way"},
		{"https://api.example.com/%00", "never sent: it has a control character"},
	}
	for _, test := range tests {
		b, problems := parseBase(test.template)
		if len(problems) != 1 || b != (base{}) || problems[0].Key != "calls.base_url" ||
			!strings.Contains(problems[0].Text, test.want) || problems[0].Remedy == "" {
			t.Errorf("%q: want %s, got %+v, %v", test.template, test.want, b, problems)
		}
		for _, p := range problems {
			if strings.Contains(p.Error(), "hunter2") {
				t.Errorf("%q: the problem repeats a password: %v", test.template, p)
			}
		}
	}
}
