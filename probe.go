package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"linkgate/config"
	"linkgate/host"
	"linkgate/oauthstate"
	"linkgate/provider"
	"linkgate/secret"
)

// probe asks one thing that Linkgate needs whether it is there. ask says in a few words what it
// found, or fails with a *failure that has a remedy.
type probe struct {
	name string
	ask  func(ctx context.Context) (string, error)
}

// answer is what came of a probe.
type answer struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Text   string `json:"text"`
	Remedy string `json:"remedy,omitempty"`
}

// pendingAnswer is a probe under way. Its result comes exactly once.
type pendingAnswer struct {
	name   string
	result <-chan answer
}

// askAll starts every probe at once. No answer is later than patience.
func askAll(ctx context.Context, probes []probe, patience time.Duration) []pendingAnswer {
	pending := make([]pendingAnswer, 0, len(probes))
	for _, p := range probes {
		result := make(chan answer, 1)
		pending = append(pending, pendingAnswer{name: p.name, result: result})
		go func() {
			ctx, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			result <- p.answer(ctx)
		}()
	}
	return pending
}

func (p probe) answer(ctx context.Context) answer {
	text, err := p.ask(ctx)
	if err == nil {
		return answer{Name: p.name, OK: true, Text: text}
	}
	a := answer{Name: p.name, Text: err.Error()}
	if f, ok := errors.AsType[*failure](err); ok {
		a.Remedy = f.remedy
	}
	return a
}

func unanswered(err error, remedy string) error {
	return &failure{code: exitUnanswered, err: err, remedy: remedy}
}

// probes is everything that the configuration names, each once.
func probes(c config.Config) []probe {
	all := []probe{hostProbe(c)}
	for _, conn := range c.Connections {
		p := serviceProbe(conn, c.AllowPrivateNetworks)
		switch {
		case strings.Contains(conn.Issuer, "{"):
			continue // each customer's own
		case conn.Issuer != "" && conn.TokenURL == "" && conn.Redirects():
			p = issuerProbe(conn, c.AllowPrivateNetworks)
		case conn.ServiceURL() == "":
			continue
		}
		if !slices.ContainsFunc(all, func(have probe) bool { return have.name == p.name }) {
			all = append(all, p)
		}
	}
	if c.AppURL != "" {
		all = append(all, appProbe(c.AppURL))
	}
	if c.WebhookURL != "" {
		all = append(all, webhookProbe(c.WebhookURL, c.AllowPrivateNetworks))
	}
	if !c.RedisURL.IsZero() {
		all = append(all, redisProbe(c.RedisURL))
	}
	if c.DatabaseURL.IsZero() || c.EncryptionKeyset.IsZero() {
		all = append(all, dataDirProbe(c))
	}
	if !c.DatabaseURL.IsZero() {
		all = append(all, postgresProbe(c.DatabaseURL))
	}
	return all
}

// nobody is a user id that no host has. A host that knows our key says so; one that does not
// refuses before it looks.
const nobody = "linkgate-check"

func hostProbe(c config.Config) probe {
	return probe{name: "host " + c.HostAPIURL, ask: func(ctx context.Context) (string, error) {
		client := host.New(host.Options{BaseURL: c.HostAPIURL, APIKey: c.HostAPIKey})
		_, err := client.User(ctx, nobody)
		refused, isRefused := errors.AsType[*host.RefusedError](err)
		switch {
		case err == nil, errors.Is(err, host.ErrNotFound), isRefused && refused.Status != 403:
			return "answers and accepts HOST_API_KEY", nil
		case errors.Is(err, host.ErrUnauthorized), isRefused:
			return "", unanswered(err, "Copy the app's API key from the host's admin panel to HOST_API_KEY again, and see that it is this host's.")
		default:
			return "", unanswered(err, "Check HOST_API_URL, and that this machine may reach it.")
		}
	}}
}

// issuerProbe reads the discovery document, by beginning a sign-in that nobody will finish.
func issuerProbe(conn provider.Connection, allowPrivate bool) probe {
	return probe{name: "issuer " + conn.Issuer, ask: func(ctx context.Context) (string, error) {
		p, err := provider.New(conn, provider.Deps{AllowPrivateNetworks: allowPrivate})
		if err != nil {
			return "", err
		}
		_, _, err = p.Redirector.Authorize(ctx, secret.New(nobody), "https://linkgate.invalid")
		switch {
		case err == nil:
			return "answers and describes itself", nil
		case errors.Is(err, provider.ErrNotVerified):
			return "", unanswered(err, "Write issuer exactly as the service's discovery document has it, letter for letter.")
		default:
			return "", unanswered(err, reachRemedy(allowPrivate))
		}
	}}
}

