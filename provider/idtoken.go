package provider

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// clockSkew is how long past its expiry an ID token is still taken: it came just now from the token
// endpoint and carries our nonce, and some live for minutes only (OIDC Core §3.1.3.7, number 9).
const clockSkew = 2 * time.Minute

// idTokenAlgorithms are those with which a service signs and we only verify. "none" signs nothing;
// the HS family would have the client's secret, or a public key taken for one, sign.
func idTokenAlgorithms() []string {
	return []string{
		oidc.RS256, oidc.RS384, oidc.RS512,
		oidc.PS256, oidc.PS384, oidc.PS512,
		oidc.ES256, oidc.ES384, oidc.ES512,
		oidc.EdDSA,
	}
}

// idClaims are the claims of an ID token that has passed every check.
type idClaims struct {
	subject  string
	document document
}

// verifyIDToken makes the checks of OIDC Core §3.1.3.7; isNonce is number 11. Which one failed is told,
// never with what.
func (o *oidcRedirector) verifyIDToken(ctx context.Context, m *metadata, tokens tokenAnswer, isNonce func(string) bool) (idClaims, error) {
	token, err := o.verifySignature(ctx, m, tokens.IDToken)
	if err != nil {
		return idClaims{}, err
	}
	var parties struct {
		AuthorizedParty *string `json:"azp"`
	}
	var claims document
	if token.Claims(&parties) != nil || token.Claims(&claims) != nil {
		return idClaims{}, notVerified("claims are malformed")
	}
	switch {
	case !isNonce(token.Nonce):
		return idClaims{}, notVerified("nonce differs")
	case parties.AuthorizedParty != nil && *parties.AuthorizedParty != o.conn.ClientID:
		return idClaims{}, notVerified("azp is another client")
	case parties.AuthorizedParty == nil && len(token.Audience) > 1:
		return idClaims{}, notVerified("several audiences without azp")
	case token.AccessTokenHash != "" && token.VerifyAccessToken(tokens.AccessToken) != nil:
		return idClaims{}, notVerified("at_hash is of another access token")
	case !isSubject(token.Subject):
		return idClaims{}, notVerified("sub is missing or malformed")
	}
	return idClaims{subject: token.Subject, document: claims}, nil
}

// verifySignature checks algorithm, signature, iss, aud and exp. (Of Google, go-oidc takes an iss
// without its scheme as well; the identity is kept under the published issuer either way.)
func (o *oidcRedirector) verifySignature(ctx context.Context, m *metadata, raw string) (*oidc.IDToken, error) {
	if raw == "" {
		return nil, notVerified("no ID token")
	}
	if strings.Count(raw, ".") != 2 { // the compact form (OIDC Core §2); the parser would take JSON too
		return nil, notVerified("ID token is malformed")
	}
	keys := &witness{KeySet: m.keys}
	verifier := oidc.NewVerifier(m.Issuer, keys, &oidc.Config{
		ClientID:             o.conn.ClientID,
		SupportedSigningAlgs: idTokenAlgorithms(),
		Now:                  func() time.Time { return o.client.now().Add(-clockSkew) },
	})
	token, err := verifier.Verify(ctx, raw)
	if err == nil {
		return token, nil
	}
	var unavailable *Error
	if errors.As(keys.err, &unavailable) {
		return nil, unavailable
	}
	if ctx.Err() != nil {
		return nil, unreachable(ctx, opReadKeys, ctx.Err())
	}
	return nil, notVerified("signature, alg, iss, aud or exp is wrong")
}

func notVerified(why string) *Error {
	return &Error{Op: "verifying the ID token", Kind: ErrNotVerified, Code: why}
}

// witness remembers why a key set failed, for the verifier keeps only the text of it: keys that
// can't be had are no proof against the token.
type witness struct {
	oidc.KeySet
	err error
}

// VerifySignature implements oidc.KeySet.
func (w *witness) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	payload, err := w.KeySet.VerifySignature(ctx, jwt)
	w.err = err
	return payload, err
}

const opReadKeys = "reading the signing keys"

// jsonTransport lets go-oidc read keys through our client: bounded, unredirected, and failing with
// an *Error for any answer that is not JSON.
type jsonTransport struct{ client *client }

// RoundTrip implements http.RoundTripper.
func (t jsonTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	var body json.RawMessage
	if err := t.client.getJSON(req.Context(), opReadKeys, req.URL.String(), nil, &body); err != nil {
		return nil, err
	}
	return &http.Response{
		Status:     http.StatusText(http.StatusOK),
		StatusCode: http.StatusOK,
		Header:     http.Header{"Content-Type": {"application/json"}},
		Body:       io.NopCloser(bytes.NewReader(body)),
		Request:    req,
	}, nil
}
