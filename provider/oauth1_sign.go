package provider

import (
	"bytes"
	"cmp"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dghubble/oauth1"

	"linkgate/secret"
)

// param is a parameter of a request, decoded or encoded for a base string.
type param struct{ name, value string }

// tokenPair is a token with its secret, of a request or of an account (RFC 5849 §1.1). The zero
// value is none: the client speaks for itself.
type tokenPair struct{ token, secret secret.Text }

// signer signs one client's requests (RFC 5849 §3). The library has the two methods; what is signed
// is gathered here, for the library leaves out parameters that come twice (docs/decisions/0016).
type signer struct {
	clientID string
	method   oauth1.Signer
	now      func() time.Time
	nonce    func() string
}

// sign puts the Authorization header into a request in place of any other (RFC 5849 §3.5.1). form is
// its body where that is one, and more what the protocol wants beside the usual.
func (s signer) sign(r *http.Request, form string, t tokenPair, more ...param) error {
	params := append([]param{
		{"oauth_consumer_key", s.clientID},
		{"oauth_nonce", s.nonce()},
		{"oauth_signature_method", s.method.Name()},
		{"oauth_timestamp", strconv.FormatInt(s.now().Unix(), 10)},
		{"oauth_version", "1.0"},
	}, more...)
	if !t.token.IsZero() {
		params = append(params, param{"oauth_token", t.token.Reveal()})
	}
	r.Header.Del(authorizationHeader)
	signature, err := s.method.Sign(t.secret.Reveal(), baseString(r, form, params))
	if err != nil {
		return errors.New("signing a request: the key can't sign")
	}
	var header strings.Builder
	for i, p := range append(params, param{"oauth_signature", signature}) {
		if i > 0 {
			header.WriteString(", ")
		}
		fmt.Fprintf(&header, `%s="%s"`, oauth1.PercentEncode(p.name), oauth1.PercentEncode(p.value))
	}
	r.Header.Set(authorizationHeader, "OAuth "+header.String())
	return nil
}

// baseString is what a signature is made of (RFC 5849 §3.4.1.1).
func baseString(r *http.Request, form string, params []param) string {
	params = slices.Concat(params, paramsOf(r.URL.RawQuery), paramsOf(form))
	return strings.ToUpper(r.Method) + "&" + oauth1.PercentEncode(baseURI(r)) + "&" + oauth1.PercentEncode(normalized(params))
}

// baseURI is RFC 5849 §3.4.1.2: the address as the request states it, without its query and without
// a port that goes without saying.
func baseURI(r *http.Request) string {
	scheme := strings.ToLower(r.URL.Scheme)
	host := strings.ToLower(cmp.Or(r.Host, r.URL.Host))
	switch scheme {
	case "http":
		host = strings.TrimSuffix(host, ":80")
	case "https":
		host = strings.TrimSuffix(host, ":443")
	}
	return scheme + "://" + host + cmp.Or(r.URL.EscapedPath(), "/")
}

// normalized is RFC 5849 §3.4.1.3.2. Names and values are compared as they are encoded.
func normalized(params []param) string {
	encoded := make([]param, len(params))
	for i, p := range params {
		encoded[i] = param{oauth1.PercentEncode(p.name), oauth1.PercentEncode(p.value)}
	}
	slices.SortFunc(encoded, func(a, b param) int {
		return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.value, b.value))
	})
	pairs := make([]string, len(encoded))
	for i, p := range encoded {
		pairs[i] = p.name + "=" + p.value
	}
	return strings.Join(pairs, "&")
}

// paramsOf reads a query or a form, each parameter as often as it is there (RFC 5849 §3.4.1.3.1).
func paramsOf(encoded string) []param {
	var params []param
	for piece := range strings.SplitSeq(encoded, "&") {
		if piece == "" {
			continue
		}
		name, value, _ := strings.Cut(piece, "=")
		params = append(params, param{fromForm(name), fromForm(value)})
	}
	return params
}

// fromForm decodes one side of a pair. What can't be decoded stands for itself.
func fromForm(s string) string {
	if decoded, err := url.QueryUnescape(s); err == nil {
		return decoded
	}
	return strings.ReplaceAll(s, "+", " ")
}

// FormSigner is what an Applier is too whose credential signs a body that is a form.
type FormSigner interface {
	// SignsBody tells whether Apply needs the body of a request with this header. It reads it by
	// r.GetBody, so the whole must be there by then. Without GetBody the request gets no credential.
	SignsBody(h http.Header) bool
}

