package provider

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"strings"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"linkgate/secret"
)

// TestSigningKeyMistakes: each is said, and none of the key with it.
func TestSigningKeyMistakes(t *testing.T) {
	good := pkcs8(t, theECKey(t))
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(theRSAKey(t).Public())
	if err != nil {
		t.Fatal(err)
	}
	otherCurve, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct{ key, want string }{
		"a path":           {"/run/secrets/key.pem", "is neither PEM nor a JWK"},
		"one line":         {strings.Join(strings.Split(good, "\n"), ""), "is neither PEM nor a JWK"},
		"cut off":          {good[:len(good)/2], "is neither PEM nor a JWK"},
		"damaged":          {block("PRIVATE KEY", []byte("not a key")), "is damaged"},
		"small":            {pkcs1(small), "is an RSA key of less than 2048 bits"},
		"other curve":      {sec1(t, otherCurve), "is on a curve that JSON Web Signature has no name for"},
		"public":           {block("PUBLIC KEY", public), "is not a private key"},
		"public JWK":       {jwk(t, theECKey(t).Public(), "", ""), "is not a private key"},
		"symmetric JWK":    {jwk(t, []byte("0123456789abcdef0123456789abcdef"), "", ""), "is not a private key"},
		"wrong alg":        {jwk(t, theECKey(t), "RS256", ""), "has an alg that does not go with its kind"},
		"a secret's alg":   {jwk(t, theRSAKey(t), "HS256", ""), "has an alg that does not go with its kind"},
		"a set of keys":    {`{"keys":[` + jwk(t, theECKey(t), "", "") + `]}`, "is not a JWK"},
		"no JSON":          {`{"kty":"EC"`, "is not a JWK"},
		"encrypted":        {block("ENCRYPTED PRIVATE KEY", []byte("x")), "is encrypted"},
		"encrypted of old": {strings.Replace(pkcs1(theRSAKey(t)), "KEY-----\n", "KEY-----\nDEK-Info: AES-256-CBC,00\n\n", 1), "is encrypted"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := goodOAuth2()
			signing(test.key)(&c)
			problems := c.Problems()
			if len(problems) != 1 || problems[0].Key != "signing_key" || problems[0].Text != test.want || problems[0].Remedy == "" {
				t.Errorf("got %v, want signing_key %s", problems, test.want)
			}
			for _, p := range problems {
				if strings.Contains(p.Error(), test.key) {
					t.Errorf("it tells the key: %v", p)
				}
			}
		})
	}
}

func TestAssertionProblems(t *testing.T) {
	key := pkcs8(t, theECKey(t))
	tests := map[string]struct {
		change func(*Connection)
		want   string // keys
	}{
		"private key":            {signing(key), ""},
		"with openssl's header":  {signing(block("EC PARAMETERS", []byte("x")) + sec1(t, theECKey(t))), ""},
		"no key":                 {signing(""), "signing_key"},
		"a secret beside it":     {func(c *Connection) { signing(key)(c); c.ClientSecret = secret.New("x") }, "client_secret"},
		"secret":                 {secretJWT, ""},
		"a short secret":         {func(c *Connection) { c.AuthStyle = AuthSecretJWT }, "client_secret"},
		"no secret":              {func(c *Connection) { c.AuthStyle, c.ClientSecret = AuthSecretJWT, secret.Text{} }, "client_secret"},
		"a key beside secret":    {func(c *Connection) { secretJWT(c); c.SigningKey = secret.New(key) }, "signing_key"},
		"a key with basic":       {func(c *Connection) { c.SigningKey = secret.New(key) }, "signing_key"},
		"an assertion of theirs": {func(c *Connection) { c.TokenParams = map[string]string{"client_assertion": "x"} }, "token_params.client_assertion"},
	}
	for name, test := range tests {
		c := goodOAuth2()
		test.change(&c)
		var got []string
		for _, p := range c.Problems() {
			got = append(got, p.Key)
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

// theRSAKey is made once: it takes longer than most tests.
var rsaKeyOnce = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func theRSAKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsaKeyOnce()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func theECKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func theEdKey(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func block(kind string, content []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}))
}

func pkcs8(t *testing.T, key any) string {
	t.Helper()
	content, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return block("PRIVATE KEY", content)
}

func pkcs1(key *rsa.PrivateKey) string {
	return block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))
}

func sec1(t *testing.T, key *ecdsa.PrivateKey) string {
	t.Helper()
	content, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return block("EC PRIVATE KEY", content)
}

func jwk(t *testing.T, key any, algorithm, keyID string) string {
	t.Helper()
	text, err := json.Marshal(jose.JSONWebKey{Key: key, Algorithm: algorithm, KeyID: keyID, Use: "sig"})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
