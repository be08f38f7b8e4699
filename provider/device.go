package provider

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"linkgate/secret"
)

// DeviceSignIn runs a sign-in in whichever browser the user likes, on another device even, for windows
// that can't be redirected (RFC 8628): the user types a code at the service, and the service is asked
// from time to time whether that is done.
type DeviceSignIn interface {
	// StartDevice has the service make the codes (RFC 8628 §3.1). scopes are as in Authorize.
	StartDevice(ctx context.Context, scopes ...string) (DeviceAttempt, error)
	// PollDevice asks once for the tokens, and learns who the account is (§3.4). When it fails after tokens
	// were issued, it revokes them, as far as the service can be made to. ErrPending and ErrSlowDown: ask
	// again; all else ends the attempt. ErrDenied: the user said no. ErrExpired: it took too long.
	PollDevice(ctx context.Context, a DeviceAttempt) (Grant, error)
}

// SlowDown is by how much the interval grows, from then on, with each ErrSlowDown (RFC 8628 §3.5).
const SlowDown = 5 * time.Second

// DeviceGrant is the grant type of a sign-in by code (RFC 8628 §3.4).
const DeviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

// DeviceDiscover as device_url of an oidc connection: codes are made wherever the issuer says.
const DeviceDiscover = "discover"

// DeviceAttempt is what a sign-in by code must remember until it has ended (RFC 8628 §3.2). It holds
// secrets: store it sealed (Marshal, UnmarshalDeviceAttempt).
type DeviceAttempt struct {
	DeviceCode  secret.Text
	UserCode    secret.Text       // who knows it can have an account of theirs linked
	URI         string            // where the user types it; https, short enough to be typed too
	CompleteURI secret.Text       // URI with the user code in it; empty: the service has none
	ExpiresIn   time.Duration     // life of the codes, from when they were made
	Interval    time.Duration     // to wait, at least, before the service is asked, and between two times
	Fingerprint string            // as in Attempt
	Settings    map[string]string // that the user was asked for
	Scopes      []string          // as in Attempt
}

const (
	opStartDevice = "asking for a code to sign in with"
	opPollDevice  = "asking whether the code has been typed"

	usualInterval  = 5 * time.Second // where the service states none (§3.2)
	longestWait    = time.Hour       // for what a service states
	maxUserCode    = 32              // bytes; §6.1 has eight letters for an example
	maxDeviceCode  = 4096
	maxDeviceURI   = 512
	maxCompleteURI = 2048
)

// deviceSignIn implements DeviceSignIn for oauth2 and oidc, which differ in where and in what tokens say.
type deviceSignIn struct {
	authServer
	endpoints func(context.Context) (endpoints, error) // authorize is the device authorization endpoint
	grant     func(ctx context.Context, tokens tokenAnswer, asked []string) (Grant, error)
}

var _ DeviceSignIn = (*deviceSignIn)(nil)

// StartDevice implements DeviceSignIn.
func (d *deviceSignIn) StartDevice(ctx context.Context, scopes ...string) (DeviceAttempt, error) {
	e, err := d.endpoints(ctx)
	if err != nil {
		return DeviceAttempt{}, err
	}
	form := url.Values{"client_id": {d.conn.ClientID}} // beside other authentication it harms nowhere, and some want it
	if len(scopes) > 0 && d.conn.protocol() == "oidc" {
		scopes = withOpenID(scopes)
	}
	if asked := d.conn.scopesOf(scopes); len(asked) > 0 {
		form.Set("scope", strings.Join(asked, d.conn.scopeSeparator()))
	}
	d.conn.nameResources(form)
	var attempt DeviceAttempt
	err = d.postForm(ctx, posting{op: opStartDevice, endpoint: e.authorize, form: form}, func(ans answer) (err error) {
		attempt, err = readDeviceAnswer(ans, e.authorize, d.client.now())
		return err
	})
	if err != nil {
		// access_denied is a refusal: the user has not been asked yet.
		return DeviceAttempt{}, reclassify(err, func(e *Error) bool { return errors.Is(e, ErrDenied) || errors.Is(e, ErrInvalidGrant) }, ErrRefused)
	}
	attempt.Fingerprint, attempt.Scopes = fingerprint(d.conn, e, ""), scopes
	return attempt, nil
}

// PollDevice implements DeviceSignIn.
func (d *deviceSignIn) PollDevice(ctx context.Context, a DeviceAttempt) (Grant, error) {
	e, err := d.endpoints(ctx)
	if err != nil {
		return Grant{}, reclassify(err, isWeather, ErrSlowDown)
	}
	if a.Fingerprint != fingerprint(d.conn, e, "") {
		return Grant{}, &Error{Op: opPollDevice, Kind: ErrChanged}
	}
	form := d.tokenForm(DeviceGrant)
	form.Set("device_code", a.DeviceCode.Reveal())
	tokens, err := d.askForTokens(ctx, posting{op: opPollDevice, endpoint: e.token, form: form})
	if err != nil {
		return Grant{}, pollError(err)
	}
	return d.grant(ctx, tokens, a.Scopes)
}

