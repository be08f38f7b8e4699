package e2e

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"linkgate/apikey"
)

// commands runs what an operator runs, with a configuration that is right and with wrong ones.
func (c *canary) commands() {
	c.t.Helper()
	keyset, strange := c.keyset(), c.quotingServer()
	c.command(0, nil, "", "check")
	c.command(0, nil, "", "check", "--json")
	c.command(0, nil, keyset, "keys", "list", "--stdin")
	c.command(0, nil, keyset, "keys", "list", "--stdin", "--json")
	c.command(2, nil, keyset[:len(keyset)-9], "keys", "add", "--stdin")
	c.command(2, nil, c.mint("what is no keyset"), "keys", "list", "--stdin")
	c.apiKeys()
	for i, wrong := range []map[string]string{c.wrongEnvironment(), c.wrongAddresses(), c.wrongConnections(), c.wrongReferences(), c.wrongYAML()} {
		c.command(3, wrong, "", "check", "--json", "--offline")
		if i%2 == 0 { // it words the same mistakes for people
			c.command(3, wrong, "", "serve")
		}
	}
	for _, unreachable := range []map[string]string{
		{"DATABASE_URL": c.passwordIn("postgres://"+freeAddr(c.t)+"/x", "postgres", "password of no Postgres"), "ENCRYPTION_KEYSET": keyset},
		{"DATABASE_URL": c.passwordIn("postgres://"+strange+"/x?sslmode=require", "postgres", "password of no Postgres"), "ENCRYPTION_KEYSET": keyset},
		{"DATABASE_URL": c.passwordIn("postgres://"+strange+"/x?sslmode=bogus", "postgres", "password of a wrong URL"), "ENCRYPTION_KEYSET": keyset},
		{"DATA_DIR": c.brokenKeyset(keyset), "DATABASE_URL": "", "ENCRYPTION_KEYSET": ""},
	} {
		c.command(4, unreachable, "", "check")
		c.command(1, unreachable, "", "serve")
	}
	c.command(4, map[string]string{"HOST_API_KEY": c.mint("wrong API key")}, "", "check", "--json")
	c.command(4, map[string]string{"REDIS_URL": c.passwordIn("redis://"+freeAddr(c.t)+"/0", "", "password of no Redis")}, "", "check")
	for _, line := range []string{"HTTP/1.1 200 OK\r\n", ""} { // what follows is no header, or no status
		c.raw.play(func(asked string) string { return line + asked + "\r\n\r\n" })
		c.command(4, map[string]string{"HOST_API_URL": "http://" + c.raw.address}, "", "check")
	}
	c.wrongRedis(strange)
}

// apiKeys makes an API key, finds it beside others in API_KEYS, and revokes it as one that was found.
func (c *canary) apiKeys() {
	c.t.Helper()
	var said bytes.Buffer
	making := c.prepare(nil, "apikeys", "new", "the back end", "--scopes", "accounts:read,tokens:read")
	making.Stderr = &said
	shown, err := making.Output()
	if err != nil {
		c.t.Fatalf("making an API key: %v\n%s", err, said.String())
	}
	key := strings.TrimSpace(string(shown))
	id := apikey.IDOf(key)
	c.know("API key", key, key[len(id)+1:])
	c.see(inOutput, "apikeys new, beside the key", said.Bytes())
	env := map[string]string{"API_KEYS": c.mint("API key in API_KEYS") + "=calls:write," + key}
	c.command(0, env, "", "apikeys", "list")
	c.command(0, env, "", "apikeys", "list", "--json")
	c.command(0, env, "", "check", "--json")
	c.command(2, env, "", "apikeys", "revoke", key) // where nobody can be asked
	c.command(1, env, "", "apikeys", "revoke", key[len(id):], "--yes")
	c.command(0, env, "", "apikeys", "revoke", key, "--yes")
	c.command(3, map[string]string{"API_KEYS": key[1:] + "," + key[:60] + "," + key + "=everything"}, "", "apikeys", "list")
}

