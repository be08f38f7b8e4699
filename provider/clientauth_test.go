package provider

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"linkgate/secret"
)

// theLongSecret is long enough for HS256, and has in it what must not be seen in an error.
const theLongSecret = theClientSecret + "-and-thirty-two-bytes-long"

// notary takes requests of the service whose assertion it can verify, and keeps those assertions.
type notary struct {
	t          *testing.T
	key        any // verifies
	algorithm  jose.SignatureAlgorithm
	audience   string
	keyID      string
	mu         sync.Mutex
	ids        map[string]bool
	assertions []string
}

// answering lets requests with a good assertion through to then, and refuses the others.
func (n *notary) answering(then http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if mistake := n.look(r); mistake != "" {
			n.t.Errorf("%s: %s", r.URL.Path, mistake)
			reply(w, 401, map[string]any{"error": "invalid_client"})
			return
		}
		then(w, r)
	}
}

func (n *notary) look(r *http.Request) (mistake string) {
	form := r.PostForm
	assertion := form.Get("client_assertion")
	_, _, basic := r.BasicAuth()
	switch {
	case form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer":
		return "wrong type of assertion"
	case form.Get("client_id") != "client id" || form.Has("client_secret") || basic:
		return "client is missing, or authenticates in two ways"
	}
	token, err := jwt.ParseSigned(assertion, []jose.SignatureAlgorithm{n.algorithm})
	if err != nil {
		return err.Error()
	}
	var claims jwt.Claims
	if err := token.Claims(n.key, &claims); err != nil {
		return err.Error()
	}
	if err := claims.ValidateWithLeeway(jwt.Expected{Issuer: "client id", Subject: "client id"}, 0); err != nil {
		return err.Error()
	}
	var plain struct {
		Audience string `json:"aud"` // not a list
	}
	if err := token.Claims(n.key, &plain); err != nil || plain.Audience != n.audience {
		return "aud is " + plain.Audience + ", want " + n.audience
	}
	if got := token.Headers[0].KeyID; got != n.keyID {
		return "kid is " + got
	}
	if life := claims.Expiry.Time().Sub(claims.IssuedAt.Time()); life != time.Minute {
		return "lives for " + life.String()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(claims.ID) < 22 || n.ids[claims.ID] {
		return "jti is short, or was seen before"
	}
	n.ids[claims.ID], n.assertions = true, append(n.assertions, assertion)
	return ""
}

// watch has a notary look at all that a client authenticates for.
func (s *service) watch(key any, algorithm jose.SignatureAlgorithm, keyID, audience string) *notary {
	n := &notary{t: s.t, key: key, algorithm: algorithm, keyID: keyID, audience: audience, ids: map[string]bool{}}
	s.answer("/token", n.answering(func(w http.ResponseWriter, _ *http.Request) { reply(w, 200, s.tokens()) }))
	s.answer("/revoke", n.answering(replying(200, "")))
	return n
}

// TestClientAssertions: each request has one of its own, at every endpoint.
func TestClientAssertions(t *testing.T) {
	rsaKey, ecKey, edKey := theRSAKey(t), theECKey(t), theEdKey(t)
	tests := map[string]struct {
		change    func(*Connection)
		key       any
		algorithm jose.SignatureAlgorithm
		keyID     string
	}{
		"client secret":  {secretJWT, []byte(theLongSecret), jose.HS256, ""},
		"RSA in PKCS #8": {signing(pkcs8(t, rsaKey)), rsaKey.Public(), jose.RS256, ""},
		"RSA in PKCS #1": {signing(pkcs1(rsaKey)), rsaKey.Public(), jose.RS256, ""},
		"RSA with PSS":   {signing(jwk(t, rsaKey, "PS256", "k-ps")), rsaKey.Public(), jose.PS256, "k-ps"},
		"EC as a JWK":    {signing(jwk(t, ecKey, "", "k-ec")), ecKey.Public(), jose.ES256, "k-ec"},
		"EC in PEM":      {signing(sec1(t, ecKey)), ecKey.Public(), jose.ES256, ""},
		"Ed25519":        {signing(pkcs8(t, edKey)), edKey.Public(), jose.EdDSA, ""},
		"with \\n":       {signing(strings.ReplaceAll(pkcs8(t, rsaKey), "\n", `\n`)), rsaKey.Public(), jose.RS256, ""},
	}
	for name, test := range tests {
		for _, protocol := range signInProtocols {
			t.Run(protocol+" "+name, func(t *testing.T) {
				s := newService(t)
				c := s.connections()[protocol]
				test.change(&c)
				audience := s.URL // the issuer
				if protocol == "oauth2" {
					audience = s.URL + "/token"
				}
				n := s.watch(test.key, test.algorithm, test.keyID, audience)
				p := s.open(c)
				grant, err := s.connect(p)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := refresh(t, p); err != nil {
					t.Error(err)
				}
				if err := p.Revoker.Revoke(t.Context(), grant.Credential); err != nil {
					t.Error(err)
				}
				if len(n.assertions) != 4 { // code, refresh, and two tokens to revoke
					t.Errorf("%d assertions, want 4", len(n.assertions))
				}
			})
		}
	}
}

func TestAssertionForAStatedIssuer(t *testing.T) {
	s := newService(t)
	c := s.oauth2()
	secretJWT(&c)
	c.Issuer = "https://issuer.example"
	s.watch([]byte(theLongSecret), jose.HS256, "", c.Issuer)
	if _, err := s.connect(s.open(c)); err != nil {
		t.Error(err)
	}
}

// TestThumbprintsOfCertificates go along: Microsoft knows keys by them.
func TestThumbprintsOfCertificates(t *testing.T) {
	var fields map[string]any
	if err := json.Unmarshal([]byte(jwk(t, theRSAKey(t), "PS256", "")), &fields); err != nil {
		t.Fatal(err)
	}
	const thumbprint = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
	fields["x5t#S256"] = thumbprint
	text, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	s := newService(t)
	c := s.oauth2()
	signing(string(text))(&c)
	if _, err := s.connect(s.open(c)); err != nil {
		t.Fatal(err)
	}
	token, err := jwt.ParseSigned(s.forms[0].Get("client_assertion"), []jose.SignatureAlgorithm{jose.PS256})
	if err != nil {
		t.Fatal(err)
	}
	if got := token.Headers[0].ExtraHeaders["x5t#S256"]; got != thumbprint {
		t.Errorf("x5t#S256 is %v, want %s", got, thumbprint)
	}
}

// TestAssertionIsNotRepeated: a service that echoes it as its error can't bring it into a log.
func TestAssertionIsNotRepeated(t *testing.T) {
	s := newService(t)
	c := s.oauth2()
	secretJWT(&c)
	var echo string
	s.answer("/token", func(w http.ResponseWriter, r *http.Request) {
		echo = r.PostForm.Get("client_assertion")
		reply(w, 400, map[string]any{"error": echo})
	})
	_, err := s.connect(s.open(c))
	if !errors.Is(err, ErrRefused) || echo == "" {
		t.Errorf("got %v after %q, want %v", err, echo, ErrRefused)
	}
	checkQuiet(t, err, echo)
}

// TestNoKeyToSignWith: nothing is sent by a client that can't say who it is.
func TestNoKeyToSignWith(t *testing.T) {
	s := newService(t)
	c := s.oauth2()
	c.AuthStyle = AuthPrivateKeyJWT
	server := newAuthServer(c, Deps{AllowPrivateNetworks: true, Now: time.Now})
	err := server.postForm(t.Context(), posting{op: opExchange, endpoint: c.TokenURL, form: url.Values{}}, nil)
	if !errors.Is(err, ErrRefused) || s.count("/token") != 0 {
		t.Errorf("got %v after %d requests, want %v and none", err, s.count("/token"), ErrRefused)
	}
}

func signing(key string) func(*Connection) {
	return func(c *Connection) {
		c.AuthStyle, c.ClientSecret, c.SigningKey = AuthPrivateKeyJWT, secret.Text{}, secret.New(key)
	}
}

func secretJWT(c *Connection) {
	c.AuthStyle, c.ClientSecret = AuthSecretJWT, secret.New(theLongSecret)
}
