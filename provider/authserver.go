package provider

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"

	"linkgate/secret"
)

// authServer is a service's authorization server as one client of it sees it: what oauth2 and oidc
// have in common.
type authServer struct {
	client *client
	conn   Connection
	signer jose.Signer // of client assertions; nil: none are signed
}

// apart is the same with a breaker of its own for other legs.
func (s authServer) apart(log *slog.Logger, legs string) authServer {
	s.client = s.client.apart(log, s.conn.AuthID, legs)
	return s
}

// authorize makes an attempt and the address of its authorization request (RFC 6749 §4.1.1,
// RFC 7636 §4.3). attempt has its state, redirect URI and scopes, and for OpenID Connect its nonce.
func (s authServer) authorize(ctx context.Context, e endpoints, attempt Attempt) (Attempt, string, error) {
	if attempt.State.IsZero() || attempt.RedirectURI == "" {
		return Attempt{}, "", errors.New("authorizing: state and redirect URI must not be empty")
	}
	address, err := url.Parse(e.authorize)
	if err != nil {
		return Attempt{}, "", errors.New("authorizing: the authorization endpoint is no URL")
	}
	attempt.Fingerprint = fingerprint(s.conn, e, attempt.RedirectURI)
	if s.conn.PKCE != PKCENone {
		attempt.Verifier = secret.New(oauth2.GenerateVerifier()) // 32 random bytes
	}
	request := s.request(attempt)
	if e.pushed != "" {
		if request, err = s.push(ctx, e.pushed, request); err != nil {
			return Attempt{}, "", err
		}
	}
	query := address.Query() // an endpoint may have parameters of its own; ours win
	maps.Copy(query, request)
	address.RawQuery = query.Encode()
	return attempt, address.String(), nil
}

// request is an attempt's authorization request.
func (s authServer) request(a Attempt) url.Values {
	request := url.Values{}
	for name, value := range s.conn.AuthorizeParams {
		request.Set(name, value)
	}
	request.Set("response_type", "code")
	request.Set("client_id", s.conn.ClientID)
	request.Set("redirect_uri", a.RedirectURI)
	request.Set("state", a.State.Reveal())
	if !a.Verifier.IsZero() {
		request.Set("code_challenge", oauth2.S256ChallengeFromVerifier(a.Verifier.Reveal()))
		request.Set("code_challenge_method", "S256")
	}
	if scopes := s.conn.scopesOf(a.Scopes); len(scopes) > 0 {
		request.Set("scope", strings.Join(scopes, s.conn.scopeSeparator()))
	}
	if !a.Nonce.IsZero() {
		request.Set("nonce", a.Nonce.Reveal())
	}
	s.conn.nameResources(request)
	return request
}

// exchange checks the callback against the attempt and trades its code for tokens. Until every
// check has passed nothing is sent; then the code is sent once.
func (s authServer) exchange(ctx context.Context, e endpoints, a Attempt, cb Callback) (tokenAnswer, error) {
	if err := checkCallback(s.conn, e, a, cb); err != nil {
		return tokenAnswer{}, err
	}
	form := s.tokenForm("authorization_code")
	form.Set("code", cb.Code.Reveal())
	form.Set("redirect_uri", a.RedirectURI)
	if !a.Verifier.IsZero() {
		form.Set("code_verifier", a.Verifier.Reveal())
	}
	return s.askForTokens(ctx, posting{op: opExchange, endpoint: e.token, form: form})
}

// tokenForm begins a request of the token endpoint.
func (s authServer) tokenForm(grantType string) url.Values {
	form := url.Values{}
	for name, value := range s.conn.TokenParams {
		form.Set(name, value)
	}
	form.Set("grant_type", grantType)
	s.conn.nameResources(form)
	return form
}

// askForTokens sends a request of the token endpoint.
func (s authServer) askForTokens(ctx context.Context, p posting) (tokens tokenAnswer, err error) {
	err = s.postForm(ctx, p, func(ans answer) (err error) {
		tokens, err = readTokenAnswer(p.op, ans)
		return err
	})
	return tokens, err
}

const opExchange = "exchanging the code"

