package provider

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

const (
	minRSABits = 2048 // RFC 7518 §3.3
	minHMACKey = 32   // bytes, for HS256; RFC 7518 §3.2
)

// parseSigningKey reads signing_key: PEM, or a private JWK, whose kid the service then knows the key
// by. The key's Algorithm is set. mistake is what is wrong with it, without a word of it.
func parseSigningKey(text string) (key jose.JSONWebKey, mistake string) {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "{") {
		if json.Unmarshal([]byte(text), &key) != nil {
			return jose.JSONWebKey{}, "is not a JWK"
		}
	} else if key.Key, mistake = parsePEMKey(text); mistake != "" {
		return jose.JSONWebKey{}, mistake
	}
	algorithms, mistake := algorithmsOf(key.Key)
	switch {
	case mistake != "":
		return jose.JSONWebKey{}, mistake
	case !key.Valid():
		return jose.JSONWebKey{}, "is not a valid key"
	case key.Algorithm == "":
		key.Algorithm = string(algorithms[0])
	case !slices.Contains(algorithms, jose.SignatureAlgorithm(key.Algorithm)):
		return jose.JSONWebKey{}, "has an alg that does not go with its kind"
	}
	return key, ""
}

// parsePEMKey reads the first block that can be a key: PKCS #8, PKCS #1 or SEC 1.
func parsePEMKey(text string) (key any, mistake string) {
	rest := []byte(strings.ReplaceAll(text, `\n`, "\n")) // as an environment often has it
	for {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			return nil, "is neither PEM nor a JWK"
		}
		if block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "" {
			return nil, "is encrypted"
		}
		var err error
		switch block.Type {
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(block.Bytes)
		case "EC PARAMETERS":
			continue // what openssl writes before the key
		default:
			return nil, "is not a private key"
		}
		if err != nil {
			return nil, "is damaged"
		}
		return key, ""
	}
}

// algorithmsOf are those that a private key can sign with; the first is used unless the key says.
func algorithmsOf(key any) (algorithms []jose.SignatureAlgorithm, mistake string) {
	switch key := key.(type) {
	case *rsa.PrivateKey:
		if key.N == nil || key.N.BitLen() < minRSABits {
			return nil, "is an RSA key of less than 2048 bits"
		}
		return []jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.RS384, jose.RS512, jose.PS384, jose.PS512}, ""
	case *ecdsa.PrivateKey:
		byCurve := map[string]jose.SignatureAlgorithm{"P-256": jose.ES256, "P-384": jose.ES384, "P-521": jose.ES512}
		if algorithm, ok := byCurve[key.Curve.Params().Name]; ok {
			return []jose.SignatureAlgorithm{algorithm}, ""
		}
		return nil, "is on a curve that JSON Web Signature has no name for"
	case ed25519.PrivateKey:
		return []jose.SignatureAlgorithm{jose.EdDSA}, ""
	}
	return nil, "is not a private key"
}

// assertionProblems are those of a client that signs what it says it is.
func (c Connection) assertionProblems() []Problem {
	if c.AuthStyle == AuthSecretJWT {
		switch n := len(c.ClientSecret.Reveal()); {
		case n == 0:
			return []Problem{{"client_secret", "is missing", "copy it from the service's page about your app"}}
		case n < minHMACKey:
			return []Problem{{"client_secret", "is shorter than the 32 bytes that client_secret_jwt needs", "have the service make a longer one, or set auth_style to what the service takes it with: basic or post"}}
		}
		return nil
	}
	var problems []Problem
	if !c.ClientSecret.IsZero() {
		problems = append(problems, Problem{"client_secret", "is set, but auth_style private_key_jwt does not use it", "leave it out"})
	}
	const remedy = "give the private key whose public half the service has: unencrypted PEM (PKCS #8, PKCS #1 or EC) or a JWK with its kid, as in ${SIGNING_KEY}"
	if c.SigningKey.IsZero() {
		return append(problems, Problem{"signing_key", "is missing", remedy})
	}
	if _, mistake := parseSigningKey(c.SigningKey.Reveal()); mistake != "" {
		problems = append(problems, Problem{"signing_key", mistake, remedy})
	}
	return problems
}

// unusedKeyProblem is only for the protocols that sign nothing but assertions.
func (c Connection) unusedKeyProblem() []Problem {
	if c.SigningKey.IsZero() || c.AuthStyle == AuthPrivateKeyJWT {
		return nil
	}
	return []Problem{{"signing_key", "is set, but is not used", "leave it out, or set auth_style: private_key_jwt"}}
}