// pollError says what the error codes of RFC 8628 §3.5 mean, and Microsoft's authorization_declined:
// https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-device-code#expected-errors
// A service that can't be reached is asked again, less often (same section).
func pollError(err error) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	kind := e.Kind
	switch e.Code {
	case "authorization_pending":
		kind = ErrPending
	case "slow_down":
		kind = ErrSlowDown
	case "authorization_declined":
		kind = ErrDenied
	case "expired_token":
		kind = ErrExpired
	default:
		if isWeather(e) {
			kind = ErrSlowDown
		}
	}
	return reclassify(err, func(*Error) bool { return true }, kind)
}

func isWeather(e *Error) bool { return errors.Is(e, ErrUnavailable) }

// readDeviceAnswer reads an answer of RFC 8628 §3.2. What is shown to the user is a stranger's text: a
// code is short and of plain signs, an address https, unless the service itself is on loopback without
// TLS, and the one with the code in it leads to the same place.
func readDeviceAnswer(ans answer, endpoint string, now time.Time) (DeviceAttempt, error) {
	var made struct {
		DeviceCode  string          `json:"device_code"`
		UserCode    string          `json:"user_code"`
		URI         string          `json:"verification_uri"`
		URL         string          `json:"verification_url"` // Google's name for it
		CompleteURI string          `json:"verification_uri_complete"`
		ExpiresIn   json.RawMessage `json:"expires_in"`
		Interval    json.RawMessage `json:"interval"`
	}
	senseless := func(what string) error {
		return &Error{Op: opStartDevice, Kind: ErrUnavailable, Code: what, Status: ans.status}
	}
	if json.Unmarshal(ans.body, &made) != nil {
		return DeviceAttempt{}, senseless("answer is not the JSON expected")
	}
	uri, ends := cmp.Or(made.URI, made.URL), after(made.ExpiresIn, now)
	switch {
	case ans.status != http.StatusOK:
		return DeviceAttempt{}, senseless("answer is not 200")
	case !isToken(made.DeviceCode) || len(made.DeviceCode) > maxDeviceCode:
		return DeviceAttempt{}, senseless("no usable device_code")
	case !isUserCode(made.UserCode):
		return DeviceAttempt{}, senseless("no usable user_code")
	case !isShownURI(uri, endpoint) || len(uri) > maxDeviceURI:
		return DeviceAttempt{}, senseless("no usable verification_uri")
	case ends.IsZero():
		return DeviceAttempt{}, senseless("no usable expires_in")
	}
	complete := made.CompleteURI
	if !isShownURI(complete, endpoint) || originOf(complete) != originOf(uri) || len(complete) > maxCompleteURI {
		complete = ""
	}
	return DeviceAttempt{
		DeviceCode: secret.New(made.DeviceCode), UserCode: secret.New(made.UserCode), URI: uri, CompleteURI: secret.New(complete),
		ExpiresIn: min(ends.Sub(now), longestWait), Interval: interval(made.Interval, now),
	}, nil
}

func interval(raw json.RawMessage, now time.Time) time.Duration {
	next := after(raw, now)
	if next.IsZero() {
		return usualInterval
	}
	return max(time.Second, min(next.Sub(now), longestWait))
}

// isUserCode tells what can be read off one screen and typed at another.
func isUserCode(s string) bool {
	return len(s) <= maxUserCode && isToken(strings.ReplaceAll(s, " ", "")) && s == strings.TrimSpace(s)
}

// isShownURI tells an address that the user may be sent to, of what endpoint answered.
func isShownURI(s, endpoint string) bool {
	return isToken(s) && IsSafeURL(s) && (isHTTPS(s) || !isHTTPS(endpoint))
}

// deviceEndpoint is where an oidc connection has codes made.
func (c Connection) deviceEndpoint(m *metadata) (string, error) {
	switch address := m.DeviceEndpoint; {
	case c.DeviceURL != DeviceDiscover:
		return c.DeviceURL, nil
	case address == "":
		return "", &Error{Op: opStartDevice, Kind: ErrRefused, Code: "no endpoint for it is published"}
	case !IsSafeURL(address) || (isHTTPS(m.Issuer) && !isHTTPS(address)):
		return "", &Error{Op: opStartDevice, Kind: ErrNotVerified, Code: "the endpoint is not a safe URL"}
	default:
		return address, nil
	}
}

func (c Connection) deviceProblems() []Problem {
	switch {
	case c.DeviceURL != DeviceDiscover:
		return c.templateProblem("device_url", c.DeviceURL, optional)
	case c.protocol() != "oidc":
		return []Problem{{"device_url", "is discover, and only an oidc connection has discovery", "write the address from the service's documentation"}}
	}
	return nil
}
