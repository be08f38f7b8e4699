package e2e

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"linkgate/database"
	"linkgate/demo"
	"linkgate/testservers"
)

// killsAStep is how often Linkgate is killed at each step.
const killsAStep = 20

// step is a moment at which Linkgate is killed: when somebody at the other end gets a request, or
// has done it and not answered, or, without an op, at a random time after the start.
type step struct {
	name  string
	op    string
	after bool
}

var linkingSteps = []step{
	{"the code arrives at the service", demo.OpToken, false},
	{"the service has issued the tokens", demo.OpToken, true},
	{"the keys are asked for", demo.OpJWKS, false},
	{"the account is saved, its add arrives at the host", demo.OpAdd, false},
	{"the host has added the account", demo.OpAdd, true},
	{"any time while linking", "", false},
}

var unlinkingSteps = []step{
	{"the delete arrives at the host", demo.OpDelete, false},
	{"the host has deleted the account", demo.OpDelete, true},
	{"the revocation arrives at the service", demo.OpRevoke, false},
	{"the service has revoked", demo.OpRevoke, true},
	{"any time while disconnecting", "", false},
}

// TestKillAtEveryStep kills Linkgate (SIGKILL) at each step of linking and of disconnecting,
// starts it again, and in the end finds every account complete at both sides or gone from both.
func TestKillAtEveryStep(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		killAtEveryStep(t)
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		killAtEveryStep(t, with("DATABASE_URL", testservers.Postgres(t)), with("REDIS_URL", testservers.Redis(t)),
			with("ENCRYPTION_KEYSET", newKeyset(t)))
	})
}

func killAtEveryStep(t *testing.T, options ...option) {
	c := &crasher{world: newWorld(t, append(options, with("LOG_LEVEL", "info"), crowded(killsAStep*len(linkingSteps)))...), stepOf: map[string]string{}}
	for i, s := range linkingSteps {
		for j := range killsAStep {
			c.kill(t, s, crowdUser(i*killsAStep+j), c.link)
		}
	}
	c.settle(t)
	for i, s := range unlinkingSteps {
		for j := range killsAStep {
			user := crowdUser(i*killsAStep + j)
			c.link(t, user) // where the kill left none
			c.kill(t, s, user, c.unlink)
		}
	}
	c.settle(t)
}

// crasher kills and restarts a world's Linkgate.
type crasher struct {
	*world
	stepOf map[string]string // the last step at which Linkgate was killed while a user acted
}

// kill lets user act until Linkgate dies at the step, and starts it again.
func (c *crasher) kill(t *testing.T, s step, user string, act func(*testing.T, string)) {
	t.Helper()
	c.stepOf[user] = s.name
	var once sync.Once
	die := func() { once.Do(c.Linkgate.Kill) }
	at := func(op string, _ *http.Request) {
		if op == s.op {
			die()
		}
	}
	switch {
	case s.op == "":
		time.AfterFunc(rand.N(120*time.Millisecond), die)
	case s.after:
		c.Host.Play(demo.Script{After: at})
		c.Service.Play(demo.Script{After: at})
	default:
		c.Host.Play(demo.Script{Before: at})
		c.Service.Play(demo.Script{Before: at})
	}
	act(t, user)
	die()
	c.Host.Play(demo.Script{})
	c.Service.Play(demo.Script{})
	c.Linkgate.Start()
}

// link connects an account of user's, unless it has one; Linkgate may die under it.
func (c *crasher) link(t *testing.T, user string) {
	if len(c.Host.Accounts(user)) > 0 {
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	address, err := c.Host.Connect(ctx, user, demo.NotesOIDC)
	if err == nil {
		_, _ = demo.NewBrowser().SignIn(ctx, address, "ada") // ends where Linkgate does
	}
}

func (c *crasher) unlink(t *testing.T, user string) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for _, a := range c.Host.Accounts(user) {
		_ = c.Host.Disconnect(ctx, user, a.ID) // ends where Linkgate does
	}
}

// settle waits until Linkgate owes nobody anything, and compares the two sides.
func (c *crasher) settle(t *testing.T) {
	t.Helper()
	db := c.open(t)
	eventually(t, "nothing is owed to anybody", func() bool {
		var n int
		if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM outbox").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n == 0
	})
	for user := range c.stepOf {
		c.compare(t, db, user)
	}
}

// compare finds what the host has and we do not, or the other way round, or twice.
func (c *crasher) compare(t *testing.T, db *database.DB, user string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "SELECT host_id, status FROM linked_accounts WHERE host_user_id = $1", user)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	ours := map[string]bool{}
	for rows.Next() {
		var hostID, status string
		if err := rows.Scan(&hostID, &status); err != nil {
			t.Fatal(err)
		}
		switch status {
		case "linked":
			ours[hostID] = true
		case "unlinked":
		default:
			t.Errorf("killed when %s: an account is left %s", c.stepOf[user], status)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	theirs := c.Host.Accounts(user)
	if len(theirs) != len(ours) || len(theirs) > 1 {
		t.Errorf("killed when %s: the host has %d accounts and we have %d", c.stepOf[user], len(theirs), len(ours))
	}
	for _, a := range theirs {
		if !ours[a.ID] {
			t.Errorf("killed when %s: the host's account %s is not ours", c.stepOf[user], a.ID)
		}
	}
}
