// Package config reads what the operator has set: the environment, and the connections file that
// it names. Both become one Config. Reading never stops at the first mistake; Load gathers every
// one, each with its place and what to do about it, so that an operator mends them in one go.
//
// A mistake never shows a value that may be secret: it says where the value is and what is wrong
// with it. Presets and the rules of a single connection belong to package provider.
package config

import (
	"log/slog"
	"net/url"
	"os"
	"slices"
	"time"

	"github.com/caarlos0/env/v11"

	"linkgate/apikey"
	"linkgate/provider"
	"linkgate/secret"
)

// Config is everything Linkgate is told from outside. Each field names its variable; one that
// holds a secret may also be set as NAME_FILE, the path of a file with the value in it.
type Config struct {
	Addr         string `env:"ADDR" envDefault:":8080"`
	PublicURL    string `env:"PUBLIC_URL"` // an origin without a trailing slash: routes are appended to it
	OperatorAddr string `env:"OPERATOR_ADDR" envDefault:":9090"`

	HostAPIURL       string        `env:"HOST_API_URL" envDefault:"https://api.joinblink.com"`
	HostAPIKey       secret.Text   `env:"HOST_API_KEY"`
	HostProxySecrets []secret.Text `env:"HOST_PROXY_SECRET"`            // several while one is being replaced
	HostShareTokens  bool          `env:"HOST_SHARE_TOKENS"`            // tokens go to the host as well
	HostOrigin       string        `env:"HOST_ORIGIN"`                  // where result pages post to; empty: nowhere
	SessionOrigins   []string      `env:"SESSION_ORIGINS"`              // of pages that back ends open sessions for, HostOrigin among them
	HostFinish       bool          `env:"HOST_FINISH"`                  // only the host may finish a sign-in
	RedisURL         secret.Text   `env:"REDIS_URL"`                    // empty: embedded
	DataDir          string        `env:"DATA_DIR" envDefault:"./data"` // SQLite and the keyset, when they are not elsewhere
	DatabaseURL      secret.Text   `env:"DATABASE_URL"`                 // empty: SQLite in DataDir
	EncryptionKeyset secret.Text   `env:"ENCRYPTION_KEYSET"`            // empty: a file in DataDir

	AppURL    string      `env:"APP_URL"`    // the owner's own app, without a trailing slash; empty: there is none
	AppSecret secret.Text `env:"APP_SECRET"` // signs what goes to it (Standard Webhooks)

	APIKeyTexts []secret.Text `env:"API_KEYS"`                 // of the accounts API, beside those that are made by command
	APIKeys     []apikey.Key  `env:"-"`                        // what APIKeyTexts say
	APIRate     int           `env:"API_RATE" envDefault:"50"` // requests per second and API key

	WebhookURL     string        `env:"WEBHOOK_URL"`    // where events go; empty: nowhere
	WebhookSecrets []secret.Text `env:"WEBHOOK_SECRET"` // sign them (Standard Webhooks); several while one is being replaced

	AllowPrivateNetworks bool          `env:"ALLOW_PRIVATE_NETWORKS"`
	CallRate             int           `env:"CALL_RATE" envDefault:"50"` // calls per second and host user
	LogLevel             slog.Level    `env:"LOG_LEVEL" envDefault:"info"`
	LogFormat            string        `env:"LOG_FORMAT" envDefault:"text"` // text or json
	ShutdownTimeout      time.Duration `env:"SHUTDOWN_TIMEOUT" envDefault:"25s"`

	ConnectionsFile string                `env:"CONNECTIONS_FILE" envDefault:"connections.yaml"`
	Connections     []provider.Connection `env:"-"`

	// Warnings are what is allowed and yet probably not meant, such as a misspelt variable.
	Warnings []Mistake `env:"-"`
}

// RedirectURI is the address to register at a connection's service (RFC 6749 §3.1.2).
func (c Config) RedirectURI(authID string) string {
	return c.PublicURL + "/callback/" + url.PathEscape(authID)
}

// Source is where Load reads from.
type Source struct {
	Environ  map[string]string
	ReadFile func(name string) ([]byte, error)
}

// OS is the process's own environment and files.
func OS() Source {
	return Source{Environ: env.ToMap(os.Environ()), ReadFile: os.ReadFile}
}

// Load reads and checks everything. Its error is an *Error. The Config is returned with mistakes
// too, as far as it could be read, so that a caller can still show what is right.
func Load(src Source) (Config, error) {
	vars := newVariables(src)
	c, mistakes := readEnvironment(vars)
	var inFile []Mistake
	c.Connections, inFile = readConnections(c.ConnectionsFile, vars)
	mistakes = append(mistakes, inFile...)
	c.Warnings = slices.Concat(vars.nearMisses(), vars.placeholders(), c.halfShared(), c.injections(), c.webhookWarnings())
	if len(mistakes) > 0 {
		return c, &Error{Mistakes: mistakes}
	}
	return c, nil
}
