package provider

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/dghubble/oauth1"

	"linkgate/secret"
)

func formRequest(t *testing.T, method, address, form string) *http.Request {
	t.Helper()
	var body io.Reader
	if form != "" {
		body = strings.NewReader(form)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, address, body)
	if err != nil {
		t.Fatal(err)
	}
	if form != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r
}

// TestBaseString: RFC 5849 §3.4.1.1, whose example has every difficulty in it.
func TestBaseString(t *testing.T) {
	r := formRequest(t, "post", "http://EXAMPLE.COM:80/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b", "x")
	got := baseString(r, "c2&a3=2+q", []param{
		{"oauth_consumer_key", "9djdj82h48djs9d2"}, {"oauth_token", "kkk9d7dh3k39sjv7"}, {"oauth_signature_method", "HMAC-SHA1"},
		{"oauth_timestamp", "137131201"}, {"oauth_nonce", "7d8f3e4a"},
	})
	want := "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D%26c2%3D%26" +
		"oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1%26" +
		"oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestSignatures: the three requests of RFC 5849 §1.2.
func TestSignatures(t *testing.T) {
	method := &oauth1.HMACSigner{ConsumerSecret: "kd94hf93k423kf44"}
	common := []param{{"oauth_consumer_key", "dpf43f3p2l4k3l03"}, {"oauth_signature_method", "HMAC-SHA1"}}
	tests := map[string]struct {
		method, address, tokenSecret string
		params                       []param
		want                         string
	}{
		"request token": {
			"POST", "https://photos.example.net/initiate", "",
			[]param{{"oauth_timestamp", "137131200"}, {"oauth_nonce", "wIjqoS"}, {"oauth_callback", "http://printer.example.com/ready"}},
			"74KNZJeDHnMBp0EMJ9ZHt/XKycU=",
		},
		"access token": {
			"POST", "https://photos.example.net/token", "hdhd0244k9j7ao03",
			[]param{{"oauth_timestamp", "137131201"}, {"oauth_nonce", "walatlh"}, {"oauth_token", "hh5s93j4hdidpola"}, {"oauth_verifier", "hfdp7dh39dks9884"}},
			"gKgrFCywp7rO0OXSjdot/IHF7IU=",
		},
		"call": {
			"GET", "http://photos.example.net/photos?file=vacation.jpg&size=original", "pfkkdhi9sl3r4s00",
			[]param{{"oauth_timestamp", "137131202"}, {"oauth_nonce", "chapoH"}, {"oauth_token", "nnch734d00sl2jdk"}},
			"MdpQcU8iPSUjWoN/UDMsK2sui9I=",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := formRequest(t, test.method, test.address, "")
			got, err := method.Sign(test.tokenSecret, baseString(r, "", append(test.params, common...)))
			if err != nil || got != test.want {
				t.Errorf("got %q and %v, want %q", got, err, test.want)
			}
		})
	}
}

// TestBaseURI is RFC 5849 §3.4.1.2.
func TestBaseURI(t *testing.T) {
	for address, want := range map[string]string{
		"http://EXAMPLE.COM:80/r%20v/X?id=123": "http://example.com/r%20v/X",
		"https://www.example.net:8080/?q=1":    "https://www.example.net:8080/",
		"https://example.net:443":              "https://example.net/",
		"https://example.net:80/a":             "https://example.net:80/a",
		"http://example.net:443/a":             "http://example.net:443/a",
		"http://example.net:8080/a":            "http://example.net:8080/a",
		"http://[::1]:80/a":                    "http://[::1]/a",
		"http://[2001:db8::80]/a":              "http://[2001:db8::80]/a",
		"HTTPS://example.net/a%2Fb/c;d=e":      "https://example.net/a%2Fb/c;d=e",
		"https://example.net/caf%C3%A9":        "https://example.net/caf%C3%A9",
		"https://example.net/café":             "https://example.net/caf%C3%A9",
	} {
		if got := baseURI(formRequest(t, "GET", address, "")); got != want {
			t.Errorf("%s: got %s, want %s", address, got, want)
		}
	}
	named := formRequest(t, "GET", "http://127.0.0.1:9000/a", "")
	named.Host = "api.example.net"
	if got := baseURI(named); got != "http://api.example.net/a" {
		t.Errorf("with a Host of its own: got %s", got)
	}
}

