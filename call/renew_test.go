package call

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"linkgate/linkedaccount"
	"linkgate/provider"
)

// renews makes Rejected give another credential.
func renews(*linkedaccount.Opened) (*linkedaccount.Opened, error) { return opened(newToken, 2), nil }

// arrival is a request as the service saw it.
type arrival struct {
	credential string
	body       int // bytes
	trailer    string
}

// strict answers 401 to every credential but one, and tells what arrived. Requests with an
// expectation it refuses before their body is sent.
func strict(token string, seen func(arrival)) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		is := r.Header.Get("Authorization")
		if r.Header.Get("Expect") == "" || is == "Bearer "+token {
			body, _ := io.ReadAll(r.Body)
			seen(arrival{is, len(body), r.Trailer.Get("X-Sum")})
		} else {
			seen(arrival{credential: is})
		}
		if is != "Bearer "+token {
			rw.Header().Set("WWW-Authenticate", "Bearer")
			rw.WriteHeader(http.StatusUnauthorized)
			io.WriteString(rw, strings.Repeat("no ", 10_000)) // more than is read away
		}
	}
}

// TestRejectedCredential: after a 401 another credential is asked for once, and the request sent
// with it if its body can be had again.
func TestRejectedCredential(t *testing.T) {
	same := func(o *linkedaccount.Opened) (*linkedaccount.Opened, error) { return o, nil }
	fails := func(err error) func(*linkedaccount.Opened) (*linkedaccount.Opened, error) {
		return func(*linkedaccount.Opened) (*linkedaccount.Opened, error) { return nil, err }
	}
	before, after := "Bearer "+theToken, "Bearer "+newToken
	long := strings.Repeat("b", maxKept+1)
	tests := map[string]struct {
		takes    string // the credential that the service takes
		rejected func(*linkedaccount.Opened) (*linkedaccount.Opened, error)
		method   string
		body     io.Reader
		headers  []string
		status   int
		err      error
		arrived  []arrival
	}{
		"another credential":      {newToken, renews, "GET", nil, nil, 200, nil, []arrival{{before, 0, ""}, {after, 0, ""}}},
		"any method":              {newToken, renews, "POST", nil, nil, 200, nil, []arrival{{before, 0, ""}, {after, 0, ""}}},
		"a short body":            {newToken, renews, "POST", strings.NewReader("body"), nil, 200, nil, []arrival{{before, 4, ""}, {after, 4, ""}}},
		"the longest that's kept": {newToken, renews, "POST", strings.NewReader(long[1:]), nil, 200, nil, []arrival{{before, maxKept, ""}, {after, maxKept, ""}}},
		"of unknown length":       {newToken, renews, "POST", io.MultiReader(strings.NewReader("body")), nil, 200, nil, []arrival{{before, 4, ""}, {after, 4, ""}}},
		"too long":                {newToken, renews, "POST", strings.NewReader(long), nil, 401, nil, []arrival{{before, len(long), ""}}},
		"too long, unknown":       {newToken, renews, "POST", io.MultiReader(strings.NewReader(long)), nil, 401, nil, []arrival{{before, len(long), ""}}},
		"long, and not yet read":  {newToken, renews, "POST", strings.NewReader(long), []string{"Expect", "100-continue"}, 200, nil, []arrival{{before, 0, ""}, {after, len(long), ""}}},
		"the same credential":     {newToken, same, "GET", nil, nil, 401, nil, []arrival{{before, 0, ""}}},
		"rejected as well":        {"third", renews, "GET", nil, nil, 401, nil, []arrival{{before, 0, ""}, {after, 0, ""}}},
		"must sign in":            {newToken, fails(linkedaccount.ErrReauthRequired), "GET", nil, nil, failed, ErrReauthRequired, []arrival{{before, 0, ""}}},
		"weather":                 {newToken, fails(provider.ErrUnavailable), "GET", nil, nil, 401, nil, []arrival{{before, 0, ""}}},
		"nothing rejected":        {theToken, renews, "GET", nil, nil, 200, nil, []arrival{{before, 0, ""}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			var arrived []arrival
			w := newWorld(t, strict(test.takes, func(a arrival) {
				mu.Lock()
				defer mu.Unlock()
				arrived = append(arrived, a)
			}), nil).start()
			w.tokens.rejected = test.rejected
			res, _ := w.ask(test.method, "/", test.body, test.headers...)
			if err := w.err(); res.StatusCode != test.status || !errors.Is(err, test.err) {
				t.Errorf("got %d and %v, want %d and %v", res.StatusCode, err, test.status, test.err)
			}
			mu.Lock()
			defer mu.Unlock()
			if diff := cmp.Diff(test.arrived, arrived, cmp.AllowUnexported(arrival{})); diff != "" {
				t.Errorf("arrived (-want +got):\n%s", diff)
			}
			want := 1
			if test.takes == theToken {
				want = 0
			}
			if w.tokens.rejects != want {
				t.Errorf("asked for another credential %d times, want %d", w.tokens.rejects, want)
			}
			if test.status == 401 && res.Header.Get("WWW-Authenticate") != "Bearer" {
				t.Error("the 401 is not the service's")
			}
		})
	}
}

// TestRejectedCredentialWithTrailer: what follows the body goes along the second time.
func TestRejectedCredentialWithTrailer(t *testing.T) {
	var arrived []arrival
	w := newWorld(t, strict(newToken, func(a arrival) { arrived = append(arrived, a) }), nil).start()
	w.tokens.rejected = renews
	req, err := http.NewRequestWithContext(t.Context(), "POST", w.front.URL, io.MultiReader(strings.NewReader("body")))
	if err != nil {
		t.Fatal(err)
	}
	req.Trailer = http.Header{"X-Sum": {"4"}, "Authorization": {"Bearer forged"}}
	res, err := w.front.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	want := []arrival{{"Bearer " + theToken, 4, "4"}, {"Bearer " + newToken, 4, "4"}}
	if diff := cmp.Diff(want, arrived, cmp.AllowUnexported(arrival{})); diff != "" {
		t.Errorf("arrived (-want +got):\n%s", diff)
	}
}

// TestRenewalIsLogged in words of ours, when it fails without anybody else being told.
func TestRenewalIsLogged(t *testing.T) {
	var logged bytes.Buffer
	w := newWorld(t, strict(newToken, func(arrival) {}), func(o *Options, _ *provider.Connection) {
		o.Log = slog.New(slog.NewTextHandler(&logged, nil))
	}).start()
	w.tokens.rejected = func(*linkedaccount.Opened) (*linkedaccount.Opened, error) {
		return nil, &provider.Error{Op: "refreshing", Kind: provider.ErrUnavailable}
	}
	w.want(http.StatusUnauthorized, nil, "GET", "/", "")
	if got := logged.String(); !strings.Contains(got, "refreshing") || strings.Contains(got, theToken) {
		t.Errorf("logged %q", got)
	}
}