// appProbe opens a connection to the owner's app, whose address may be private. It sends no request:
// what the app would make of one is not known.
func appProbe(appURL string) probe {
	u, err := url.Parse(appURL)
	if err != nil {
		u = &url.URL{}
	}
	return probe{name: "app " + u.Host, ask: func(ctx context.Context) (string, error) {
		if err := dial(ctx, u, true); err != nil {
			return "", unanswered(errors.New(whyUnreachable(err)), "Start your app, or check APP_URL.")
		}
		return "answers", nil
	}}
}

// webhookProbe opens a connection to what takes events, as a delivery would. It sends none.
func webhookProbe(webhookURL string, allowPrivate bool) probe {
	u, err := url.Parse(webhookURL)
	if err != nil {
		u = &url.URL{}
	}
	return probe{name: "webhook " + u.Host, ask: func(ctx context.Context) (string, error) {
		err := dial(ctx, u, allowPrivate)
		switch {
		case provider.IsPrivateAddress(err):
			return "", unanswered(errors.New(whyUnreachable(err)), "Set ALLOW_PRIVATE_NETWORKS=true if Linkgate may call such addresses, or WEBHOOK_URL to a public one.")
		case err != nil:
			return "", unanswered(errors.New(whyUnreachable(err)), "Start what takes events, or check WEBHOOK_URL.")
		}
		return "answers", nil
	}}
}

// serviceProbe opens a connection to the host of the token endpoint, or of what there is in its place,
// with TLS unless it is loopback's http. It sends no request: there is no code and no credential.
func serviceProbe(conn provider.Connection, allowPrivate bool) probe {
	u, err := url.Parse(conn.ServiceURL())
	if err != nil {
		u = &url.URL{}
	}
	return probe{name: "service " + u.Host, ask: func(ctx context.Context) (string, error) {
		if err := dial(ctx, u, allowPrivate); err != nil {
			return "", unanswered(errors.New(whyUnreachable(err)), reachRemedy(allowPrivate || !provider.IsPrivateAddress(err)))
		}
		return "answers", nil
	}}
}

func redisProbe(address secret.Text) probe {
	return probe{name: "Redis", ask: func(ctx context.Context) (string, error) {
		const remedy = "Check REDIS_URL, user and password in it included, and that this machine may reach it."
		client, err := oauthstate.Dial(address)
		if err != nil {
			return "", unanswered(err, remedy)
		}
		defer client.Close()
		if err := client.Ping(ctx).Err(); err != nil {
			return "", unanswered(errors.New(whyRedis(err)), remedy)
		}
		return "answers", nil
	}}
}

func postgresProbe(address secret.Text) probe {
	return probe{name: "Postgres", ask: func(ctx context.Context) (string, error) {
		const remedy = "Check DATABASE_URL, user, password and name in it included, and that this machine may reach it."
		settings, err := pgx.ParseConfig(address.Reveal())
		if err != nil {
			return "", unanswered(errors.New("DATABASE_URL has settings that make no sense"), remedy)
		}
		conn, err := pgx.ConnectConfig(ctx, settings)
		if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
			return "", unanswered(fmt.Errorf("refuses: %s (SQLSTATE %s)", refused.Message, refused.Code), remedy)
		}
		if err != nil {
			return "", unanswered(errors.New(whyUnreachable(err)), remedy)
		}
		return "answers", conn.Close(ctx)
	}}
}

// dataDirProbe looks whether DATA_DIR can be written, or made, and whether a keyset there opens.
func dataDirProbe(c config.Config) probe {
	return probe{name: "DATA_DIR " + c.DataDir, ask: func(context.Context) (string, error) {
		if err := probeKeyset(c); err != nil {
			return "", err
		}
		dir, missing := existing(c.DataDir)
		f, err := os.CreateTemp(dir, ".linkgate-check-*")
		if err != nil {
			return "", unanswered(fmt.Errorf("%s can't be written", dir), "Give the user that runs Linkgate permission, or set DATA_DIR to another directory.")
		}
		if err := errors.Join(f.Close(), os.Remove(f.Name())); err != nil {
			return "", unanswered(err, "See what is wrong with the disk.")
		}
		if missing {
			return "is not there yet, and can be made", nil
		}
		return "can be written", nil
	}}
}

func probeKeyset(c config.Config) error {
	path := filepath.Join(c.DataDir, keysetFile)
	if !isThere(path) || !c.EncryptionKeyset.IsZero() {
		return nil // the first start makes one
	}
	_, _, err := secret.LoadOrCreateKeyset(path)
	switch {
	case errors.Is(err, secret.ErrKeysetFileMode):
		return unanswered(err, "Run chmod 600 "+path+".")
	case err != nil:
		return unanswered(err, "Put the keyset back from its copy; without it no credential can be opened.")
	}
	return nil
}

func isThere(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// existing is dir, or the nearest directory above it that is there.
func existing(dir string) (_ string, missing bool) {
	for {
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			return dir, missing
		}
		dir, missing = filepath.Dir(dir), true
	}
}
