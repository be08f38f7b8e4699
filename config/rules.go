package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/redis/go-redis/v9"

	"linkgate/secret"
)

const (
	minProxySecret = 16 // characters; the host's proxy secret is all that authenticates its requests

	minShutdown = time.Second
	maxShutdown = 10 * time.Minute

	maxRate = 100_000
)

// rules check the values of the environment, alone and against each other. A variable that could
// not be read at all is in broken and is not judged again.
type rules struct {
	config   *Config
	broken   map[string]bool
	mistakes []Mistake
}

// add words a mistake: text is what follows the variable's name.
func (r *rules) add(variable, text, remedy string) {
	if !r.broken[variable] {
		r.mistakes = append(r.mistakes, Mistake{Variable: variable, Text: variable + " " + text, Remedy: remedy})
	}
}

func (r *rules) check() {
	r.listeners()
	r.publicURL()
	r.host()
	r.hostOrigin()
	r.sessionOrigins()
	r.app()
	r.apiKeys()
	r.webhook()
	r.redis()
	r.database()
	r.keyset()
	r.running()
}

func (r *rules) listeners() {
	c := r.config
	for variable, addr := range map[string]string{"ADDR": c.Addr, "OPERATOR_ADDR": c.OperatorAddr} {
		if !isListenAddress(addr) {
			r.add(variable, "is not an address to listen on", "Write host:port, or :port for every interface, such as :8080.")
		}
	}
	if c.Addr == c.OperatorAddr && !strings.HasSuffix(c.Addr, ":0") {
		r.add("OPERATOR_ADDR", "is the same address as ADDR", "Give it a port of its own that the internet can't reach, such as :9090.")
	}
}

func isListenAddress(addr string) bool {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || strings.ContainsAny(host, " /@") {
		return false
	}
	n, err := strconv.Atoi(port)
	return err == nil && n >= 0 && n <= 65535
}

func (r *rules) publicURL() {
	const remedy = "Set it to the https origin at which browsers reach Linkgate, such as https://connect.example.com, without a path."
	if r.config.PublicURL == "" {
		r.add("PUBLIC_URL", "is not set", remedy)
		return
	}
	origin, problem := parseOrigin(strings.TrimSuffix(r.config.PublicURL, "/"))
	if problem != "" {
		r.add("PUBLIC_URL", problem, remedy)
		return
	}
	r.config.PublicURL = origin
}

func (r *rules) hostOrigin() {
	const remedy = "Set it to the origin of the host's pages, as scheme://host, such as https://app.example.com."
	c := r.config
	switch {
	case c.HostOrigin == "" && c.HostFinish && len(c.SessionOrigins) == 0:
		r.add("HOST_ORIGIN", "is not set, though HOST_FINISH is true", remedy+" Finishing at the host means posting to its page.")
	case c.HostOrigin != "":
		origin, problem := parseOrigin(c.HostOrigin)
		if problem != "" {
			r.add("HOST_ORIGIN", problem, remedy)
			return
		}
		c.HostOrigin = origin
	}
}

// sessionOrigins makes one list of the pages that may be told how a session ends.
func (r *rules) sessionOrigins() {
	const variable = "SESSION_ORIGINS"
	c := r.config
	var origins []string
	for i, s := range c.SessionOrigins {
		which := ""
		if len(c.SessionOrigins) > 1 {
			which = fmt.Sprintf("number %d of %d ", i+1, len(c.SessionOrigins))
		}
		origin, problem := parseOrigin(strings.TrimSpace(s))
		if problem != "" {
			r.add(variable, which+problem, "Set it to the origins of your own pages, as scheme://host with commas between them, such as https://app.example.com,http://localhost:3000.")
			continue
		}
		origins = append(origins, origin)
	}
	if c.HostOrigin != "" {
		origins = append(origins, c.HostOrigin)
	}
	slices.Sort(origins)
	c.SessionOrigins = slices.Compact(origins)
}

func (r *rules) host() {
	c := r.config
	if _, problem := parseAddress(c.HostAPIURL); problem != "" {
		r.add("HOST_API_URL", problem, "Set it to the base address of the host's API, such as https://api.joinblink.com.")
	}
	c.HostAPIURL = strings.TrimRight(c.HostAPIURL, "/")
	const remedy = "Set it, or HOST_API_KEY_FILE, to the app's API key from the host's admin panel."
	switch {
	case c.HostAPIKey.IsZero():
		r.add("HOST_API_KEY", "is not set", remedy)
	case strings.ContainsFunc(c.HostAPIKey.Reveal(), unicode.IsControl):
		r.add("HOST_API_KEY", "has a line break or another control character in it", remedy)
	}
	r.proxySecrets()
}

