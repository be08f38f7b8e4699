package demo

import (
	"embed"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/openid"
	"github.com/ory/fosite/token/jwt"
)

//go:embed pages
var pages embed.FS

// sessionCookie holds who is signed in at the service. It is not Secure: the demo runs on
// loopback without TLS, and cookies know no ports, hence its long name.
const sessionCookie = "acme_notes_session"

// servicePage is what the service's pages are made of.
type servicePage struct {
	Client   string
	Users    []ServiceUser
	Password string
	Mistake  string // of a sign-in
	User     ServiceUser
	Scopes   []scope
	UserCode string // of a device; empty: a browser that is sent back
	Done     bool   // of a device: the user has decided
	Problem  string // of a request that can't be sent back to its client
}

// scope is a line of the consent page. A fixed one can't be left out.
type scope struct {
	Name, Meaning string
	Fixed         bool
}

// authorize is the authorization endpoint: sign-in, consent, response. All three have the
// request's own URL, so that nothing has to be remembered between them.
func (s *Service) authorize(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	request, err := s.oauth.NewAuthorizeRequest(ctx, r)
	if err != nil {
		s.refuse(w, r, request, err)
		return
	}
	s.ledger.add(request.GetState(), request.GetRequestForm().Get("nonce"))
	user, signedIn := s.user(r)
	switch {
	case request.GetRequestForm().Get("prompt") == "none":
		s.refuse(w, r, request, fosite.ErrInteractionRequired)
	case r.Method == http.MethodPost && r.PostForm.Get("action") == "sign-in":
		s.signIn(w, r)
	case !signedIn:
		s.signInPage(w, "")
	case r.Method != http.MethodPost:
		s.consentPage(w, request, user)
	case r.PostForm.Get("action") == "allow":
		s.allow(w, r, request, user)
	case r.PostForm.Get("action") == "switch":
		s.signOut(w, r)
	default:
		s.refuse(w, r, request, fosite.ErrAccessDenied)
	}
}

// refuse sends the error to the client if the request says where in a way that can be trusted,
// else it tells the user.
func (s *Service) refuse(w http.ResponseWriter, r *http.Request, request fosite.AuthorizeRequester, err error) {
	if !request.IsRedirectURIValid() {
		problem := fosite.ErrorToRFC6749Error(err)
		s.render(w, http.StatusBadRequest, "'none'", "service_problem.html", servicePage{Problem: problem.GetDescription()})
		return
	}
	s.oauth.WriteAuthorizeError(r.Context(), s.responding(w), request, err)
}

func (s *Service) allow(w http.ResponseWriter, r *http.Request, request fosite.AuthorizeRequester, user ServiceUser) {
	for _, name := range keptOf(request.GetRequestedScopes(), r.PostForm["kept"]) {
		request.GrantScope(name)
	}
	response, err := s.oauth.NewAuthorizeResponse(r.Context(), request, s.newSession(user))
	if err != nil {
		s.refuse(w, r, request, err)
		return
	}
	s.oauth.WriteAuthorizeResponse(r.Context(), s.responding(w), request, response)
}

func (s *Service) newSession(user ServiceUser) *openid.DefaultSession {
	now := time.Now().UTC().Truncate(time.Second)
	return &openid.DefaultSession{
		Subject:  user.Subject,
		Username: user.Username,
		Headers:  s.keys.header(),
		Claims: &jwt.IDTokenClaims{
			Subject: user.Subject, AuthTime: now, RequestedAt: now, Extra: map[string]any{"name": user.Name},
		},
	}
}

func (s *Service) signIn(w http.ResponseWriter, r *http.Request) {
	i := slices.IndexFunc(s.options.Users, func(u ServiceUser) bool { return u.Username == r.PostForm.Get("username") })
	if i < 0 || r.PostForm.Get("password") != Password {
		s.signInPage(w, "That name and password don't belong together.")
		return
	}
	session := random()
	s.mu.Lock()
	s.signedIn[session] = s.options.Users[i]
	s.mu.Unlock()
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Value: session, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	http.Redirect(w, r, r.URL.RequestURI(), http.StatusSeeOther)
}

func (s *Service) signOut(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Path: "/", MaxAge: -1})
	http.Redirect(w, r, r.URL.RequestURI(), http.StatusSeeOther)
}

func (s *Service) user(r *http.Request) (ServiceUser, bool) {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return ServiceUser{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	user, ok := s.signedIn[cookie.Value]
	return user, ok
}

func (s *Service) signInPage(w http.ResponseWriter, mistake string) {
	s.render(w, http.StatusOK, "'self'", "service_signin.html", servicePage{Users: s.options.Users, Password: Password, Mistake: mistake})
}

func (s *Service) consentPage(w http.ResponseWriter, request fosite.AuthorizeRequester, user ServiceUser) {
	p := servicePage{Client: s.clientOf(request.GetClient().GetID()), User: user, Scopes: scopeLines(request.GetRequestedScopes())}
	// Browsers apply form-action to the redirect after the form, too.
	s.render(w, http.StatusOK, "'self' "+origin(request.GetRedirectURI()), "service_consent.html", p)
}

func (s *Service) clientOf(id string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.names[id]
}

func scopeLines(names []string) (lines []scope) {
	for _, name := range names {
		lines = append(lines, scope{Name: name, Meaning: meaning(name), Fixed: fixed(name)})
	}
	return lines
}

// keptOf is what of the scopes that were asked for the user leaves in.
func keptOf(asked, kept []string) []string {
	return slices.DeleteFunc(slices.Clone(asked), func(name string) bool { return !fixed(name) && !slices.Contains(kept, name) })
}

func (s *Service) homePage(w http.ResponseWriter, _ *http.Request) {
	s.render(w, http.StatusOK, "'none'", "service_home.html", servicePage{Users: s.options.Users, Password: Password})
}

func meaning(scope string) string {
	switch scope {
	case "openid":
		return "Know which account this is"
	case "profile":
		return "See your name"
	case "notes.read":
		return "Read your notes"
	case "offline_access":
		return "Stay connected while you are away"
	}
	return scope
}

// fixed tells whether the consent page offers no choice about a scope.
func fixed(scope string) bool { return scope == "openid" }

func origin(u *url.URL) string { return u.Scheme + "://" + u.Host }

// render writes a page that may submit forms to formAction. There is no
// Cross-Origin-Opener-Policy: it would cut the window from the host's page that opened it.
func (s *Service) render(w http.ResponseWriter, status int, formAction, name string, p servicePage) {
	setPageHeaders(w, "default-src 'none'; style-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action "+formAction)
	t := template.Must(template.ParseFS(pages, "pages/service_layout.html", "pages/"+name))
	w.WriteHeader(status)
	_ = t.ExecuteTemplate(w, "service_layout.html", p) // the reader is gone
}

func setPageHeaders(w http.ResponseWriter, policy string) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
}

func serviceStyle(w http.ResponseWriter, r *http.Request) {
	http.ServeFileFS(w, r, pages, "pages/service.css")
}
