package provider

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"linkgate/secret"
)

const oauth1Name = "oauth1"

// oauth1Service signs in with OAuth 1.0a (RFC 5849 §2): a request token, which the user allows to be
// used, is traded for one of the account's. There is neither refresh nor revocation.
type oauth1Service struct {
	client *client
	conn   Connection
	signer signer
	whose  oauth2Identifier // reads a profile, which is the same in both OAuths
}

var (
	_ Redirector = (*oauth1Service)(nil)
	_ Identifier = (*oauth1Service)(nil)
)

func oauth1Protocol() protocol {
	return protocol{
		name: oauth1Name, problems: oauth1Problems, open: openOAuth1,
		client: oauth1ClientProblems, reserved: []string{"oauth_callback", "oauth_consumer_key", "oauth_token", "oauth_verifier", "state"},
	}
}

func openOAuth1(c Connection, d Deps) *Provider {
	asOAuth2 := c.Clone()
	asOAuth2.TokenURL = c.AccessTokenURL
	o := &oauth1Service{
		client: newClient(c.AuthID, d),
		conn:   c,
		whose:  oauth2Identifier{conn: asOAuth2},
		signer: signer{clientID: c.ClientID, method: c.signatureMethod(), now: d.Now, nonce: rand.Text},
	}
	p := &Provider{Connection: c, Redirector: o, Applier: oauth1Applier{o.signer}}
	if !c.identifiedByToken() {
		p.Identifier = o
	}
	return p
}

const (
	opRequestToken = "asking for a request token"
	opVerifier     = "exchanging the verifier"
)

// Authorize implements Redirector. OAuth 1 has no state of its own: ours is a parameter of the
// callback's address, which the service returns as it is (RFC 5849 §2.2). It has no scopes either.
func (o *oauth1Service) Authorize(ctx context.Context, state secret.Text, redirectURI string, _ ...string) (Attempt, string, error) {
	callback, err := url.Parse(redirectURI)
	if state.IsZero() || redirectURI == "" || err != nil {
		return Attempt{}, "", errors.New("authorizing: state and redirect URI must not be empty")
	}
	callback.RawQuery = url.Values{"state": {state.Reveal()}}.Encode()
	answer, err := o.ask(ctx, opRequestToken, o.conn.RequestTokenURL, tokenPair{}, param{"oauth_callback", callback.String()})
	if err != nil {
		return Attempt{}, "", err
	}
	if !strings.EqualFold(answer.Get("oauth_callback_confirmed"), "true") {
		// OAuth 1.0 of before the session fixation attack of 2009.
		return Attempt{}, "", &Error{Op: opRequestToken, Kind: ErrRefused, Code: "the callback is not confirmed"}
	}
	attempt := Attempt{
		State:        state,
		RequestToken: secret.New(answer.Get("oauth_token")),
		TokenSecret:  secret.New(answer.Get("oauth_token_secret")),
		RedirectURI:  redirectURI,
		Fingerprint:  o.fingerprint(redirectURI),
	}
	address, err := o.authorizeURL(attempt.RequestToken)
	return attempt, address, err
}

func (o *oauth1Service) authorizeURL(requestToken secret.Text) (string, error) {
	address, err := url.Parse(o.conn.AuthorizeURL)
	if err != nil {
		return "", errors.New("authorizing: authorize_url is no URL")
	}
	query := address.Query()
	for name, value := range o.conn.AuthorizeParams {
		query.Set(name, value)
	}
	query.Set("oauth_token", requestToken.Reveal())
	address.RawQuery = query.Encode()
	return address.String(), nil
}

func (o *oauth1Service) fingerprint(redirectURI string) string {
	e := endpoints{issuer: o.conn.Issuer, authorize: o.conn.AuthorizeURL, token: o.conn.RequestTokenURL + " " + o.conn.AccessTokenURL}
	return fingerprint(o.conn, e, redirectURI)
}

// Exchange implements Redirector.
func (o *oauth1Service) Exchange(ctx context.Context, a Attempt, cb Callback) (Grant, error) {
	if err := o.check(a, cb); err != nil {
		return Grant{}, err
	}
	answer, err := o.ask(ctx, opVerifier, o.conn.AccessTokenURL, tokenPair{a.RequestToken, a.TokenSecret}, param{"oauth_verifier", cb.OAuthVerifier.Reveal()})
	if err != nil {
		return Grant{}, err
	}
	credential := Credential{
		AccessToken: secret.New(answer.Get("oauth_token")),
		TokenSecret: secret.New(answer.Get("oauth_token_secret")),
		TokenType:   oauth1Name,
		IssuedAt:    o.client.now().UTC(),
	}
	identity, err := o.identity(ctx, told(answer), credential)
	if err != nil {
		return Grant{}, err
	}
	return Grant{Credential: credential, Identity: identity}, nil
}