func (r *rules) proxySecrets() {
	const variable = "HOST_PROXY_SECRET"
	all := r.config.HostProxySecrets
	if len(all) == 0 {
		r.add(variable, "is not set", "Set it, or HOST_PROXY_SECRET_FILE, to the Proxy Secret that the host's admin panel shows for the app.")
	}
	for i := range all {
		s := secret.New(strings.TrimSpace(all[i].Reveal()))
		all[i] = s
		which := ""
		if len(all) > 1 {
			which = fmt.Sprintf("number %d of %d ", i+1, len(all))
		}
		switch n := len(s.Reveal()); {
		case n == 0:
			r.add(variable, which+"is empty", "Remove the comma too many: secrets are separated by one comma each.")
		case n < minProxySecret:
			r.add(variable, fmt.Sprintf("%sis %s long", which, Count(n, "character")),
				fmt.Sprintf("Use at least %d random characters, here and in the host's admin panel (openssl rand -hex 32).", minProxySecret))
		case strings.ContainsFunc(s.Reveal(), unicode.IsControl):
			r.add(variable, which+"has a line break or another control character in it", "Put it on one line: several are separated by commas.")
		}
	}
}

func (r *rules) redis() {
	address := r.config.RedisURL.Reveal()
	if address == "" {
		return
	}
	if _, err := redis.ParseURL(address); err != nil {
		r.add("REDIS_URL", "is not the address of a Redis", "Write redis://user:password@host:6379/0, rediss://… with TLS, or unix:///path; unset it for the embedded one.")
	}
}

func (r *rules) database() {
	address := r.config.DatabaseURL.Reveal()
	if address == "" {
		return
	}
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") || (u.Host == "" && !u.Query().Has("host")) {
		r.add("DATABASE_URL", "is not the address of a Postgres", "Write postgres://user:password@host:5432/name; unset it for SQLite in DATA_DIR. Percent-encode special characters in the password.")
	}
}

func (r *rules) keyset() {
	const variable = "ENCRYPTION_KEYSET"
	c := r.config
	switch {
	case !c.EncryptionKeyset.IsZero():
		if _, err := secret.OpenKeyring(c.EncryptionKeyset); err != nil {
			r.add(variable, "is not a keyset", "Set it to the whole output of `linkgate keys new`, unchanged.")
		}
	case !c.DatabaseURL.IsZero():
		r.add(variable, "is not set, though DATABASE_URL is", "Run `linkgate keys new` once, keep its output in a secret store, and give the same to every replica.")
	}
}

func (r *rules) running() {
	c := r.config
	if c.LogFormat != "text" && c.LogFormat != "json" {
		r.add("LOG_FORMAT", "is neither text nor json", "Set it to text for people or json for machines.")
	}
	if c.CallRate < 1 || c.CallRate > maxRate {
		r.add("CALL_RATE", fmt.Sprintf("is not between 1 and %d", maxRate), "Set it to how many calls a second a user may make, such as 50.")
	}
	if c.ShutdownTimeout < minShutdown || c.ShutdownTimeout > maxShutdown {
		r.add("SHUTDOWN_TIMEOUT", fmt.Sprintf("is not between %s and %s", minShutdown, maxShutdown),
			"Set it a little shorter than your platform waits before it kills, such as 25s.")
	}
}

// parseOrigin reads scheme://host[:port], https unless on loopback, and returns it as browsers
// write it (RFC 6454 §6.1): in lower case and without the scheme's own port.
func parseOrigin(s string) (origin, problem string) {
	u, problem := parseAddress(s)
	switch {
	case problem != "":
		return "", problem
	case u.Path != "":
		return "", "has a path after the host"
	case strings.Contains(u.Host, "*"):
		return "", "is for every host, and must be for one"
	}
	host := strings.ToLower(u.Host)
	if standard := map[string]string{"https": ":443", "http": ":80"}[u.Scheme]; strings.HasSuffix(host, standard) {
		host = strings.TrimSuffix(host, standard)
	}
	return u.Scheme + "://" + host, ""
}

// parseAddress reads an absolute https address, http on loopback, without user, query and
// fragment.
func parseAddress(s string) (u *url.URL, problem string) {
	u, problem = parseWebAddress(s)
	if problem == "" && u.Scheme == "http" && !isLoopback(u.Hostname()) {
		return nil, "is http, which is safe on loopback alone"
	}
	return u, problem
}

// parseWebAddress is parseAddress that takes http from anywhere. The problem never repeats the
// address: somebody may have put a secret there.
func parseWebAddress(s string) (u *url.URL, problem string) {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return nil, "is not an address"
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, "does not begin with https://"
	case u.Hostname() == "":
		return nil, "has no host"
	case u.User != nil:
		return nil, "has a user name or password in it"
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(s, "#"):
		return nil, "has a query or fragment (? or #) in it"
	}
	return u, ""
}

func isLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
