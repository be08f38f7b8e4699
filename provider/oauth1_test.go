package provider

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http2"

	"linkgate/demo"
	"linkgate/secret"
)

const photosSecret = "client+secret:%/ü"

// photos is the demo's service of OAuth 1, which checks every signature, on loopback. A test can
// answer in its place, or change requests on their way.
type photos struct {
	*httptest.Server
	t      *testing.T
	photos *demo.Photos

	mu     sync.Mutex
	answer map[string]http.HandlerFunc // by path
	change func(*http.Request)         // on the way
	sent   map[string]int
}

func newPhotos(t *testing.T, c demo.PhotosClient) *photos {
	t.Helper()
	c.Key, c.Callback = "client id", theRedirectURI
	p := &photos{t: t, photos: demo.NewPhotosFor(c), answer: map[string]http.HandlerFunc{}, sent: map[string]int{}}
	p.Server = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.Close)
	return p
}

func (p *photos) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.sent[r.URL.Path]++
	answer, change := p.answer[r.URL.Path], p.change
	p.mu.Unlock()
	if answer != nil {
		answer(w, r)
		return
	}
	if change != nil {
		change(r)
	}
	http.StripPrefix("/ü", p.photos).ServeHTTP(w, r)
}

func (p *photos) count(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sent["/ü"+path]
}

func (p *photos) replying(path string, status int, body string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer["/ü"+path] = replying(status, body)
}

func (p *photos) connection() Connection {
	at := p.URL + "/%C3%BC"
	return Connection{
		AuthID: "7f3c", Provider: "oauth1", ClientID: "client id", ClientSecret: secret.New(photosSecret),
		RequestTokenURL: at + "/request_token", AuthorizeURL: at + "/authorize?lang=de", AccessTokenURL: at + "/access_token",
		AuthorizeParams: map[string]string{"scope": "read,write"},
		Identity:        IdentityPaths{URL: at + "/api/me?fields=a&fields=b%20ü", ID: "account.id", Name: "account.display_name"},
	}
}

func (p *photos) open(c Connection) *Provider {
	p.t.Helper()
	provider, err := New(c, Deps{AllowPrivateNetworks: true})
	if err != nil {
		p.t.Fatal(err)
	}
	return provider
}

// begin runs Authorize.
func (p *photos) begin(provider *Provider) (Attempt, *url.URL) {
	p.t.Helper()
	attempt, address, err := provider.Redirector.Authorize(p.t.Context(), secret.New("state-1"), theRedirectURI)
	if err != nil {
		p.t.Fatal(err)
	}
	u, err := url.Parse(address)
	if err != nil {
		p.t.Fatal(err)
	}
	return attempt, u
}