// oauth1Applier signs calls.
type oauth1Applier struct{ signer signer }

var (
	_ Applier    = oauth1Applier{}
	_ FormSigner = oauth1Applier{}
)

// Apply implements Applier. A request that can't be signed goes out without a credential, and the
// service refuses it.
func (a oauth1Applier) Apply(r *http.Request, c Credential) {
	r.Header.Del(authorizationHeader)
	r.URL.RawQuery = withoutOAuth(r.URL.RawQuery)
	form, err := formOf(r)
	if err == nil {
		_ = a.signer.sign(r, form, tokenPair{c.AccessToken, c.TokenSecret}) // New has seen that the key can sign
	}
}

// SignsBody implements FormSigner: only the parameters of a plain form count (RFC 5849 §3.4.1.3.1).
func (a oauth1Applier) SignsBody(h http.Header) bool {
	coded := slices.ContainsFunc(h.Values("Content-Encoding"), func(v string) bool {
		return v != "" && !strings.EqualFold(v, "identity")
	})
	return !coded && slices.ContainsFunc(h.Values("Content-Type"), isFormType)
}

func isFormType(value string) bool {
	kind, _, err := mime.ParseMediaType(value)
	if err != nil {
		kind, _, _ = strings.Cut(value, ";") // its parameters are no matter
	}
	return strings.EqualFold(strings.TrimSpace(kind), "application/x-www-form-urlencoded")
}

var errNoForm = errors.New("the form can't be read ahead")

// formOf is the body that is signed; empty: none is.
func formOf(r *http.Request) (string, error) {
	if r.Body == nil || r.Body == http.NoBody || !(oauth1Applier{}).SignsBody(r.Header) {
		return "", nil
	}
	if r.GetBody == nil {
		return "", errNoForm
	}
	body, err := r.GetBody()
	if err != nil {
		return "", errNoForm
	}
	defer body.Close()
	var form bytes.Buffer
	if _, err := io.Copy(&form, body); err != nil {
		return "", errNoForm
	}
	return form.String(), nil
}

// withoutOAuth takes the protocol's own parameters out of a query: a request has them once, and they
// are ours (RFC 5849 §3.5). What else there is stays as it was written.
func withoutOAuth(rawQuery string) string {
	if !strings.Contains(rawQuery, "_") && !strings.Contains(rawQuery, "%") {
		return rawQuery
	}
	var kept []string
	for pair := range strings.SplitSeq(rawQuery, "&") {
		if !slices.ContainsFunc(strings.Split(pair, ";"), isOAuthParam) { // some servers cut there as well
			kept = append(kept, pair)
		}
	}
	return strings.Join(kept, "&")
}

func isOAuthParam(pair string) bool {
	name, _, _ := strings.Cut(pair, "=")
	return strings.HasPrefix(strings.ToLower(fromForm(name)), "oauth_")
}

// The signature methods of RFC 5849 §3.4.2 and §3.4.3. PLAINTEXT sends the secrets themselves.
const (
	HMACSHA1 = "HMAC-SHA1"
	RSASHA1  = "RSA-SHA1"
)

// signsWithRSA tells the method; HMAC-SHA1 is what there is without one.
func (c Connection) signsWithRSA() bool { return strings.EqualFold(c.SignatureMethod, RSASHA1) }

// signatureMethod is what a connection signs with. Problems has seen that there is a key.
func (c Connection) signatureMethod() oauth1.Signer {
	if key, ok := rsaKey(c.SigningKey); c.signsWithRSA() && ok {
		return &oauth1.RSASigner{PrivateKey: key}
	}
	return &oauth1.HMACSigner{ConsumerSecret: c.ClientSecret.Reveal()}
}

// leastKey is the shortest key that Go signs with; services of OAuth 1's age have such.
const leastKey = 1024 // bits

// rsaKey reads a private key in PEM, PKCS #1 or #8.
func rsaKey(text secret.Text) (*rsa.PrivateKey, bool) {
	block, _ := pem.Decode([]byte(text.Reveal()))
	if block == nil {
		return nil, false
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, key.N.BitLen() >= leastKey
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, false
	}
	key, ok := parsed.(*rsa.PrivateKey)
	return key, ok && key.N.BitLen() >= leastKey
}