// TestNormalized: bytes are compared as they are encoded, and all but the unreserved are.
func TestNormalized(t *testing.T) {
	for query, want := range map[string]string{
		"":                     "",
		"b=2&a=1&a=0":          "a=0&a=1&b=2",
		"a=1&a=1":              "a=1&a=1",
		"a10=x&a1=y&a=z":       "a=z&a1=y&a10=x",
		"A=1&a=2&_=3&%C3%A9=4": "%C3%A9=4&A=1&_=3&a=2",
		"&&a&b=&":              "a=&b=",
		"a=~-._!*'()":          "a=~-._%21%2A%27%28%29",
		"a=1+2%2B3%20":         "a=1%202%2B3%20",
		"a=%zz+1":              "a=%25zz%201",
		"a=☃&b=%E2%98%83":      "a=%E2%98%83&b=%E2%98%83",
		"a=1;b=2":              "a=1%3Bb%3D2",
		"a=b=c":                "a=b%3Dc",
	} {
		if got := normalized(paramsOf(query)); got != want {
			t.Errorf("%q: got %q, want %q", query, got, want)
		}
	}
}

func newRSAKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func oauth1PEM(key *rsa.PrivateKey) secret.Text {
	return secret.New(string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})))
}

func oauth1PKCS8(t *testing.T, key any) secret.Text {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return secret.New(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
}

// captured takes a request as the library would send it.
type captured struct{ request *http.Request }

func (c *captured) RoundTrip(r *http.Request) (*http.Response, error) {
	c.request = r
	return httptest.NewRecorder().Result(), nil
}

type fixedNonce string

func (n fixedNonce) Nonce() string { return string(n) }

// inHeader reads one parameter of an Authorization header.
func inHeader(t *testing.T, header, name string) string {
	t.Helper()
	found := regexp.MustCompile(name + `="([^"]*)"`).FindStringSubmatch(header)
	if found == nil {
		t.Fatalf("no %s in %q", name, header)
	}
	value, err := url.PathUnescape(found[1])
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// TestLibraryAgrees: what dghubble/oauth1 signs we sign in the same way, wherever it can.
func TestLibraryAgrees(t *testing.T) {
	key := newRSAKey(t)
	tests := map[string]struct{ method, address, form string }{
		"plain":        {"GET", "https://api.example.com/1.1/me.json", ""},
		"query":        {"GET", "https://api.example.com/search?q=a+b&lang=de&empty=", ""},
		"port":         {"DELETE", "http://API.Example.com:8080/things/1?x=1", ""},
		"default port": {"GET", "https://api.example.com:443/a%20b/c?x=1", ""},
		"form":         {"POST", "https://api.example.com/1.1/statuses/update.json?include_entities=true", "status=Hello%20Ladies+%2b%20Gentlemen%2c+a+signed+OAuth+request%21"},
		"unicode":      {"POST", "https://api.example.com/caf%C3%A9?%E2%98%83=%F0%9F%98%80", "name=Zo%C3%AB+%E2%9C%93&tilde=~"},
	}
	for name, test := range tests {
		for _, c := range []Connection{
			{ClientID: "key id", ClientSecret: secret.New("secret&%ü")},
			{ClientID: "key id", SignatureMethod: "rsa-sha1", SigningKey: oauth1PEM(key)},
		} {
			t.Run(name+" "+c.signatureMethod().Name(), func(t *testing.T) {
				wire := &captured{}
				library := &oauth1.Config{ConsumerKey: c.ClientID, Signer: c.signatureMethod(), Noncer: fixedNonce("nonce-1")}
				client := library.Client(oauth1.NoContext, oauth1.NewToken("token/ü", "token secret"))
				client.Transport.(*oauth1.Transport).Base = wire
				res, err := client.Do(formRequest(t, test.method, test.address, test.form))
				if err != nil {
					t.Fatal(err)
				}
				res.Body.Close()
				want := wire.request.Header.Get("Authorization")
				seconds, err := strconv.ParseInt(inHeader(t, want, "oauth_timestamp"), 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				ours := oauth1Applier{signer{
					clientID: c.ClientID, method: c.signatureMethod(),
					now: func() time.Time { return time.Unix(seconds, 0) }, nonce: func() string { return "nonce-1" },
				}}
				r := formRequest(t, test.method, test.address, test.form)
				ours.Apply(r, Credential{AccessToken: secret.New("token/ü"), TokenSecret: secret.New("token secret")})
				got := r.Header.Get("Authorization")
				for _, param := range []string{"oauth_signature", "oauth_token", "oauth_consumer_key", "oauth_signature_method", "oauth_version"} {
					if a, b := inHeader(t, got, param), inHeader(t, want, param); a != b {
						t.Errorf("%s: got %q, the library has %q", param, a, b)
					}
				}
			})
		}
	}
}

func anApplier() oauth1Applier {
	return oauth1Applier{signer{
		clientID: "id", method: &oauth1.HMACSigner{ConsumerSecret: "s"},
		now: func() time.Time { return time.Unix(1, 0) }, nonce: func() string { return "n" },
	}}
}

// TestApplyOAuth1: what a request has already of the kind goes, and the rest stays as it is.
func TestApplyOAuth1(t *testing.T) {
	c := Credential{AccessToken: secret.New(theAccessToken), TokenSecret: secret.New("ts")}
	for query, want := range map[string]string{
		"":                         "",
		"a=1&b=%zz&a=+":            "a=1&b=%zz&a=+",
		"oauth_token=x&a_b=1":      "a_b=1",
		"a=1&OAuth_nonce=x&b=2":    "a=1&b=2",
		"a=1&%6fauth_version=1.0":  "a=1",
		"a=1;oauth_signature=x&b":  "b",
		"not_oauth_token=1&oauth=": "not_oauth_token=1&oauth=",
	} {
		r := formRequest(t, "GET", "https://api.example.com/x?"+query, "")
		r.Header.Set("Authorization", "Bearer mine")
		anApplier().Apply(r, c)
		if r.URL.RawQuery != want {
			t.Errorf("%q: got %q, want %q", query, r.URL.RawQuery, want)
		}
		if got := r.Header.Values("Authorization"); len(got) != 1 || !strings.HasPrefix(got[0], "OAuth ") || strings.Contains(got[0], "ts\"") {
			t.Errorf("%q: got Authorization %q", query, got)
		}
	}
}

// TestSignsBody: parameters of a plain form are signed, and nothing else of a body is.
func TestSignsBody(t *testing.T) {
	const form = "application/x-www-form-urlencoded"
	for _, test := range []struct {
		types, codings []string
		want           bool
	}{
		{[]string{form}, nil, true},
		{[]string{form + "; charset=UTF-8"}, nil, true},
		{[]string{" Application/X-WWW-Form-Urlencoded;;"}, []string{"identity"}, true},
		{[]string{"text/plain", form}, nil, true},
		{[]string{form}, []string{"gzip"}, false},
		{[]string{"multipart/form-data; boundary=x"}, nil, false},
		{[]string{"application/json"}, nil, false},
		{nil, nil, false},
	} {
		h := http.Header{"Content-Type": test.types, "Content-Encoding": test.codings}
		if got := anApplier().SignsBody(h); got != test.want {
			t.Errorf("%v: got %v", h, got)
		}
	}
}

// TestFormThatCannotBeRead: half a signature is none, and the request gets no credential at all.
func TestFormThatCannotBeRead(t *testing.T) {
	broken := func() (io.ReadCloser, error) { return io.NopCloser(iotest.ErrReader(io.ErrUnexpectedEOF)), nil }
	gone := func() (io.ReadCloser, error) { return nil, io.ErrClosedPipe }
	for name, getBody := range map[string]func() (io.ReadCloser, error){"no GetBody": nil, "GetBody fails": gone, "the body fails": broken} {
		r := formRequest(t, "POST", "https://api.example.com/x", "a=1")
		r.Header.Set("Authorization", "Bearer mine")
		r.GetBody = getBody
		anApplier().Apply(r, Credential{AccessToken: secret.New(theAccessToken)})
		if got := r.Header.Values("Authorization"); len(got) != 0 {
			t.Errorf("%s: got Authorization %q", name, got)
		}
	}
}