// allow signs in at the service and gives what the callback is sent.
func (p *photos) allow(address *url.URL) Callback {
	p.t.Helper()
	browser := demo.NewBrowser()
	browser.Stop = func(u *url.URL) bool { return u.Host == "linkgate.example" }
	page, err := browser.Get(p.t.Context(), address.String())
	if err == nil {
		page, err = browser.Submit(p.t.Context(), page, "sign-in", url.Values{"username": {"ada"}, "password": {demo.Password}})
	}
	if err == nil {
		page, err = browser.Submit(p.t.Context(), page, "allow", nil)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	query := page.URL.Query()
	if got := query.Get("state"); got != "state-1" || page.URL.Path != "/callback/7f3c" {
		p.t.Errorf("got the callback %s, without our state", page.URL.Path)
	}
	return Callback{OAuthToken: secret.New(query.Get("oauth_token")), OAuthVerifier: secret.New(query.Get("oauth_verifier"))}
}

// connect runs a whole sign-in.
func (p *photos) connect(provider *Provider) (Grant, error) {
	p.t.Helper()
	attempt, address := p.begin(provider)
	return provider.Redirector.Exchange(p.t.Context(), attempt, p.allow(address))
}

// TestOAuth1Journey: sign in, ask who it is, and call with a form, with both methods, at an address
// with a port, a path and signs that need escaping.
func TestOAuth1Journey(t *testing.T) {
	key := newRSAKey(t)
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	for method, change := range map[string]func(*Connection){
		"":          func(*Connection) {},
		"hmac-sha1": func(*Connection) {},
		"RSA-SHA1":  func(c *Connection) { c.ClientSecret, c.SigningKey = secret.Text{}, oauth1PEM(key) },
		"rsa-sha1":  func(c *Connection) { c.ClientSecret, c.SigningKey = secret.Text{}, oauth1PKCS8(t, key) },
	} {
		t.Run("method "+method, func(t *testing.T) {
			p := newPhotos(t, demo.PhotosClient{Secret: secret.New(photosSecret), PublicKey: public})
			c := p.connection()
			c.SignatureMethod = method
			change(&c)
			provider := p.open(c)
			if provider.Refresher != nil || provider.Revoker != nil || provider.Form != nil {
				t.Error("OAuth 1 has no refresh, no revocation and no form")
			}
			attempt, address := p.begin(provider)
			if q := address.Query(); q.Get("lang") != "de" || q.Get("scope") != "read,write" || q.Get("oauth_token") == "" || len(q) != 3 {
				t.Errorf("got the address %s", address)
			}
			stored, err := attempt.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			if attempt, err = UnmarshalAttempt(stored); err != nil {
				t.Fatal(err)
			}
			grant, err := provider.Redirector.Exchange(t.Context(), attempt, p.allow(address))
			if err != nil {
				t.Fatal(err)
			}
			want := Identity{Issuer: p.URL, Subject: "photos_1815", Name: "Ada Lovelace"}
			if diff := cmp.Diff(want, grant.Identity); diff != "" {
				t.Errorf("identity (-want +got):\n%s", diff)
			}
			if got := []int{p.count("/request_token"), p.count("/access_token"), p.count("/api/me")}; !cmp.Equal(got, []int{1, 1, 1}) {
				t.Errorf("got %v requests of each kind, want one", got)
			}
			if again, err := provider.Identifier.Identify(t.Context(), grant.Credential); err != nil || again.Subject != want.Subject {
				t.Errorf("identifying: got %+v and %v", again, err)
			}
			p.callWithForm(provider, grant.Credential)
		})
	}
}

func (p *photos) callWithForm(provider *Provider, c Credential) {
	p.t.Helper()
	r := formRequest(p.t, "POST", p.URL+"/%C3%BC/api/echo?tag=b&tag=a&oauth_token=mine", "title=Caf%C3%A9+%26&tag=c&empty")
	provider.Applier.Apply(r, c)
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	var got struct{ Params [][2]string }
	if json.Unmarshal(body, &got) != nil || res.StatusCode != 200 {
		p.t.Fatalf("got %d %s", res.StatusCode, body)
	}
	want := [][2]string{{"empty", ""}, {"tag", "a"}, {"tag", "b"}, {"tag", "c"}, {"title", "Café &"}}
	if diff := cmp.Diff(want, got.Params); diff != "" {
		p.t.Errorf("parameters (-want +got):\n%s", diff)
	}
}

// TestOAuth1Tampered: a request that is changed on its way is refused by who checks it.
func TestOAuth1Tampered(t *testing.T) {
	p := newPhotos(t, demo.PhotosClient{Secret: secret.New(photosSecret)})
	provider := p.open(p.connection())
	grant, err := p.connect(provider)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*http.Request){
		"query": func(r *http.Request) { r.URL.RawQuery += "&admin=1" },
		"path":  func(r *http.Request) { r.RequestURI = strings.Replace(r.RequestURI, "/me", "/me2", 1) },
		"host":  func(r *http.Request) { r.Host = "other.example" },
		"nonce": func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), `oauth_nonce="`, `oauth_nonce="x`, 1))
		},
	} {
		t.Run(name, func(t *testing.T) {
			p.change = change
			_, err := provider.Identifier.Identify(t.Context(), grant.Credential)
			if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "signature_invalid") {
				t.Errorf("got %v, want signature_invalid", err)
			}
			checkQuiet(t, err, grant.Credential.AccessToken.Reveal(), grant.Credential.TokenSecret.Reveal())
		})
	}
}

