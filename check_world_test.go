package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const hostKey = "the-host-api-key"

// appSecret is 32 bytes in base64.
const appSecret = "whsec_b3VyLW93bi1zZWNyZXQtZm9yLXRoZS1hcHAtMTIzNDU="

// newHost answers as the host of contracts/blink.md does about a user it does not know.
func newHost(t *testing.T) string {
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || !strings.HasPrefix(r.URL.Path, "/v2/users/") {
			t.Errorf("the host was asked %s %s", r.Method, r.URL.Path)
		}
		status, code := http.StatusNotFound, "NOT_FOUND"
		if r.Header.Get("Authorization") != "Bearer "+hostKey {
			status, code = http.StatusUnauthorized, "UNAUTHORIZED"
		}
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"code":%q,"message":"","data":null}`, code)
	})
}

// forbid answers as a host whose key may not do this.
func forbid(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusForbidden)
	fmt.Fprint(w, `{"code":"FORBIDDEN","message":"","data":null}`)
}

// website answers as something does that is not a host's API.
func website(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>Welcome, hunter2!</html>") }

// hang answers nothing until the caller has given up.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// newIssuer publishes a discovery document that names as issuer its own address and suffix.
func newIssuer(t *testing.T, suffix string) string {
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/.well-known/openid-configuration" {
			t.Errorf("the issuer was asked %s", r.URL.Path)
		}
		address := "http://" + r.Host
		err := json.NewEncoder(w).Encode(map[string]any{
			"issuer": address + suffix, "authorization_endpoint": address + "/authorize", "token_endpoint": address + "/token",
			"jwks_uri": address + "/jwks", "id_token_signing_alg_values_supported": []string{"RS256"},
			"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// closedPort is a loopback address at which nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// configure sets the environment for a Linkgate with a connection to an issuer and two to a service.
func configure(t *testing.T, env map[string]string) {
	t.Helper()
	dir := t.TempDir()
	const connections = `connections:
  - {auth_id: a1, provider: oidc, name: CRM, issuer: '${ISSUER}', client_id: x, client_secret: hunter2}
  - auth_id: a2
    provider: oauth2
    name: Tickets
    authorize_url: ${SERVICE}/authorize
    token_url: ${SERVICE}/token
    client_id: x
    client_secret: hunter2
    identity: {url: '${SERVICE}/me', id: id}
  - auth_id: a3
    provider: oauth2
    name: More tickets
    authorize_url: ${SERVICE}/authorize
    token_url: ${SERVICE}/other/token
    client_id: x
    client_secret: hunter2
    identity: {url: '${SERVICE}/me', id: id}
`
	file := filepath.Join(dir, "connections.yaml")
	if err := os.WriteFile(file, []byte(connections), 0o600); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{
		"PUBLIC_URL": "https://connect.example.com", "HOST_API_KEY": hostKey, "HOST_PROXY_SECRET": "0123456789abcdef",
		"CONNECTIONS_FILE": file, "DATA_DIR": filepath.Join(dir, "data"), "ALLOW_PRIVATE_NETWORKS": "true",
		"HOST_API_URL": newHost(t), "ISSUER": newIssuer(t, ""), "SERVICE": serve(t, http.NotFound),
		"REDIS_URL": "", "DATABASE_URL": "", "ENCRYPTION_KEYSET": "",
	}
	for name, value := range env {
		all[name] = value
	}
	for name, value := range all {
		t.Setenv(name, value)
	}
}

// checkJSON runs `linkgate check --json` and returns its report, its exit code and all it printed.
func checkJSON(t *testing.T, flags ...string) (r report, code int, printed string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), append([]string{"check", "--json"}, flags...), strings.NewReader(""), &stdout, &stderr)
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		t.Fatalf("reading %s%s: %v", stdout.String(), stderr.String(), err)
	}
	return r, code, stdout.String() + stderr.String()
}

// untrusted serves TLS with a certificate that nobody has signed.
func untrusted(t *testing.T) string {
	t.Helper()
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL
}
