package e2e

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"linkgate/database"
	"linkgate/demo"
	"linkgate/testservers"
)

// The canary test runs every flow and every failure, gathers every secret that exists meanwhile,
// and looks for each in everything that Linkgate says or keeps (SECURITY.md). A place where
// nothing was seen fails it, and TestCanaryPlanted puts secrets in each place and sees them found.
//
// Where the protocol itself puts a secret is not searched: the Location and Set-Cookie headers.
// A ticket belongs in its own session's page and in the answer that opens it, a finish token in
// the page that posts it, an access token in the body of POST /v1/accounts/{id}/token; anywhere else
// they are as secret as the rest.

// kind is where secrets are looked for.
type kind string

const (
	inLog      kind = "log"                // all that the process has printed
	inPage     kind = "page"               // HTML and its headers, for a browser
	inEnvelope kind = "answer to the host" // and its headers
	inRedis    kind = "Redis"              // keys and values
	inCommands kind = "commands to Redis"  // as MONITOR tells them
	inSQL      kind = "SQL"                // every column of every row
	inFile     kind = "file"               // of DATA_DIR, but for the keyset
	inOperator kind = "answer to the operator"
	inOutput   kind = "output of a command"
)

// haystack is something that was seen, with the secrets that belong in it.
type haystack struct {
	kind    kind
	name    string
	content []byte
	own     []string
}

// canary is a world in which all secrets and all haystacks are remembered.
type canary struct {
	*world
	t        *testing.T
	raw      *rawService
	db       *database.DB
	redis    *redis.Client         // nil: it is embedded
	toRedis  *testservers.TCPProxy // of a real one
	postgres string                // its URL; empty: SQLite
	toSQL    *testservers.TCPProxy // of Postgres
	monitor  *logBuffer            // what MONITOR has told
	sampling sync.WaitGroup

	key     string // of the back end
	webhook string // its address

	mu        sync.Mutex
	users     int
	events    int               // that have come to the webhook
	secrets   map[string]string // and what each of them is
	haystacks map[[sha256.Size]byte]haystack
}

func newCanary(t *testing.T) *canary {
	return &canary{t: t, secrets: map[string]string{}, haystacks: map[[sha256.Size]byte]haystack{}}
}

// know remembers secrets.
func (c *canary) know(what string, secrets ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range secrets {
		if s != "" && c.secrets[s] == "" {
			c.secrets[s] = what
		}
	}
}

// mint makes a secret.
func (c *canary) mint(what string) string {
	s := rand.Text() + rand.Text()
	c.know(what, s)
	return s
}

// mintOdd makes one that looks different in every encoding.
func (c *canary) mintOdd(what string) string {
	s := `o"d<d&+/=%\` + "`' ü" + rand.Text()
	c.know(what, s)
	return s
}

// see remembers a haystack, once.
func (c *canary) see(k kind, name string, content []byte, own ...string) {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q%q%s", k, own, content))
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, seen := c.haystacks[sum]; !seen && len(content) > 0 {
		c.haystacks[sum] = haystack{k, name, bytes.Clone(content), own}
	}
}

// leak is a secret where it should not be.
type leak struct {
	kind kind
	name string
	what string
	form string
}

// leaks searches every haystack for every secret, and returns each find with what is around it.
func (c *canary) leaks() map[leak]string {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	f := newFinder(c.t, slices.Collect(maps.Keys(c.secrets)))
	all := map[leak]string{}
	for _, h := range c.haystacks {
		for _, n := range f.find(h.content, h.own...) {
			at := bytes.Index(h.content, []byte(n.text))
			around := h.content[max(0, at-200):min(len(h.content), at+len(n.text)+100)]
			all[leak{h.kind, h.name, c.secrets[n.secret], n.form}] = string(around)
		}
	}
	return all
}

// gather looks once more at what is there in the end.
func (c *canary) gather() {
	c.t.Helper()
	c.know("secret of the service", c.Service.Secrets()...)
	c.knowKinds()
	c.dump()
	c.see(inLog, "log", []byte(c.Linkgate.log.String()))
	if c.monitor != nil {
		c.see(inCommands, "MONITOR", []byte(c.monitor.String()))
	}
}