// TestOAuth1Callback: what comes back through the browser is checked before the verifier is sent.
func TestOAuth1Callback(t *testing.T) {
	p := newPhotos(t, demo.PhotosClient{Secret: secret.New(photosSecret)})
	provider := p.open(p.connection())
	attempt, _ := p.begin(provider)
	other, _ := p.begin(provider)
	token, verifier := attempt.RequestToken, secret.New("verifier-1")
	tests := map[string]struct {
		callback Callback
		change   func(*Connection, *Attempt)
		want     error
	}{
		"another attempt's token": {Callback{OAuthToken: other.RequestToken, OAuthVerifier: verifier}, nil, ErrNotVerified},
		"its beginning":           {Callback{OAuthToken: secret.New(token.Reveal()[:5]), OAuthVerifier: verifier}, nil, ErrNotVerified},
		"no token":                {Callback{OAuthVerifier: verifier}, nil, ErrNotVerified},
		"another's, no verifier":  {Callback{OAuthToken: other.RequestToken}, nil, ErrNotVerified},
		"no verifier":             {Callback{OAuthToken: token}, nil, ErrDenied},
		"nothing":                 {Callback{}, nil, ErrDenied},
		"denied":                  {Callback{Error: "access_denied"}, nil, ErrDenied},
		"a code of OAuth 2":       {Callback{Code: secret.New(theCode)}, nil, ErrDenied},
		"an error":                {Callback{Error: "temporarily_unavailable"}, nil, ErrUnavailable},
		"an attempt without":      {Callback{OAuthVerifier: verifier}, func(_ *Connection, a *Attempt) { a.RequestToken = secret.Text{} }, ErrNotVerified},
		"another client":          {Callback{OAuthToken: token, OAuthVerifier: verifier}, func(c *Connection, _ *Attempt) { c.ClientID = "x" }, ErrChanged},
		"another request URL":     {Callback{OAuthToken: token, OAuthVerifier: verifier}, func(c *Connection, _ *Attempt) { c.RequestTokenURL += "2" }, ErrChanged},
		"another authorize URL":   {Callback{OAuthToken: token, OAuthVerifier: verifier}, func(c *Connection, _ *Attempt) { c.AuthorizeURL += "2" }, ErrChanged},
		"another access URL":      {Callback{OAuthToken: token, OAuthVerifier: verifier}, func(c *Connection, _ *Attempt) { c.AccessTokenURL += "2" }, ErrChanged},
		"another redirect URI":    {Callback{OAuthToken: token, OAuthVerifier: verifier}, func(_ *Connection, a *Attempt) { a.RedirectURI += "2" }, ErrChanged},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c, a := p.connection(), attempt
			if test.change != nil {
				test.change(&c, &a)
			}
			_, err := p.open(c).Redirector.Exchange(t.Context(), a, test.callback)
			if !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			checkQuiet(t, err, token.Reveal(), other.RequestToken.Reveal(), "verifier-1")
		})
	}
	if got := p.count("/access_token"); got != 0 {
		t.Errorf("the verifier was sent %d times, want never", got)
	}
}

// TestOAuth1StateIsWanted: nothing starts without it.
func TestOAuth1StateIsWanted(t *testing.T) {
	p := newPhotos(t, demo.PhotosClient{Secret: secret.New(photosSecret)})
	for _, start := range [][2]string{{"", theRedirectURI}, {"state-1", ""}} {
		if _, _, err := p.open(p.connection()).Redirector.Authorize(t.Context(), secret.New(start[0]), start[1]); err == nil {
			t.Errorf("%q: an attempt began", start)
		}
	}
	if p.count("/request_token") != 0 {
		t.Error("a request token was asked for")
	}
}

