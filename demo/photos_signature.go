package demo

import (
	"crypto"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// signedRequest is a request whose signature is right.
type signedRequest struct {
	params [][2]string // of header, query and form
	body   []byte
}

// param is a parameter's value; empty if it is not there, or comes twice.
func (s signedRequest) param(name string) string {
	value, found := "", 0
	for _, p := range s.params {
		if p[0] == name {
			value, found = p[1], found+1
		}
	}
	if found != 1 {
		return ""
	}
	return value
}

// plain are the parameters that are not the protocol's, in order of their names.
func (s signedRequest) plain() [][2]string {
	plain := [][2]string{}
	for _, p := range s.params {
		if !strings.HasPrefix(p[0], "oauth_") {
			plain = append(plain, p)
		}
	}
	slices.SortFunc(plain, func(a, b [2]string) int { return strings.Compare(a[0]+"\x00"+a[1], b[0]+"\x00"+b[1]) })
	return plain
}

// maxTimeOff is how far a timestamp may be from the service's clock.
const maxTimeOff = 5 * time.Minute

// verify checks a request (RFC 5849 §3.2) and names the problem, if there is one. secretOf finds a
// token's secret, with the lock held; it is not asked for the token of a request without one.
func (p *Photos) verify(r *http.Request, secretOf func(token string) (string, bool)) (signedRequest, string) {
	s, ok := readSigned(r)
	if !ok {
		return s, "parameter_rejected"
	}
	seconds, err := strconv.ParseInt(s.param("oauth_timestamp"), 10, 64)
	off := p.now().Sub(time.Unix(seconds, 0)).Abs()
	nonce := s.param("oauth_nonce")
	p.mu.Lock()
	defer p.mu.Unlock()
	tokenSecret, known := secretOf(s.param("oauth_token"))
	switch {
	case s.param("oauth_signature") == "" || nonce == "":
		return s, "parameter_absent"
	case s.param("oauth_consumer_key") != p.client.Key:
		return s, "consumer_key_unknown"
	case s.param("oauth_version") != "1.0":
		return s, "version_rejected"
	case err != nil || off > maxTimeOff:
		return s, "timestamp_refused"
	case !known:
		return s, "token_rejected"
	case !p.signatureFits(s, r, tokenSecret):
		return s, "signature_invalid"
	case p.nonces[nonce]:
		return s, "nonce_used"
	}
	p.nonces[nonce] = true
	return s, ""
}

func (p *Photos) signatureFits(s signedRequest, r *http.Request, tokenSecret string) bool {
	signature, err := base64.StdEncoding.DecodeString(s.param("oauth_signature"))
	if err != nil {
		return false
	}
	text := []byte(signatureText(s.params, r))
	switch s.param("oauth_signature_method") {
	case "HMAC-SHA1":
		mac := hmac.New(sha1.New, []byte(escape(p.client.Secret.Reveal())+"&"+escape(tokenSecret)))
		mac.Write(text)
		return !p.client.Secret.IsZero() && hmac.Equal(mac.Sum(nil), signature)
	case "RSA-SHA1":
		key, err := x509.ParsePKIXPublicKey(p.client.PublicKey)
		public, ok := key.(*rsa.PublicKey)
		sum := sha1.Sum(text)
		return err == nil && ok && rsa.VerifyPKCS1v15(public, crypto.SHA1, sum[:], signature) == nil
	}
	return false
}

// signatureText is the signature base string (RFC 5849 §3.4.1).
func signatureText(params [][2]string, r *http.Request) string {
	var pairs []string
	for _, p := range params {
		if p[0] != "oauth_signature" {
			// A blank sorts before all that names and values can have, = does not.
			pairs = append(pairs, escape(p[0])+" "+escape(p[1]))
		}
	}
	slices.Sort(pairs)
	all := strings.ReplaceAll(strings.Join(pairs, "&"), " ", "=")
	scheme, port := "http", ":80"
	if r.TLS != nil {
		scheme, port = "https", ":443"
	}
	path, _, _ := strings.Cut(r.RequestURI, "?")
	address := scheme + "://" + strings.TrimSuffix(strings.ToLower(r.Host), port) + path
	return r.Method + "&" + escape(address) + "&" + escape(all)
}

// escape is RFC 5849 §3.6.
func escape(s string) string {
	return strings.NewReplacer("+", "%20", "%7E", "~").Replace(url.QueryEscape(s))
}

// readSigned gathers a request's parameters. Those of the protocol come in the header alone here.
func readSigned(r *http.Request) (s signedRequest, ok bool) {
	var err error
	if s.body, err = io.ReadAll(io.LimitReader(r.Body, maxBody)); err != nil {
		return s, false
	}
	scheme, rest, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "OAuth") || len(r.Header.Values("Authorization")) != 1 {
		return s, false
	}
	if !s.readHeader(rest) {
		return s, false
	}
	forms := []string{r.URL.RawQuery}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		forms = append(forms, string(s.body))
	}
	for _, form := range forms {
		if !s.readForm(form) {
			return s, false
		}
	}
	return s, true
}

// readHeader reads what follows the scheme.
func (s *signedRequest) readHeader(list string) bool {
	for piece := range strings.SplitSeq(list, ",") {
		name, quoted, _ := strings.Cut(strings.TrimSpace(piece), "=")
		value, err := url.PathUnescape(strings.Trim(quoted, `"`))
		if err != nil {
			return false
		}
		if name != "realm" {
			s.params = append(s.params, [2]string{name, value})
		}
	}
	return true
}

// readForm reads a query or a body.
func (s *signedRequest) readForm(form string) bool {
	values, err := url.ParseQuery(form)
	if err != nil {
		return false
	}
	for name, list := range values {
		if strings.HasPrefix(name, "oauth_") {
			return false
		}
		for _, value := range list {
			s.params = append(s.params, [2]string{name, value})
		}
	}
	return true
}