// blind lists the kinds of which nothing was seen.
func (c *canary) blind(kinds ...kind) (unseen []kind) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range kinds {
		if !slices.ContainsFunc(slices.Collect(maps.Values(c.haystacks)), func(h haystack) bool { return h.kind == k }) {
			unseen = append(unseen, k)
		}
	}
	return unseen
}

// verdict fails the test for each leak, and if it was blind to a kind.
func (c *canary) verdict(kinds ...kind) {
	c.t.Helper()
	c.gather()
	for l, around := range c.leaks() {
		c.t.Errorf("%s %s holds the %s (%s): …%q…", l.kind, l.name, l.what, l.form, around)
	}
	if unseen := c.blind(kinds...); len(unseen) > 0 {
		c.t.Errorf("nothing was seen of %q", unseen)
	}
}

// TestCanary is the embedded stores, then real ones, calls, those with the host's relay, and back ends.
func TestCanary(t *testing.T) {
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		c := newCanary(t)
		c.start(with("LOG_FORMAT", "text"), with("HOST_SHARE_TOKENS", "true"))
		c.flows()
		c.faults()
		c.verdict(inLog, inPage, inEnvelope, inSQL, inFile, inOperator)
	})
	t.Run("real", func(t *testing.T) {
		t.Parallel()
		c := newCanary(t)
		c.start(c.realRedis(), c.realPostgres(), with("LOG_FORMAT", "json"), with("HOST_SHARE_TOKENS", "true"))
		c.flows()
		c.faults()
		c.outages()
		c.verdict(inLog, inPage, inEnvelope, inSQL, inRedis, inCommands, inOperator)
	})
	t.Run("calls", func(t *testing.T) {
		t.Parallel()
		c := newCanary(t)
		c.start(c.realRedis(), with("LOG_FORMAT", "json"), with("HOST_SHARE_TOKENS", "true"), tokensLive(shortLife))
		c.calls()
		c.verdict(inLog, inEnvelope, inSQL, inRedis, inCommands, inFile, inOperator)
	})
	t.Run("finish", func(t *testing.T) {
		t.Parallel()
		c := newCanary(t)
		c.start(c.realRedis(), with("LOG_FORMAT", "text"), with("HOST_FINISH", "true"))
		c.relays()
		c.commands()
		c.verdict(inLog, inPage, inEnvelope, inSQL, inFile, inRedis, inCommands, inOperator, inOutput)
	})
	t.Run("back ends", func(t *testing.T) {
		t.Parallel()
		c := newCanary(t)
		c.start(append(c.backEnd(), c.realRedis(), with("LOG_FORMAT", "json"), with("HOST_FINISH", "true"))...)
		c.backEnds()
		c.verdict(inLog, inPage, inSQL, inFile, inRedis, inCommands, inOperator, inOutput, inAnswer, inProblem, inStream, inWebhook, inCall)
	})
}

// start makes the world. Linkgate is behind a recorder, and has a third connection, whose token
// endpoint is our raw service.
func (c *canary) start(options ...option) {
	c.t.Helper()
	c.raw = newRawService(c.t)
	options = append(options, crowded(300), c.recorded(), offering(time.Minute), c.withRawConnection())
	c.world = newWorld(c.t, options...)
	env := c.Linkgate.env
	env["HOST_PROXY_SECRET"] += "," + c.mintOdd("second proxy secret") // from the next start on
	c.Service.Register(demo.Client{ID: rawClient, RedirectURIs: []string{env["PUBLIC_URL"] + "/callback/" + rawAuthID}})
	c.know("API key of the host", c.Host.APIKey().Reveal())
	c.know("proxy secret", c.Host.ProxySecret().Reveal())
	c.knowKeyset()
	c.database = c.postgres
	c.db = c.open(c.t)
}

// passwordIn puts a password into an address and remembers it.
func (c *canary) passwordIn(address, user, what string) string {
	u, err := url.Parse(address)
	if err != nil {
		c.t.Fatal(err)
	}
	u.User = url.UserPassword(user, c.mintOdd(what))
	return u.String()
}