// TestOAuth1Answers: what an answer to each leg means, whoever wrote it.
func TestOAuth1Answers(t *testing.T) {
	const good = "oauth_token=t&oauth_token_secret=s&oauth_callback_confirmed=true"
	tests := map[string]struct {
		status int
		body   string
		want   error // nil: taken
	}{
		"good":                    {200, good, nil},
		"with a line's end":       {201, " " + good + "\r\n", nil},
		"not confirmed":           {200, "oauth_token=t&oauth_token_secret=s", ErrRefused},
		"confirmed as false":      {200, "oauth_token=t&oauth_token_secret=s&oauth_callback_confirmed=false", ErrRefused},
		"no token":                {200, "oauth_token=&oauth_token_secret=s&oauth_callback_confirmed=true", ErrUnavailable},
		"no secret":               {200, "oauth_token=t&oauth_callback_confirmed=true", ErrUnavailable},
		"two tokens":              {200, good + "&oauth_token=u", ErrUnavailable},
		"a token of two lines":    {200, "oauth_token=t%0At&oauth_token_secret=s&oauth_callback_confirmed=true", ErrUnavailable},
		"a token too long":        {200, "oauth_token=" + strings.Repeat("t", 4097) + "&oauth_token_secret=s", ErrUnavailable},
		"a page":                  {200, "<html>", ErrUnavailable},
		"a redirect":              {302, "", ErrUnavailable},
		"a server's error":        {503, "", ErrUnavailable},
		"one with a problem":      {500, "oauth_problem=token_rejected", ErrUnavailable},
		"too many":                {429, "", ErrUnavailable},
		"gone":                    {404, "", ErrUnavailable},
		"unauthorized":            {401, "Failed to validate", ErrRefused},
		"forbidden":               {403, "", ErrRefused},
		"key unknown":             {401, "oauth_problem=consumer_key_unknown", ErrRefused},
		"signature":               {401, "oauth_problem=signature_invalid&oauth_problem_advice=x", ErrRefused},
		"timestamp":               {400, "oauth_acceptable_timestamps=1-2&oauth_problem=timestamp_refused", ErrRefused},
		"token rejected":          {401, "oauth_problem=token_rejected", ErrInvalidGrant},
		"token used, with 200":    {200, "oauth_problem=token_used", ErrInvalidGrant},
		"the user said no":        {401, "oauth_problem=permission_denied", ErrDenied},
		"unheard of":              {401, "oauth_problem=the_code_of_this_test", ErrRefused},
		"a problem within a name": {401, "not_oauth_problem=token_rejected", ErrRefused},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := newPhotos(t, demo.PhotosClient{Secret: secret.New(photosSecret)})
			p.replying("/request_token", test.status, test.body)
			_, _, err := p.open(p.connection()).Redirector.Authorize(t.Context(), secret.New("state-1"), theRedirectURI)
			if !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			checkQuiet(t, err, "Failed")
		})
	}
}

// TestOAuth1Identify: what an API's answer to an old credential means.
func TestOAuth1Identify(t *testing.T) {
	date := func(at time.Time) http.Header { return http.Header{"Date": {at.UTC().Format(http.TimeFormat)}} }
	says := func(problem string) http.Header {
		return http.Header{"Www-Authenticate": {`OAuth realm="x", oauth_problem="` + problem + `", oauth_problem_advice="y"`}}
	}
	tests := map[string]struct {
		status int
		header http.Header
		body   string
		want   error // nil: taken
	}{
		"good":                     {200, nil, `{"account":{"id":1}}`, nil},
		"no id":                    {200, nil, `{}`, ErrNotVerified},
		"no JSON":                  {200, nil, `<html>`, ErrUnavailable},
		"unauthorized":             {401, nil, `{"errors":[]}`, ErrInvalidGrant},
		"unauthorized, clock fast": {401, date(time.Now().Add(-10 * time.Minute)), "", ErrRefused},
		"unauthorized, clock slow": {401, date(time.Now().Add(10 * time.Minute)), "", ErrRefused},
		"unauthorized, clock good": {401, date(time.Now().Add(-time.Minute)), "", ErrInvalidGrant},
		"forbidden":                {403, nil, "", ErrRefused},
		"not there":                {404, nil, "", ErrRefused},
		"rejected":                 {401, says("token_rejected"), "", ErrInvalidGrant},
		"rejected with 403":        {403, says("token_revoked"), "", ErrInvalidGrant},
		"our key":                  {401, says("consumer_key_unknown"), "", ErrRefused},
		"our signature":            {401, says("signature_invalid"), "", ErrRefused},
		"our clock":                {401, says("timestamp_refused"), "", ErrRefused},
		"nonce":                    {401, says("nonce_used"), "", ErrRefused},
		"unheard of":               {401, says("sunspots"), "", ErrRefused},
		"down":                     {502, nil, "", ErrUnavailable},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := newPhotos(t, demo.PhotosClient{Secret: secret.New(photosSecret)})
			p.answer["/ü/api/me"] = func(w http.ResponseWriter, _ *http.Request) {
				for name, values := range test.header {
					w.Header()[name] = values
				}
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.body)
			}
			_, err := p.open(p.connection()).Identifier.Identify(t.Context(), Credential{AccessToken: secret.New(theAccessToken), TokenSecret: secret.New("ts")})
			if !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			checkQuiet(t, err, "sunspots")
		})
	}
}

