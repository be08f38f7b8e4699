package registration_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"linkgate/database"
	"linkgate/database/databasetest"
	"linkgate/demo"
	"linkgate/provider"
)

func TestRFC7591Errors(t *testing.T) {
	coded := func(status int, code string) *demo.Fault {
		return demo.Answer(status, `{"error":"`+code+`","error_description":"hunter2 is wrong"}`)
	}
	answer := func(more string) *demo.Fault {
		return demo.Answer(201, `{"client_id":"c","client_secret":"hunter2","client_secret_expires_at":0`+more+`}`)
	}
	tests := map[string]struct {
		fault *demo.Fault
		want  error
		says  string
	}{
		"redirect URI":         {coded(400, "invalid_redirect_uri"), provider.ErrRefused, "PUBLIC_URL"},
		"metadata":             {coded(400, "invalid_client_metadata"), provider.ErrRefused, "registration.metadata"},
		"statement":            {coded(400, "invalid_software_statement"), provider.ErrRefused, "by hand"},
		"unapproved":           {coded(400, "unapproved_software_statement"), provider.ErrRefused, "by hand"},
		"token":                {coded(401, "invalid_token"), provider.ErrRefused, "registration.initial_access_token"},
		"forbidden":            {demo.HTML(403), provider.ErrRefused, "registration.initial_access_token"},
		"no endpoint":          {demo.HTML(404), provider.ErrRefused, "registration.url"},
		"a code of its own":    {coded(400, "hunter2"), provider.ErrRefused, "unknown error"},
		"down":                 {demo.HTML(503), provider.ErrUnavailable, "HTTP 503"},
		"hang-up":              {&demo.Fault{Drop: true}, provider.ErrUnavailable, "connection broken"},
		"redirected":           {demo.Redirect(307, "https://elsewhere.example.com"), provider.ErrUnavailable, "HTTP 307"},
		"a page":               {demo.HTML(200), provider.ErrUnavailable, "not the JSON"},
		"nothing":              {demo.Answer(201, `{}`), provider.ErrUnavailable, "without client_id"},
		"no secret":            {demo.Answer(201, `{"client_id":"c"}`), provider.ErrNotVerified, "auth_style: none"},
		"another redirect URI": {answer(`,"redirect_uris":["https://evil.example.com"]`), provider.ErrNotVerified, "PUBLIC_URL"},
		"unsafe management":    {answer(`,"registration_client_uri":"http://as.example.com/c","registration_access_token":"t"`), provider.ErrNotVerified, "https"},
		"wants assertions":     {answer(`,"token_endpoint_auth_method":"private_key_jwt"`), provider.ErrNotVerified, "auth_style"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w, server := standard(t, databasetest.Open(t, database.Options{DataDir: t.TempDir()}), nil)
			server.Play(demo.Script{Fault: demo.Only(demo.OpClientCreate, -1, *test.fault)})
			m := w.manager()
			_, err := m.Client(authID)(t.Context())
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want %v with %q", err, test.want, test.says)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("repeats what the service wrote: %v", err)
			}
			// The service is spared for a while, and then asked again.
			_, again := m.Client(authID)(t.Context())
			if n := server.Requests(demo.OpClientCreate); n != 1 || again == nil {
				t.Errorf("asked %d times at once, got %v", n, again)
			}
			server.Play(demo.Script{})
			w.pass(30e9)
			w.client(m)
		})
	}
}

func TestServiceChoosesHowClientsAuthenticate(t *testing.T) {
	w, _ := standard(t, databasetest.Open(t, database.Options{DataDir: t.TempDir()}), func(o *demo.RegistrarOptions) { o.AuthMethod = "client_secret_post" })
	if c := w.client(w.manager()); c.AuthStyle != provider.AuthPost {
		t.Errorf("the client authenticates by %q", c.AuthStyle)
	}
}

func TestPublicClient(t *testing.T) {
	w, _ := standard(t, databasetest.Open(t, database.Options{DataDir: t.TempDir()}), nil)
	w.conn.AuthStyle = provider.AuthNone
	if c := w.client(w.manager()); !c.Secret.IsZero() || c.ID == "" {
		t.Errorf("got %q, with a secret: %v", c.ID, !c.Secret.IsZero())
	}
}

func TestServiceWithoutManagement(t *testing.T) {
	w, server := standard(t, databasetest.Open(t, database.Options{DataDir: t.TempDir()}), func(o *demo.RegistrarOptions) { o.Unmanaged = true })
	m := w.manager()
	c := w.client(m)
	if _, err := m.Rotate(t.Context(), authID); !errors.Is(err, provider.ErrUnsupported) {
		t.Errorf("rotating: %v", err)
	}
	if err := m.Delete(t.Context(), authID, false); !errors.Is(err, provider.ErrUnsupported) || !strings.Contains(err.Error(), "--forget") {
		t.Errorf("deleting: %v", err)
	}
	w.public = "https://two.example.com"
	if got := w.client(w.manager()); got.ID != c.ID || server.Requests(demo.OpClientUpdate) != 0 {
		t.Errorf("got %q", got.ID)
	}
}

func TestAnswerAboutAnotherClient(t *testing.T) {
	w, server := standard(t, databasetest.Open(t, database.Options{DataDir: t.TempDir()}), nil)
	m := w.manager()
	c := w.client(m)
	server.Play(demo.Script{Fault: demo.Only(demo.OpClientUpdate, 1, *demo.Answer(200, `{"client_id":"another","client_secret":"hunter2"}`))})
	if _, err := m.Rotate(t.Context(), authID); !errors.Is(err, provider.ErrNotVerified) {
		t.Errorf("got %v", err)
	}
	if got := w.client(m); got.ID != c.ID || !got.Secret.Equal(c.Secret) {
		t.Errorf("got %s", got.ID)
	}
}

// TestTokensGoWhereTheyBelong: the initial token registers, the client's own manages.
func TestTokensGoWhereTheyBelong(t *testing.T) {
	w, server := standard(t, databasetest.Open(t, database.Options{DataDir: t.TempDir()}), nil)
	var managed []string
	server.Play(demo.Script{Before: func(op string, r *http.Request) {
		if op != demo.OpClientCreate {
			managed = append(managed, r.Header.Get("Authorization"))
		}
	}})
	m := w.manager()
	w.client(m)
	for range 2 { // the second with the token that the first has brought
		_, err := m.Rotate(t.Context(), authID)
		check(t, err)
	}
	if len(managed) != 2 || managed[0] == managed[1] || strings.Contains(strings.Join(managed, ""), "initial-token") {
		t.Errorf("managed with %d tokens, or the wrong ones", len(managed))
	}
}
