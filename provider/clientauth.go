package provider

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" // RFC 7523 §2.2
	assertionLife = time.Minute
)

// newAuthServer makes ready what signs for the client, where something does.
func newAuthServer(c Connection, d Deps) authServer {
	return authServer{client: newClient(c.AuthID, d), conn: c, signer: c.assertionSigner()}
}

// assertionSigner signs client assertions; nil: the client authenticates in another way, or what it
// would sign with is not usable, of which Problems has more to say.
func (c Connection) assertionSigner() jose.Signer {
	var key jose.JSONWebKey
	switch c.AuthStyle {
	case AuthPrivateKeyJWT:
		var mistake string
		if key, mistake = parseSigningKey(c.SigningKey.Reveal()); mistake != "" {
			return nil
		}
	case AuthSecretJWT:
		if len(c.ClientSecret.Reveal()) < minHMACKey {
			return nil
		}
		key = jose.JSONWebKey{Key: []byte(c.ClientSecret.Reveal()), Algorithm: string(jose.HS256)}
	default:
		return nil
	}
	options := (&jose.SignerOptions{}).WithType("JWT")
	thumbprint := func(name jose.HeaderKey, sum []byte) { // by which Microsoft knows a key
		if len(sum) > 0 {
			options = options.WithHeader(name, base64.RawURLEncoding.EncodeToString(sum))
		}
	}
	thumbprint("x5t", key.CertificateThumbprintSHA1)
	thumbprint("x5t#S256", key.CertificateThumbprintSHA256)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(key.Algorithm), Key: key}, options)
	if err != nil {
		return nil
	}
	return signer
}

// assertionClaims are those of RFC 7523 §3 and OIDC Core §9.
type assertionClaims struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Audience string `json:"aud"`
	ID       string `json:"jti"`
	IssuedAt int64  `json:"iat"`
	Expiry   int64  `json:"exp"`
}

// assert puts a client assertion of its own into each form.
func (s authServer) assert(op string, form url.Values) error {
	unusable := &Error{Op: op, Kind: ErrRefused, Code: "the client has no key to sign with"}
	if s.signer == nil {
		return unusable
	}
	now := s.client.now()
	claims, err := json.Marshal(assertionClaims{
		Issuer: s.conn.ClientID, Subject: s.conn.ClientID, Audience: s.conn.audience(),
		ID: rand.Text(), IssuedAt: now.Unix(), Expiry: now.Add(assertionLife).Unix(),
	})
	if err != nil {
		return unusable
	}
	signed, err := s.signer.Sign(claims)
	if err != nil {
		return unusable
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		return unusable
	}
	form.Set("client_id", s.conn.ClientID)
	form.Set("client_assertion_type", assertionType)
	form.Set("client_assertion", compact)
	return nil
}

// audience is whom assertions are for, at every endpoint: the issuer where it is known, so that no
// other server can pass them on; else the token endpoint (docs/decisions/0015).
func (c Connection) audience() string {
	if c.Issuer != "" {
		return c.Issuer
	}
	return c.TokenURL
}