// TestOAuth1ClockIsWrong: the service itself refuses, and no user is sent to sign in again.
func TestOAuth1ClockIsWrong(t *testing.T) {
	p := newPhotos(t, demo.PhotosClient{Secret: secret.New(photosSecret)})
	late, err := New(p.connection(), Deps{AllowPrivateNetworks: true, Now: func() time.Time { return time.Now().Add(-time.Hour) }})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = late.Redirector.Authorize(t.Context(), secret.New("state-1"), theRedirectURI)
	if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "timestamp_refused") {
		t.Errorf("got %v, want timestamp_refused", err)
	}
}

// TestOAuth1VerifierIsSentOnce: nor is it when the protocol lets the transport send it again.
func TestOAuth1VerifierIsSentOnce(t *testing.T) {
	for name, end := range map[string]func(*http2.Framer, uint32){
		"REFUSED_STREAM": func(f *http2.Framer, stream uint32) { _ = f.WriteRSTStream(stream, http2.ErrCodeRefusedStream) },
		"GOAWAY":         func(f *http2.Framer, _ uint32) { _ = f.WriteGoAway(0, http2.ErrCodeNo, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPhotos(t, demo.PhotosClient{Secret: secret.New(photosSecret)})
			address, roots, requests := rawHTTP2(t, end)
			c := p.connection()
			c.AccessTokenURL = address + "/access_token"
			provider, err := New(c, Deps{AllowPrivateNetworks: true, RootCAs: roots})
			if err != nil {
				t.Fatal(err)
			}
			attempt, there := p.begin(provider)
			if _, err = provider.Redirector.Exchange(t.Context(), attempt, p.allow(there)); !errors.Is(err, ErrUnavailable) {
				t.Errorf("got %v, want ErrUnavailable", err)
			}
			if got := requests.Load(); got != 1 {
				t.Errorf("the verifier was sent %d times, want once", got)
			}
		})
	}
}

// TestOAuth1IdentityInToken: screen_name and its like, and never the tokens beside them.
func TestOAuth1IdentityInToken(t *testing.T) {
	p := newPhotos(t, demo.PhotosClient{Secret: secret.New(photosSecret)})
	c := p.connection()
	c.Identity = IdentityPaths{URL: "token", ID: "user_id", Name: "screen_name"}
	provider := p.open(c)
	if provider.Identifier != nil {
		t.Error("there is nobody to ask later")
	}
	grant, err := p.connect(provider)
	if err != nil || grant.Identity.Subject != "photos_1815" || grant.Identity.Name != "ada" || p.count("/api/me") != 0 {
		t.Errorf("got %+v and %v after %d questions", grant.Identity, err, p.count("/api/me"))
	}
	c.Identity.ID = "oauth_token_secret"
	if _, err := p.connect(p.open(c)); !errors.Is(err, ErrNotVerified) {
		t.Errorf("with the secret as the id: got %v", err)
	}
}
