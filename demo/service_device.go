package demo

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ory/fosite"
)

// deviceGrant is the grant type of RFC 8628 §3.4.
const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

const (
	devicePause = 5 * time.Second  // between two polls
	deviceLife  = 10 * time.Minute // of a code that nobody types
)

// device is a sign-in that is finished in whichever browser the user likes.
type device struct {
	code, userCode string
	client         string // its id
	scopes         []string
	ends, next     time.Time // of the code; when it may be polled

	asked    bool // of its user
	denied   bool
	spent    bool // traded for tokens
	user     ServiceUser
	approved []string // scopes
}

// devices are the codes that were made.
type devices struct {
	pause time.Duration // between two polls of a code

	mu  sync.Mutex
	all []*device
}

// IsPoll tells, in a Script, whether a request for OpToken asks if a code has been typed.
func IsPoll(r *http.Request) bool { return r.PostForm.Get("grant_type") == deviceGrant }

// deviceAuthorization is the endpoint of RFC 8628 §3.1: it makes a code for a client.
func (s *Service) deviceAuthorization(w http.ResponseWriter, r *http.Request) {
	server, _ := s.oauth.(*fosite.Fosite)
	client, err := server.AuthenticateClient(r.Context(), r, r.PostForm)
	if err != nil {
		s.oauth.WriteAccessError(r.Context(), w, nil, err)
		return
	}
	d := &device{
		code: random(), userCode: newUserCode(), client: client.GetID(), scopes: strings.Fields(r.PostForm.Get("scope")),
		ends: time.Now().Add(s.options.DeviceLifetime),
	}
	for _, name := range d.scopes {
		if !client.GetScopes().Has(name) {
			s.oauth.WriteAccessError(r.Context(), w, nil, fosite.ErrInvalidScope)
			return
		}
	}
	s.ledger.add(d.code)
	s.devices.mu.Lock()
	s.devices.all = append(s.devices.all, d)
	s.devices.mu.Unlock()
	at := s.options.Issuer + "/device"
	writeJSON(w, http.StatusOK, map[string]any{
		"device_code": d.code, "user_code": d.userCode,
		"verification_uri": at, "verification_uri_complete": at + "?" + url.Values{"user_code": {d.userCode}}.Encode(),
		"expires_in": int(s.options.DeviceLifetime.Seconds()), "interval": max(1, int(s.devices.pause.Seconds())),
	})
}

// newUserCode is eight letters that make no words (RFC 8628 §6.1).
func newUserCode() string {
	const letters = "BCDFGHJKLMNPQRSTVWXZ"
	random := make([]byte, 8)
	_, _ = rand.Read(random) // never fails
	for i := range random {
		random[i] = letters[int(random[i])%len(letters)]
	}
	return string(random[:4]) + "-" + string(random[4:])
}

// typed finds a code that is still good as people type it.
func (s *devices) typed(code string) (device, bool) {
	plain := func(code string) string {
		return strings.Map(func(r rune) rune {
			if r == '-' || r == ' ' {
				return -1
			}
			return r
		}, strings.ToUpper(code))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.all {
		if plain(code) != "" && plain(code) == plain(d.userCode) && !d.asked && time.Now().Before(d.ends) {
			return *d, true
		}
	}
	return device{}, false
}

// answer notes what the user has decided.
func (s *devices) answer(code string, user ServiceUser, approved []string, denied bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.all {
		if d.code == code {
			d.asked, d.denied, d.user, d.approved = true, denied, user, approved
		}
	}
}

// poll is what a client learns that asks whether a code has been typed (RFC 8628 §3.5); without an
// error it gets its tokens, once.
func (s *devices) poll(code, client string) (device, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.all, func(d *device) bool { return d.code == code && d.client == client && !d.spent })
	if i < 0 {
		return device{}, fosite.ErrInvalidGrant
	}
	d, now := s.all[i], time.Now()
	early := now.Before(d.next)
	d.next = now.Add(s.pause)
	switch {
	case !d.asked && !now.Before(d.ends):
		return device{}, deviceError("expired_token")
	case early:
		return device{}, deviceError("slow_down")
	case !d.asked:
		return device{}, deviceError("authorization_pending")
	case d.denied:
		return device{}, fosite.ErrAccessDenied.WithHint("The user said no.")
	}
	d.spent = true
	return *d, nil
}

func deviceError(code string) error {
	return &fosite.RFC6749Error{ErrorField: code, DescriptionField: "The code has not been typed yet, or not in time.", CodeField: http.StatusBadRequest}
}

// ExpireDevices ends every code that nobody has typed.
func (s *Service) ExpireDevices() {
	s.devices.mu.Lock()
	defer s.devices.mu.Unlock()
	for _, d := range s.devices.all {
		d.ends = time.Now()
	}
}

// activate is the page where the code is typed: sign-in, code, consent, thanks. What it is about is in
// its own address, as in authorize.
func (s *Service) activate(w http.ResponseWriter, r *http.Request) {
	user, signedIn := s.user(r)
	d, known := s.devices.typed(r.URL.Query().Get("user_code"))
	action := ""
	if r.Method == http.MethodPost {
		action = r.PostForm.Get("action")
	}
	page := servicePage{User: user, Client: s.clientOf(d.client), UserCode: d.userCode}
	switch {
	case action == "sign-in":
		s.signIn(w, r)
	case action == "switch":
		s.signOut(w, r)
	case !signedIn:
		s.signInPage(w, "")
	case action == "code":
		http.Redirect(w, r, "/device?"+url.Values{"user_code": {r.PostForm.Get("user_code")}}.Encode(), http.StatusSeeOther)
	case !known:
		if r.URL.Query().Has("user_code") {
			page.Mistake = "We don't know this code, or it has been used."
		}
		s.render(w, http.StatusOK, "'self'", "service_device.html", page)
	case action == "allow", action == "deny":
		s.devices.answer(d.code, user, keptOf(d.scopes, r.PostForm["kept"]), action == "deny")
		page.Done = true
		s.render(w, http.StatusOK, "'none'", "service_device.html", page)
	default:
		page.Scopes = scopeLines(d.scopes)
		s.render(w, http.StatusOK, "'self'", "service_consent.html", page)
	}
}
