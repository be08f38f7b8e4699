package demo

import (
	"cmp"
	"html/template"
	"net/http"
	"unicode/utf8"
)

// userCookie holds the id of the signed-in host user. A demo needs no password: whoever can open
// the page may be anybody.
const userCookie = "staffroom_user"

// hostPage is what the host's page is made of.
type hostPage struct {
	LinkgateOrigin string
	User           User
	Users          []User
	Cards          []card
	OwnerApp       string // path of a page of the owner's own app; empty: there is none
}

type card struct {
	App      App
	Accounts []linked
}

// Initial stands in for the app's icon.
func (c card) Initial() string {
	_, size := utf8.DecodeRuneInString(c.App.Name)
	return c.App.Name[:size]
}

type linked struct {
	ID, Name string
	Reauth   bool
}

func (h *Host) newSite() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { h.render(w, r, "host.html") })
	mux.HandleFunc("GET /apps", func(w http.ResponseWriter, r *http.Request) { h.render(w, r, "cards") })
	mux.HandleFunc("POST /switch", h.switchUser)
	for _, name := range []string{"host.css", "host.js"} {
		mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, r *http.Request) {
			http.ServeFileFS(w, r, pages, "pages/"+name)
		})
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Not through the mux: it would clean a path that is the app's to understand.
		if _, _, ok := cutConnector(r.URL); ok {
			h.connector(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func (h *Host) switchUser(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	user, ok := h.knownUser(r.PostFormValue("user"))
	if !ok {
		http.Error(w, "no such user", http.StatusBadRequest)
		return
	}
	http.SetCookie(w, &http.Cookie{Name: userCookie, Value: user.ID, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// signedIn is whose browser this is.
func (h *Host) signedIn(r *http.Request) User {
	if c, err := r.Cookie(userCookie); err == nil {
		if user, ok := h.knownUser(c.Value); ok {
			return user
		}
	}
	return h.Users()[0]
}

func (h *Host) render(w http.ResponseWriter, r *http.Request, name string) {
	user := h.signedIn(r)
	ownerApp := h.ownerApp
	if ownerApp != "" {
		ownerApp = connectorPrefix + h.apps[0].ServiceID + ownerApp
	}
	p := hostPage{LinkgateOrigin: h.linkgateOrigin(), User: user, Users: h.Users(), Cards: h.cards(user), OwnerApp: ownerApp}
	setPageHeaders(w, "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; "+
		"form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	t := template.Must(template.ParseFS(pages, "pages/host.html"))
	_ = t.ExecuteTemplate(w, name, p) // the reader is gone
}

func (h *Host) cards(user User) []card {
	var cards []card
	accounts := h.Accounts(user.ID)
	for _, app := range h.apps {
		c := card{App: app}
		for _, a := range accounts {
			if a.AuthID == app.AuthID {
				c.Accounts = append(c.Accounts, linked{ID: a.ID, Name: cmp.Or(a.Extra, a.ExternalAccountID), Reauth: a.RequiresReauth})
			}
		}
		cards = append(cards, c)
	}
	return cards
}
