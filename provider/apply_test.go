package provider

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"linkgate/secret"
)

func TestApply(t *testing.T) {
	bearer := http.Header{"Authorization": {"Bearer " + theAccessToken}}
	tests := map[string]struct {
		place  CredentialPlace
		header http.Header // of the request before
		query  string
		want   http.Header
		after  string // the query
	}{
		"default":                 {CredentialPlace{}, nil, "", bearer, ""},
		"in place of another":     {CredentialPlace{}, http.Header{"Authorization": {"Basic eA==", "Bearer mine"}}, "", bearer, ""},
		"Authorization by name":   {CredentialPlace{Header: "authorization"}, nil, "", bearer, ""},
		"another prefix":          {CredentialPlace{Prefix: "token"}, nil, "", http.Header{"Authorization": {"token " + theAccessToken}}, ""},
		"header":                  {CredentialPlace{Header: "X-Api-Key"}, http.Header{"X-Api-Key": {"mine", "too"}}, "", http.Header{"X-Api-Key": {theAccessToken}}, ""},
		"header with prefix":      {CredentialPlace{Header: "x-auth", Prefix: "Key"}, nil, "", http.Header{"X-Auth": {"Key " + theAccessToken}}, ""},
		"header, the rest stays":  {CredentialPlace{Header: "X-Api-Key"}, http.Header{"Accept": {"text/html"}}, "a=1", http.Header{"X-Api-Key": {theAccessToken}, "Accept": {"text/html"}}, "a=1"},
		"query":                   {CredentialPlace{Query: "access_token"}, nil, "", http.Header{}, "access_token=" + theAccessToken},
		"query, in place of all":  {CredentialPlace{Query: "key"}, nil, "key=mine&b=%7E+1&key=x&%6bey=y&KEY=z&key", http.Header{}, "b=%7E+1&KEY=z&key=" + theAccessToken},
		"query behind semicolons": {CredentialPlace{Query: "key"}, nil, "a=1;key=mine&b=2;c=3", http.Header{}, "b=2;c=3&key=" + theAccessToken},
		"query of odd escapes":    {CredentialPlace{Query: "key"}, nil, "%zz=1&&100%=x&=y", http.Header{}, "%zz=1&100%=x&=y&key=" + theAccessToken},
		"query, headers stay":     {CredentialPlace{Query: "key"}, http.Header{"Accept": {"text/html"}}, "", http.Header{"Accept": {"text/html"}}, "key=" + theAccessToken},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "https://api.example/x", nil)
			r.URL.RawQuery = test.query
			if test.header != nil {
				r.Header = test.header
			}
			newApplier(test.place).Apply(r, Credential{AccessToken: secret.New(theAccessToken), TokenType: "mac"})
			if diff := cmp.Diff(test.want, r.Header); diff != "" {
				t.Errorf("header (-want +got):\n%s", diff)
			}
			if r.URL.RawQuery != test.after {
				t.Errorf("query: got %q, want %q", r.URL.RawQuery, test.after)
			}
		})
	}
}

// TestApplier: both protocols put the credential where the connection says, userinfo's always apart.
func TestApplier(t *testing.T) {
	s := newService(t)
	for protocol, c := range s.connections() {
		c.Credential = CredentialPlace{Header: "X-Api-Key"}
		r := httptest.NewRequest(http.MethodGet, "https://api.example/x", nil)
		s.open(c).Applier.Apply(r, theCredential())
		if got := r.Header.Get("X-Api-Key"); got != theAccessToken {
			t.Errorf("%s: got %q", protocol, got)
		}
	}
}

// FuzzReplaceParam: whatever a query holds, a server that cuts it at & and one that cuts it at ; too
// find one parameter of that name, and it is ours.
func FuzzReplaceParam(f *testing.F) {
	for _, seed := range []string{"", "key=mine", "a=1&key=x;key=y", "%6b%65%79=1", "&&;;==", "a=%zz&key", "k%65y=1;a", "a=key=1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		got := replaceParam(query, "key", theAccessToken)
		var found []string
		for _, part := range strings.FieldsFunc(got, func(r rune) bool { return r == '&' || r == ';' }) {
			name, value, _ := strings.Cut(part, "=")
			if decoded, err := url.QueryUnescape(name); err == nil && decoded == "key" {
				found = append(found, value)
			}
		}
		if diff := cmp.Diff([]string{theAccessToken}, found); diff != "" {
			t.Errorf("%q became %q (-want +got):\n%s", query, got, diff)
		}
	})
}
