package appproxy_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"linkgate/appproxy"
	"linkgate/linkedaccount"
	"linkgate/provider"
	"linkgate/secret"
)

// accounts has Alice's account at 7f3c, and no other.
type accounts struct{}

func (accounts) For(_ context.Context, hostUserID, authID, _ string) (*linkedaccount.Opened, error) {
	if hostUserID != "alice" || authID != "7f3c" {
		return nil, linkedaccount.ErrNotFound
	}
	return &linkedaccount.Opened{Credential: provider.Credential{AccessToken: secret.New("gho_16C7e42F292c")}}, nil
}

// fromLinkgate is the user on whose behalf Linkgate has sent r. This is all that an app needs.
func fromLinkgate(r *http.Request, sharedSecret string) (user string, err error) {
	users := r.Header.Values("Linkgate-User-Id")
	if len(users) != 1 {
		return "", errors.New("no user")
	}
	var tokens []string
	for name, values := range r.Header {
		if name = strings.ToLower(name); strings.HasPrefix(name, "linkgate-token-") {
			tokens = append(tokens, name+": "+strings.Join(values, ", "))
		}
	}
	slices.Sort(tokens)
	payload := strings.Join(append([]string{r.Method, r.RequestURI, users[0]}, tokens...), "\n")

	webhook, err := standardwebhooks.NewWebhook(sharedSecret)
	if err != nil {
		return "", err
	}
	return users[0], webhook.Verify([]byte(payload), r.Header)
}

// The app checks that a request comes from Linkgate, then uses the user's id and token.
func ExampleProxy() {
	const sharedSecret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, err := fromLinkgate(r, sharedSecret)
		if err != nil {
			http.Error(w, "not from Linkgate", http.StatusForbidden)
			return
		}
		fmt.Fprintf(w, "%s has %s at 7f3c, and at 9a1b: %s", user, r.Header.Get("Linkgate-Token-7f3c"), r.Header.Get("Linkgate-Token-Error-9a1b"))
	}))
	defer app.Close()

	proxy, err := appproxy.New(appproxy.Options{
		URL: app.URL, Secret: secret.New(sharedSecret), Tokens: accounts{}, Inject: []string{"7f3c", "9a1b"},
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	linkgate := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := proxy.Serve(w, r, "alice"); err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
		}
	}))
	defer linkgate.Close()

	for _, address := range []string{linkgate.URL + "/cards/7?x=1", app.URL + "/cards/7?x=1"} {
		response, err := http.Get(address)
		if err != nil {
			fmt.Println(err)
			return
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		fmt.Println(strings.TrimSpace(string(body)))
	}
	// Output:
	// alice has gho_16C7e42F292c at 7f3c, and at 9a1b: not_connected
	// not from Linkgate
}