// checkCallback lets a callback through that belongs to the attempt and brings a code. The issuer
// is checked before anything else in it is believed, an error too (RFC 9207 §2.4).
func checkCallback(c Connection, e endpoints, a Attempt, cb Callback) error {
	const op = "checking the callback"
	switch {
	case a.Fingerprint != fingerprint(c, e, a.RedirectURI):
		return &Error{Op: op, Kind: ErrChanged}
	case a.Verifier.IsZero() && c.PKCE != PKCENone:
		return &Error{Op: op, Kind: ErrNotVerified, Code: "attempt without verifier"}
	case cb.Issuer == "" && e.issuerPromised:
		return &Error{Op: op, Kind: ErrNotVerified, Code: "iss is missing"}
	case cb.Issuer != "" && e.issuer != "" && cb.Issuer != e.issuer:
		return &Error{Op: op, Kind: ErrNotVerified, Code: "iss is another issuer's"}
	case cb.Error != "":
		return &Error{Op: op, Kind: kindOf(cb.Error), Code: safeCode(cb.Error)}
	case cb.Code.IsZero():
		return &Error{Op: op, Kind: ErrUnavailable, Code: "neither code nor error"}
	}
	return nil
}

// posting is a form on its way to one of the server's own endpoints.
type posting struct {
	op       string // as in Error
	endpoint string
	form     url.Values
	by       time.Time // as in leg
}

// postForm sends a form, with client authentication. read takes an answer of success; others become
// errors.
func (s authServer) postForm(ctx context.Context, p posting, read func(answer) error) error {
	req, err := s.authenticated(ctx, p)
	if err != nil {
		return err
	}
	return s.client.do(ctx, leg{op: p.op, req: req, by: p.by}, func(ans answer) error {
		if err := refusal(p.op, ans, p.form, s.conn.ClientSecret); err != nil {
			return err
		}
		return read(ans)
	})
}

// authenticated is the request that carries a form, and says which client we are (RFC 6749 §2.3).
func (s authServer) authenticated(ctx context.Context, p posting) (*http.Request, error) {
	switch s.conn.AuthStyle {
	case AuthNone:
		p.form.Set("client_id", s.conn.ClientID)
	case AuthPost:
		p.form.Set("client_id", s.conn.ClientID)
		p.form.Set("client_secret", s.conn.ClientSecret.Reveal())
	case AuthPrivateKeyJWT, AuthSecretJWT:
		if err := s.assert(p.op, p.form); err != nil {
			return nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.endpoint, strings.NewReader(p.form.Encode()))
	if err != nil {
		return nil, &Error{Op: p.op, Kind: ErrUnavailable, Code: "the endpoint is no URL"}
	}
	if s.conn.AuthStyle == AuthBasic {
		// Both parts are form-encoded first.
		req.SetBasicAuth(url.QueryEscape(s.conn.ClientID), url.QueryEscape(s.conn.ClientSecret.Reveal()))
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	return req, nil
}

// refusal turns an answer that is no success into an error: by its error code, whatever its status
// (GitHub and Slack refuse with 200), and without one by its status.
func refusal(op string, ans answer, sent url.Values, clientSecret secret.Text) error {
	var body struct {
		Error json.RawMessage `json:"error"`
	}
	var code string
	if json.Unmarshal(ans.body, &body) == nil && len(body.Error) > 0 {
		_ = json.Unmarshal(body.Error, &code) // not a string: no code
	}
	switch {
	case code != "":
		return &Error{Op: op, Kind: kindOf(code), Code: unlessSent(code, sent, clientSecret), Status: ans.status}
	case ans.status == http.StatusUnauthorized:
		return &Error{Op: op, Kind: ErrRefused, Status: ans.status}
	case ans.status < 200 || ans.status > 299:
		// Not an answer of OAuth's: a firewall's or a proxy's page, say.
		return &Error{Op: op, Kind: ErrUnavailable, Code: "answer makes no sense", Status: ans.status}
	}
	return nil
}

// unlessSent is safeCode that repeats nothing we sent, in the form or with Basic, should a service
// echo it as its error.
func unlessSent(code string, sent url.Values, clientSecret secret.Text) string {
	values := []string{clientSecret.Reveal()}
	for _, more := range sent {
		values = append(values, more...)
	}
	for _, value := range values {
		if strings.Contains(value, code) || len(value) >= shortestSecret && strings.Contains(code, value) {
			return "unknown error"
		}
	}
	return safeCode(code)
}

// shortestSecret is how long a value must be to be looked for inside an error code: shorter ones
// are words such as "code", which codes are made of.
const shortestSecret = 8
