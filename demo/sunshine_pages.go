package demo

import (
	"html/template"
	"net/http"
	"net/url"
	"slices"
)

// sunshineCookie holds who is signed in. It is not Secure: see sessionCookie.
const sunshineCookie = "sunshine_simulated_session"

// sunshinePage is what the pages are made of; the first that is set decides what is shown.
type sunshinePage struct {
	Problem   string // of a request that can't be sent back to its integration
	SignIn    bool
	Mistake   string // of a sign-in
	Password  string
	Consent   *SunshineApp
	Choose    []SunshineApp // to authorise the integration for
	Installed []SunshineApp // in the web app
}

// authorization is a request that can be answered at its redirect URI.
type authorization struct{ redirectURI, state string }

// authorize is the authorization endpoint: sign-in, choice of an app if there are several, consent,
// answer. All have the request's own URL.
func (s *Sunshine) authorize(w http.ResponseWriter, r *http.Request) {
	request, problem := s.authorization(r.URL.Query())
	if problem != "" {
		s.render(w, http.StatusBadRequest, "'none'", sunshinePage{Problem: problem})
		return
	}
	// Browsers apply form-action to the redirect after the form, too.
	to, _ := url.Parse(request.redirectURI)
	user, signedIn := s.user(r)
	apps := s.appsOf(user)
	chosen, isChosen := s.app(r.PostFormValue("app"))
	if len(apps) == 1 && !isChosen {
		chosen, isChosen = apps[0], true
	}
	isChosen = isChosen && slices.Contains(chosen.Owners, user)
	page := sunshinePage{Choose: apps}
	switch {
	case r.PostFormValue("action") == "sign-in":
		s.signIn(w, r)
		return
	case !signedIn:
		page = sunshinePage{SignIn: true}
	case len(apps) == 0:
		page = sunshinePage{Problem: "You have no app."}
	case r.PostFormValue("action") == "deny":
		request.answer(w, r, url.Values{"error": {"access_denied"}})
		return
	case isChosen && r.PostFormValue("action") == "allow":
		request.answer(w, r, url.Values{"code": {s.newCode(chosen.ID)}})
		return
	case isChosen:
		page = sunshinePage{Consent: &chosen}
	}
	s.render(w, http.StatusOK, "'self' "+origin(to), page)
}

// authorization reads a request. Its redirect URI is in the integration's list, the first if left out.
func (s *Sunshine) authorization(query url.Values) (request authorization, problem string) {
	request = authorization{redirectURI: query.Get("redirect_uri"), state: query.Get("state")}
	s.ledger.add(request.state)
	if !query.Has("redirect_uri") {
		request.redirectURI = s.redirectURIs[0]
	}
	switch {
	case query.Get("client_id") != s.clientID:
		return authorization{}, "There is no such integration."
	case query.Get("response_type") != "code":
		return authorization{}, "The response type must be code."
	case !slices.Contains(s.redirectURIs, request.redirectURI):
		return authorization{}, "The redirect URI is not in the integration's list."
	}
	return request, ""
}

func (a authorization) answer(w http.ResponseWriter, r *http.Request, values url.Values) {
	to, _ := url.Parse(a.redirectURI) // is in the list
	query := to.Query()
	for name, value := range values {
		query[name] = value
	}
	if a.state != "" {
		query.Set("state", a.state)
	}
	to.RawQuery = query.Encode()
	http.Redirect(w, r, to.String(), http.StatusFound)
}

// webApp is where an owner removes the integration.
func (s *Sunshine) webApp(w http.ResponseWriter, r *http.Request) {
	user, signedIn := s.user(r)
	app, known := s.app(r.PostFormValue("remove"))
	page := sunshinePage{SignIn: !signedIn}
	switch {
	case r.PostFormValue("action") == "sign-in":
		s.signIn(w, r)
		return
	case signedIn && known && slices.Contains(app.Owners, user):
		s.Remove(r.Context(), app.ID)
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	for _, app := range s.appsOf(user) {
		if s.ActiveTokens(app.ID) > 0 {
			page.Installed = append(page.Installed, app)
		}
	}
	s.render(w, http.StatusOK, "'self'", page)
}

func (s *Sunshine) signIn(w http.ResponseWriter, r *http.Request) {
	name := r.PostFormValue("username")
	if len(s.appsOf(name)) == 0 || r.PostFormValue("password") != Password {
		s.render(w, http.StatusOK, "'self'", sunshinePage{SignIn: true, Mistake: "That name and password don't belong together."})
		return
	}
	session := random()
	s.mu.Lock()
	s.signedIn[session] = name
	s.mu.Unlock()
	http.SetCookie(w, &http.Cookie{Name: sunshineCookie, Value: session, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	http.Redirect(w, r, r.URL.RequestURI(), http.StatusSeeOther)
}

func (s *Sunshine) user(r *http.Request) (name string, signedIn bool) {
	cookie, err := r.Cookie(sunshineCookie)
	if err != nil {
		return "", false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name, signedIn = s.signedIn[cookie.Value]
	return name, signedIn
}

func (s *Sunshine) appsOf(user string) []SunshineApp {
	var apps []SunshineApp
	for _, app := range s.options.Apps {
		if slices.Contains(app.Owners, user) {
			apps = append(apps, app)
		}
	}
	return apps
}

func (s *Sunshine) render(w http.ResponseWriter, status int, formAction string, p sunshinePage) {
	p.Password = Password
	setPageHeaders(w, "default-src 'none'; style-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action "+formAction)
	t := template.Must(template.ParseFS(pages, "pages/sunshine.html"))
	w.WriteHeader(status)
	_ = t.Execute(w, p) // the reader is gone
}