// identity is whose a new credential is: as its answer tells itself, or else the service's API.
func (o *oauth1Service) identity(ctx context.Context, answer document, c Credential) (identity Identity, err error) {
	profile := answer
	if !o.conn.identifiedByToken() {
		if profile, err = o.profile(ctx, c); err != nil {
			return Identity{}, err
		}
	}
	if identity, err = o.whose.of(profile); err != nil {
		return Identity{}, err
	}
	identity.Settings, err = o.conn.settings(answer, profile)
	return identity, err
}

// check lets a callback through that belongs to the attempt and brings a verifier. Until it has,
// nothing is sent.
func (o *oauth1Service) check(a Attempt, cb Callback) error {
	const op = "checking the callback"
	ours, theirs := a.RequestToken.Reveal(), cb.OAuthToken.Reveal()
	switch {
	case a.Fingerprint != o.fingerprint(a.RedirectURI):
		return &Error{Op: op, Kind: ErrChanged}
	case cb.Error != "":
		return &Error{Op: op, Kind: kindOf(cb.Error), Code: safeCode(cb.Error)}
	case theirs != "" && subtle.ConstantTimeCompare([]byte(ours), []byte(theirs)) != 1:
		return &Error{Op: op, Kind: ErrNotVerified, Code: "oauth_token is another attempt's"}
	case cb.OAuthVerifier.IsZero(): // how some say no
		return &Error{Op: op, Kind: ErrDenied, Code: "no verifier"}
	case theirs == "":
		return &Error{Op: op, Kind: ErrNotVerified, Code: "oauth_token is missing"}
	}
	return nil
}

// ask sends a signed request for a token, once, and reads the answer (RFC 5849 §2.1, §2.3).
func (o *oauth1Service) ask(ctx context.Context, op, address string, t tokenPair, p param) (values url.Values, err error) {
	// A body of unknown length, which is empty: net/http sends again on its own what has none at all.
	body := struct{ io.Reader }{strings.NewReader("")}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, body)
	if err != nil {
		return nil, &Error{Op: op, Kind: ErrUnavailable, Code: "the endpoint is no URL"}
	}
	if err := o.signer.sign(req, "", t, p); err != nil {
		return nil, &Error{Op: op, Kind: ErrRefused, Code: "signing_key can't sign"}
	}
	err = o.client.do(ctx, leg{op: op, req: req}, func(ans answer) (err error) {
		if err := oauth1Refusal(op, ans); err != nil {
			return err
		}
		values, err = readTokenPair(op, ans)
		return err
	})
	return values, err
}

// Identify implements Identifier. Settings that only the token answer tells are not among the
// identity's.
func (o *oauth1Service) Identify(ctx context.Context, c Credential) (Identity, error) {
	profile, err := o.profile(ctx, c)
	if err != nil {
		return Identity{}, err
	}
	identity, err := o.whose.of(profile)
	if err != nil {
		return Identity{}, err
	}
	identity.Settings, err = o.conn.settingsTold(profile)
	return identity, err
}

// profile asks the service's API whose token it is.
func (o *oauth1Service) profile(ctx context.Context, c Credential) (profile document, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, o.conn.Identity.URL, nil)
	if err != nil {
		return document{}, &Error{Op: opIdentify, Kind: ErrUnavailable, Code: "identity.url is no URL"}
	}
	req.Header.Set("Accept", "application/json")
	o.conn.asAPI(func(r *http.Request) { oauth1Applier{o.signer}.Apply(r, c) })(req)
	err = o.client.do(ctx, leg{op: opIdentify, req: req}, func(ans answer) error {
		if err := oauth1Refusal(opIdentify, ans); err != nil {
			return o.ifRejected(err, ans)
		}
		if json.Unmarshal(ans.body, &profile) != nil {
			return &Error{Op: opIdentify, Kind: ErrUnavailable, Code: "answer is not the JSON expected", Status: ans.status}
		}
		return nil
	})
	return profile, err
}

// ifRejected is a bare 401 to a credential: it is worth nothing any more. But where the service's
// clock is not ours it refuses every signature, and no user can mend that.
func (o *oauth1Service) ifRejected(refused *Error, ans answer) *Error {
	if refused.Status != http.StatusUnauthorized || refused.Code != "" {
		return refused
	}
	rejected := *refused
	rejected.Kind = ErrInvalidGrant
	date, err := http.ParseTime(ans.header.Get("Date"))
	if err == nil && o.client.now().Sub(date).Abs() > maxClockSkew {
		rejected.Kind, rejected.Code = ErrRefused, "the service's clock is not ours"
	}
	return &rejected
}

// maxClockSkew is how far apart clocks may be for most services to take a signature.
const maxClockSkew = 4 * time.Minute
