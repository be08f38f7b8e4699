package call

import (
	"net/url"
	"strings"
	"testing"

	"linkgate/provider"
)

func TestCleanQuery(t *testing.T) {
	tests := []struct{ query, want string }{
		// As it came.
		{"", ""},
		{"a", "a"},
		{"a=b", "a=b"},
		{"b=2&a=1&b=1", "b=2&a=1&b=1"},
		{"a=%20+%zz&=&&;;x", "a=%20+%zz&=&&;;x"},
		{"&a=1&", "&a=1&"},
		{"filter=a;b;c&q=%C3%A4ä\xff", "filter=a;b;c&q=%C3%A4ä\xff"},
		{"u=https%3A%2F%2Fx%2F%3Faccess_token%3Dy%26_method%3Dz", "u=https%3A%2F%2Fx%2F%3Faccess_token%3Dy%26_method%3Dz"},
		{"u=/x?access_token=y", "u=/x?access_token=y"},
		{"x_access_token=1&access_tokens=1&token=1&method=1&_methods=1&account_id=1", "x_access_token=1&access_tokens=1&token=1&method=1&_methods=1&account_id=1"},
		{"a[access_token]=1&a._method=2", "a[access_token]=1&a._method=2"},
		// Ours.
		{"linked_account_id=acc_1", ""},
		{"linked_account_id", ""},
		{"a=1&linked_account_id=acc_1", "a=1"},
		{"linked_account_id=acc_1&a=1", "a=1"},
		{"a=1&linked_account_id=x&b=2&linked_account_id=y&c", "a=1&b=2&c"},
		{"&linked_account_id=1&&a", "&&a"},
		{"linked_account_id=1&&a", "&a"},
		{"a&linked_account_id=1&", "a&"},
		{"linked%5Faccount%5fid=1&a", "a"},
		{"%6cinked_account_id=1&a", "a"},
		{"a=1&component_id=flow-1&b=2&linked_account_id=x", "a=1&b=2"},
		{"component%5Fid=flow-1&component_ids=2&component=3", "component_ids=2&component=3"},
		// The method.
		{"_method=DELETE", ""},
		{"a=1&_method=DELETE&b=2", "a=1&b=2"},
		{"%5Fmethod=DELETE&a", "a"},
		{"_m%65thod=DELETE&a", "a"},
		{"%255Fmethod=DELETE&a", "a"},
		{"%25255Fmethod=DELETE&a", "a"},
		{"_METHOD=DELETE&a", "a"},
		{"_Method=DELETE&a", "a"},
		{"a=1;_method=DELETE", "a=1"},
		{"a=1;_method=DELETE;b=2", "a=1;b=2"},
		{"_method=DELETE;b=2", "b=2"},
		{"_method[]=DELETE&a", "a"},
		{"_method%5B%5D=DELETE&a", "a"},
		{"_method[x]=DELETE&a", "a"},
		{"_method[=DELETE&a", "_method[=DELETE&a"},
		{".method=DELETE&a", "a"},
		{"[method=DELETE&a", "a"},
		{"+_method=DELETE&a", "a"},
		{"%20%20_method=DELETE&a", "a"},
		{"%09_method=DELETE&a", "a"},
		{"_method%00x=DELETE&a", "a"},
		{"?_method=DELETE&a", "a"},
		{"-method=DELETE&a", "a"},
		{"X-HTTP-Method-Override=DELETE&a", "a"},
		{"x-http-method-override=DELETE&a", "a"},
		{"X_HTTP_METHOD_OVERRIDE=DELETE&a", "a"},
		{"X-HTTP-Method=DELETE&X-Method-Override=DELETE", ""},
		// Credentials.
		{"access_token=stolen", ""},
		{"access_token=stolen&access_token=twice&a", "a"},
		{"access%5Ftoken=stolen&a", "a"},
		{"access_token%3D=stolen&a", "access_token%3D=stolen&a"},
		{"access.token=stolen&a", "a"},
		{"access+token=stolen&a", "a"},
		{"access%20token=stolen&a", "a"},
		{"access[token=stolen&a", "a"},
		{"Access_Token=stolen&a", "a"},
		{"access_token[]=stolen&a", "a"},
		{"Api+Key%21=stolen&a", "a"},
		{"api%20key!=stolen&a", "a"},
		{"API.KEY!=stolen&a", "a"},
		{"api=1&key=2", "api=1&key=2"},
	}
	c := provider.Connection{Credential: provider.CredentialPlace{Query: "api key!"}}
	for _, test := range tests {
		if got := cleanQuery(test.query, c); got != test.want {
			t.Errorf("%q: want %q, got %q", test.query, test.want, got)
		}
	}
	if got := cleanQuery("=1&api+key%21=2", provider.Connection{}); got != "=1&api+key%21=2" {
		t.Errorf("without a parameter for the credential: got %q", got)
	}
}

// FuzzCleanQuery: no service that reads a query as Go does, or splits it at semicolons too, finds a
// parameter that was to be taken out; what is left came in this order; and nothing else is missing.
func FuzzCleanQuery(f *testing.F) {
	for _, query := range []string{
		"", "a=1&b=2", "_method=x", "a;_method=x", "%5fmethod&a", "access_token=1&&linked_account_id=2&",
		"key=1&KEY=2", "k%65y", "&;&", "a=%zz;=", "+key=1", "key[]=1", "x-http-method=a",
	} {
		f.Add(query)
	}
	forbidden := []string{"linked_account_id", "_method", "access_token", "key", "x-http-method", "x-http-method-override", "x-method-override"}
	f.Fuzz(func(t *testing.T, query string) {
		got := cleanQuery(query, provider.Connection{Credential: provider.CredentialPlace{Query: "key"}})
		for _, text := range []string{got, strings.ReplaceAll(got, ";", "&")} {
			values, _ := url.ParseQuery(text) // what it can't read, it leaves out
			for name := range values {
				for _, never := range forbidden {
					if strings.EqualFold(name, never) {
						t.Errorf("%q is cleaned to %q, which has %q", query, got, name)
					}
				}
			}
		}
		if again := cleanQuery(got, provider.Connection{Credential: provider.CredentialPlace{Query: "key"}}); again != got {
			t.Errorf("%q is cleaned to %q, and that to %q", query, got, again)
		}
		checkPieces(t, query, got)
	})
}

// checkPieces holds what is left to what came: the same pieces in the same order, without some
// whose names look like one of those to be taken out.
func checkPieces(t *testing.T, query, got string) {
	t.Helper()
	isSeparator := func(r rune) bool { return r == '&' || r == ';' }
	left := strings.FieldsFunc(got, isSeparator)
	for _, piece := range strings.FieldsFunc(query, isSeparator) {
		if len(left) > 0 && left[0] == piece {
			left = left[1:]
			continue
		}
		name, _, _ := strings.Cut(strings.ToLower(piece), "=")
		suspicious := strings.ContainsAny(name, "%")
		for _, word := range []string{"account", "method", "access", "key"} {
			suspicious = suspicious || strings.Contains(name, word)
		}
		if !suspicious {
			t.Errorf("%q is cleaned to %q: %q is missing", query, got, piece)
		}
	}
	if len(left) > 0 {
		t.Errorf("%q is cleaned to %q: %q has come in, or changed", query, got, left)
	}
}