// command runs Linkgate to its end, which must have the exit code.
func (c *canary) command(code int, env map[string]string, stdin string, args ...string) {
	c.t.Helper()
	cmd := c.prepare(env, args...)
	var output bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &output, &output
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		c.t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != code {
		c.t.Errorf("linkgate %v exited with %d, want %d:\n%s", args, got, code, output.String())
	}
	c.see(inOutput, strings.Join(args, " "), output.Bytes())
}

// prepare makes a command of Linkgate in the environment of this world, with changes.
func (c *canary) prepare(env map[string]string, args ...string) *exec.Cmd {
	all := maps.Clone(c.Linkgate.env)
	maps.Copy(all, env)
	cmd := exec.CommandContext(c.t.Context(), binary, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	for name, value := range all {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return cmd
}

// wrongEnvironment has a secret in each variable that should have something else.
func (c *canary) wrongEnvironment() map[string]string {
	env := map[string]string{
		"HOST_API_KEY": c.mint("API key with a line break") + "\nx", "HOST_PROXY_SECRET": "short,," + c.mint("proxy secret") + "\x01",
		"API_KEYS":          c.mintOdd("API key that is none") + ",short," + c.mint("API key") + "=" + c.mint("scope that is a secret"),
		"ENCRYPTION_KEYSET": c.keyset()[:100], "DATABASE_URL": "mysql://root:" + c.mint("password") + "@localhost/x",
		"REDIS_URL": "redis://:" + c.mint("password") + "@localhost:port/0",
	}
	for _, name := range []string{
		"ADDR", "OPERATOR_ADDR", "PUBLIC_URL", "HOST_API_URL", "HOST_ORIGIN", "HOST_FINISH", "HOST_SHARE_TOKENS",
		"ALLOW_PRIVATE_NETWORKS", "LOG_LEVEL", "LOG_FORMAT", "SHUTDOWN_TIMEOUT", "API_RATE", "HOST_APIKEY", "LINKGATE_HOST_API_KEY",
	} {
		env[name] = c.mintOdd("secret in " + name)
	}
	return env
}

// wrongAddresses has addresses with secrets in them.
func (c *canary) wrongAddresses() map[string]string {
	return map[string]string{
		"HOST_API_URL": "https://user:" + c.mint("password") + "@api.example", "PUBLIC_URL": "https://x.example/?key=" + c.mint("key"),
		"HOST_ORIGIN": "https://x.example/#" + c.mint("fragment"), "REDIS_URL": "http://" + c.mint("Redis of another scheme"),
		"DATABASE_URL": "postgres://u:%zz" + c.mint("password") + "@localhost/x", "ENCRYPTION_KEYSET": c.mint("what is no keyset"),
		"HOST_API_KEY_FILE": "/nowhere", // beside HOST_API_KEY
	}
}

// file writes a connections file.
func (c *canary) file(text string) map[string]string {
	path := filepath.Join(c.t.TempDir(), "connections.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
	return map[string]string{"CONNECTIONS_FILE": path}
}

// misplaced are connections with a secret for the value of each key; %s stands for it.
const misplaced = `connections:
  - auth_id: a
    provider: %s
  - auth_id: b
    provider: github
    protocol: %s
    client_id: b
    client_secret: [%s]
    auth_style: %s
    scopes: ['%s x']
    scope_separator: %s
    revoke_url: http://b.example/%s
    lifetime: %s
    authorize_params: {state: %s, '': %s, response_mode: %s}
    token_params: {client_secret: %s}
  - auth_id: 'c %s'
    provider: oauth2
    name: "%s\x01"
    authorize_url: '%s'
    token_url: https://user:%s@c.example/token
    client_id: c
    client_secret: {%s: %s}
    identity: {url: '%s', id: 'a..%s', name: '%s.'}
  - auth_id: d
    provider: oidc
    issuer: https://d.example/?%s
    client_id: d
    auth_style: none
    client_secret: %s
    identity: %s
    %s: x
`

// wrongConnections has secrets in plain text in the wrong places.
func (c *canary) wrongConnections() map[string]string {
	text := misplaced
	for strings.Contains(text, "%s") {
		text = strings.Replace(text, "%s", c.mint("secret in the wrong place"), 1)
	}
	return c.file(text)
}

// wrongReferences has one there by way of a variable.
func (c *canary) wrongReferences() map[string]string {
	env := c.file(strings.ReplaceAll(strings.ReplaceAll(misplaced, `"%s\x01"`, "'%s'"), "%s", `"${MISPLACED}"`))
	env["MISPLACED"] = c.mintOdd("variable in the wrong place")
	return env
}

// wrongYAML can't even be parsed.
func (c *canary) wrongYAML() map[string]string {
	return c.file("connections:\n  - client_secret: \"" + c.mint("secret in broken YAML") + "\n   token: {" + c.mint("secret in broken YAML") + "\n")
}

// brokenKeyset is a DATA_DIR whose keyset has lost its end.
func (c *canary) brokenKeyset(keyset string) string {
	dir := c.t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "keyset"), []byte(keyset[:len(keyset)-9]), 0o600); err != nil {
		c.t.Fatal(err)
	}
	return dir
}

// wrongRedis runs Linkgate with a Redis that quotes what it does not know.
func (c *canary) wrongRedis(address string) {
	c.t.Helper()
	env := map[string]string{
		"REDIS_URL":     c.passwordIn("redis://"+address+"/0", "linkgate", "password of a strange Redis"),
		"OPERATOR_ADDR": freeAddr(c.t), "ADDR": freeAddr(c.t),
	}
	c.command(4, env, "", "check")
	serving, output := c.prepare(env, "serve"), &logBuffer{}
	serving.Stdout, serving.Stderr = output, output
	if err := serving.Start(); err != nil {
		c.t.Fatal(err)
	}
	defer func() {
		_ = serving.Process.Signal(syscall.SIGTERM)
		_ = serving.Wait()
		c.see(inOutput, "serve with a strange Redis", []byte(output.String()))
	}()
	eventually(c.t, "Linkgate tells that it is not ready", func() bool {
		answer, err := http.Get("http://" + env["OPERATOR_ADDR"] + "/readyz")
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		c.see(inOperator, "/readyz with a strange Redis", body)
		return err == nil && answer.StatusCode == 503
	})
	answer, e := request(c.t, c.t.Context(), "POST", "http://"+env["ADDR"]+"/auth/notes", c.proxied("ada"), nil)
	if answer.StatusCode != 503 {
		c.t.Errorf("with a strange Redis: %d, want 503", answer.StatusCode)
	}
	c.see(inEnvelope, "with a strange Redis", fmt.Appendf(nil, "%+v", e))
}

// quotingServer is a Redis that knows no command, and quotes each in its answer as real ones do
// with those that they don't know. Whoever speaks another language it hangs up on.
func (c *canary) quotingServer() (address string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go quoteCommands(conn)
		}
	}()
	return listener.Addr().String()
}

// quoteCommands answers each command as Redis answers an unknown one.
func quoteCommands(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	number := func(prefix string) (int, error) {
		line, err := r.ReadString('\n')
		if err != nil {
			return 0, err
		}
		return strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(line, prefix)))
	}
	for {
		words, err := number("*")
		if err != nil {
			return
		}
		answer := "-ERR unknown command, with args beginning with:"
		for range words {
			size, err := number("$")
			if err != nil {
				return
			}
			word := make([]byte, size+len("\r\n"))
			if _, err := io.ReadFull(r, word); err != nil {
				return
			}
			answer += fmt.Sprintf(" '%s'", word[:size])
		}
		if _, err := io.WriteString(conn, answer+"\r\n"); err != nil {
			return
		}
	}
}
