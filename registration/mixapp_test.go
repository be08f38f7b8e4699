package registration_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"linkgate/database"
	"linkgate/database/databasetest"
	"linkgate/demo"
	"linkgate/provider"
)

func TestMixApp(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		w, server := mixapp(t, db)
		m := w.manager()
		c := w.client(m)
		want := demo.MixAppClient{
			ClientID: c.ID, ClientSecret: c.Secret.Reveal(), ApplicationType: "web", ResponseTypes: []string{"code"},
			Scopes:       []demo.MixAppScope{{Name: "read", Fields: []string{}}, {Name: "write", Fields: []string{}}},
			RedirectURIs: []string{"https://one.example.com/callback/7f3c"}, ClientName: "Our app", Contacts: []string{"a@example.com"},
		}
		if diff := cmp.Diff([]demo.MixAppClient{want}, server.Clients()); diff != "" {
			t.Errorf("registered (-want +got):\n%s", diff)
		}

		_, err := m.Rotate(t.Context(), authID)
		check(t, err)
		rotated := w.client(m)
		if rotated.ID != c.ID || rotated.Secret.Equal(c.Secret) || rotated.Secret.Reveal() != server.Clients()[0].ClientSecret {
			t.Error("the secret is not the service's new one")
		}

		w.public = "https://two.example.com"
		m = w.manager()
		if kept := w.client(m); !kept.Secret.Equal(rotated.Secret) {
			t.Error("a new redirect URI has brought a new secret")
		}
		if got := server.Clients()[0].RedirectURIs; len(got) != 1 || got[0] != "https://two.example.com/callback/7f3c" {
			t.Errorf("redirect URIs are %q", got)
		}

		check(t, m.Delete(t.Context(), authID, false))
		if n := len(server.Clients()); n != 0 {
			t.Errorf("%d clients are left", n)
		}
	})
}

// TestMixAppRequests holds each request to the contract, down to its names.
func TestMixAppRequests(t *testing.T) {
	w, server := mixapp(t, databasetest.Open(t, database.Options{DataDir: t.TempDir()}))
	type seen struct {
		Op, Method, Query string
		Body              any
	}
	var got []seen
	server.Play(demo.Script{Before: func(op string, r *http.Request) {
		s := seen{Op: op, Method: r.Method, Query: strings.ReplaceAll(r.URL.RawQuery, "client_id=mix-", "client_id=")}
		if i := strings.Index(s.Query, "="); i >= 0 {
			s.Query = s.Query[:i]
		}
		if body, _ := io.ReadAll(r.Body); len(body) > 0 {
			check(t, json.Unmarshal(body, &s.Body))
		}
		got = append(got, s)
	}})
	m := w.manager()
	w.client(m)
	_, err := m.Rotate(t.Context(), authID)
	check(t, err)
	check(t, m.Delete(t.Context(), authID, false))
	body := func(more map[string]any) map[string]any {
		b := map[string]any{
			"application_type": "web", "response_types": []any{"code"}, "client_name": "Our app", "contacts": []any{"a@example.com"},
			"redirect_uris": []any{"https://one.example.com/callback/7f3c"},
			"scopes": []any{
				map[string]any{"name": "read", "desc": "", "fields": []any{}}, map[string]any{"name": "write", "desc": "", "fields": []any{}},
			},
		}
		for name, value := range more {
			b[name] = value
		}
		return b
	}
	want := []seen{
		{demo.OpClientList, "GET", "", nil},
		{demo.OpClientCreate, "POST", "", body(nil)},
		{demo.OpClientUpdate, "POST", "client_id", body(map[string]any{"generate_token": true})},
		{demo.OpClientDelete, "DELETE", "client_id", nil},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestMixAppErrors(t *testing.T) {
	const spoken = "the token Bearer hunter2 is no good"
	body := `{"error_code": 4711, "error_message": "` + spoken + `", "more_info": ""}`
	tests := map[string]struct {
		fault *demo.Fault
		want  error
		says  string
	}{
		"bad request":      {demo.Answer(400, body), provider.ErrRefused, "error_code 4711, HTTP 400"},
		"wrong token":      {demo.Answer(401, body), provider.ErrRefused, "registration.initial_access_token"},
		"wrong workplace":  {demo.Answer(404, body), provider.ErrRefused, "registration.url"},
		"error in a 200":   {demo.Answer(200, body), provider.ErrRefused, "error_code 4711"},
		"broken":           {demo.Answer(500, body), provider.ErrUnavailable, "HTTP 500"},
		"too many":         {demo.Answer(429, body), provider.ErrUnavailable, "HTTP 429"},
		"a page":           {demo.HTML(200), provider.ErrUnavailable, "not the JSON"},
		"redirect":         {demo.Redirect(307, "https://elsewhere.example.com"), provider.ErrUnavailable, "HTTP 307"},
		"without a client": {demo.Answer(200, `{}`), provider.ErrUnavailable, "without client_id"},
		"without a secret": {demo.Answer(200, `{"client_id": "x"}`), provider.ErrNotVerified, "client_secret"},
		"endless":          {&demo.Fault{Endless: true}, provider.ErrUnavailable, "too long"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w, server := mixapp(t, databasetest.Open(t, database.Options{DataDir: t.TempDir()}))
			server.Play(demo.Script{Fault: demo.Only(demo.OpClientCreate, -1, *test.fault)})
			_, err := w.manager().Client(authID)(t.Context())
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want %v with %q", err, test.want, test.says)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("repeats what the service wrote: %v", err)
			}
		})
	}
}

func TestMixAppFindsWhatItRegistered(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		w, server := mixapp(t, db)
		server.Play(demo.Script{Fault: demo.Only(demo.OpClientCreate, 1, demo.Fault{Done: true, Drop: true})})
		if _, err := w.manager().Client(authID)(t.Context()); !errors.Is(err, provider.ErrUnavailable) {
			t.Fatalf("got %v", err)
		}
		c := w.client(w.manager())
		if all := server.Clients(); len(all) != 1 || all[0].ClientID != c.ID || all[0].ClientSecret != c.Secret.Reveal() {
			t.Errorf("%d clients at MixApp, want the one that was registered", len(all))
		}
	})
}
