package e2e

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"linkgate/demo"
	"linkgate/linkedaccount"
	"linkgate/provider"
	"linkgate/secret"
	"linkgate/testservers"
)

const (
	replicaCount      = 3
	callersEach       = 100
	refreshRounds     = 50
	pastTheLease      = 25 * time.Second // a lease lasts 20 s without renewal
	callerPatience    = 90 * time.Second
	refreshLease      = "linkgate:refresh:"      // begins the key of an account's lease
	registrationLease = "linkgate:registration:" // and that of a connection's client
)

// replicas are several Linkgates on one Redis and one Postgres.
type replicas struct {
	*world
	all     []*process
	tokens  *linkedaccount.Tokens // the test's own, to make what is stored older
	account string                // of ada at NotesOIDC
}

func newReplicas(t *testing.T) *replicas {
	t.Helper()
	redisURL, keyset := testservers.Redis(t), newKeyset(t)
	w := newWorld(t, with("REDIS_URL", redisURL), with("DATABASE_URL", testservers.Postgres(t)),
		with("ENCRYPTION_KEYSET", keyset), with("CALL_RATE", "100000"), with("SHUTDOWN_TIMEOUT", "2s"))
	r := &replicas{world: w, all: []*process{w.Linkgate}}
	for len(r.all) < replicaCount {
		r.all = append(r.all, w.another(t))
	}
	w.linked(t, "ada", demo.NotesOIDC, "ada")
	r.tokens = r.ownTokens(t, redisURL, keyset)
	accounts, err := r.tokens.Store.Of(t.Context(), "ada", demo.NotesOIDC)
	if err != nil || len(accounts) != 1 {
		t.Fatal(len(accounts), err)
	}
	r.account = accounts[0].ID
	return r
}

// another starts one more Linkgate beside the world's.
func (w *world) another(t *testing.T) *process {
	t.Helper()
	env := maps.Clone(w.Linkgate.env)
	env["ADDR"], env["OPERATOR_ADDR"], env["DATA_DIR"] = freeAddr(t), freeAddr(t), t.TempDir()
	p := &process{t: t, env: env, log: &logBuffer{}}
	p.Start()
	t.Cleanup(p.finish)
	return p
}

// ownTokens are the test's own hands in the stores: a fourth replica that serves nobody.
func (r *replicas) ownTokens(t *testing.T, redisURL, keyset string) *linkedaccount.Tokens {
	t.Helper()
	o, err := redis.ParseURL(redisURL)
	if err != nil {
		t.Fatal(err)
	}
	keyring, err := secret.OpenKeyring(secret.New(keyset))
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(o)
	tokens := linkedaccount.NewTokens(linkedaccount.TokensOptions{
		Store: &linkedaccount.Store{DB: r.open(t), Keyring: keyring}, Redis: client, Log: slog.New(slog.DiscardHandler),
	})
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { tokens.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait(); client.Close() })
	return tokens
}

// expire makes ada's token one that has ended, here and at the service, and waits until every
// replica knows.
func (r *replicas) expire(t *testing.T) {
	t.Helper()
	o, err := r.tokens.Store.Open(t.Context(), r.account)
	if err != nil {
		t.Fatal(err)
	}
	o.Credential.IssuedAt, o.Credential.ExpiresAt = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
	linked, _, err := r.tokens.Store.Link(t.Context(), "ada", demo.NotesOIDC, provider.Grant{
		Credential: o.Credential, Scopes: o.Scopes, Missing: o.Missing, Identity: o.Identity,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.tokens.Store.HostAdded(t.Context(), linked.ID, linked.HostID, linked.Version); err != nil {
		t.Fatal(err)
	}
	r.Service.Expire(subjectOf("ada"))
	time.Sleep(300 * time.Millisecond) // for the word of it to arrive at the replicas
}

// outcome is what a burst of callers got.
type outcome struct {
	mu     sync.Mutex
	status map[int]int
	other  []string
}

func (o *outcome) note(status int, body string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.status[status]++
	if status != http.StatusOK && len(o.other) < 3 {
		o.other = append(o.other, fmt.Sprintf("%d %s", status, body))
	}
}

// burst has callers ask a replica at once who they are.
func (w *world) burst(t *testing.T, callers *sync.WaitGroup, p *process, n int) *outcome {
	t.Helper()
	o := &outcome{status: map[int]int{}}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: n}, Timeout: callerPatience}
	for range n {
		callers.Go(func() {
			r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+p.env["ADDR"]+"/call/"+demo.NotesOIDC+"/api/me", nil)
			if err != nil {
				t.Error(err)
				return
			}
			r.Header = w.proxied("ada")
			answer, err := client.Do(r)
			if err != nil {
				o.note(0, err.Error())
				return
			}
			defer answer.Body.Close()
			body, _ := io.ReadAll(answer.Body) // what was read says enough
			o.note(answer.StatusCode, string(body))
		})
	}
	return o
}

func (o *outcome) wantAll(t *testing.T, n int) {
	t.Helper()
	if o.status[http.StatusOK] != n {
		t.Errorf("got %v, want %d times 200; such as %v", o.status, n, o.other)
	}
}

// TestOneRefreshForAll: a hundred callers at each of three replicas, one expired token: one refresh,
// and every caller has its answer.
func TestOneRefreshForAll(t *testing.T) {
	t.Parallel()
	r := newReplicas(t)
	for round := range refreshRounds {
		r.expire(t)
		before := r.Service.Refreshes()
		var callers sync.WaitGroup
		var outcomes []*outcome
		for _, p := range r.all {
			outcomes = append(outcomes, r.burst(t, &callers, p, callersEach))
		}
		callers.Wait()
		for _, o := range outcomes {
			o.wantAll(t, callersEach)
		}
		if n := r.Service.Refreshes() - before; n != 1 {
			t.Errorf("round %d: %d refreshes, want 1", round, n)
		}
		if t.Failed() {
			return
		}
	}
	r.wantNothingSuperseded(t)
}

// wantNothingSuperseded checks that no replaced refresh token was sent, nor one saved: the one that
// is stored is good.
func (r *replicas) wantNothingSuperseded(t *testing.T) {
	t.Helper()
	if n := r.Service.SupersededUses(); n > 0 {
		t.Errorf("%d requests carried a superseded refresh token", n)
	}
	o, err := r.tokens.Store.Open(t.Context(), r.account)
	if err != nil {
		t.Fatal(err)
	}
	if o.Status != linkedaccount.Linked || !r.Service.Active(o.Credential.AccessToken.Reveal()) {
		t.Errorf("status %s; the service takes the stored token: %v", o.Status, r.Service.Active(o.Credential.AccessToken.Reveal()))
	}
}

// TestStoppedWhileRefreshing: the replica whose request is at the service stands still past its
// lease and goes on. Nobody sends the token again meanwhile, and what it was answered is saved.
func TestStoppedWhileRefreshing(t *testing.T) {
	t.Parallel()
	r := newReplicas(t)
	r.expire(t)
	before := r.Service.Refreshes()
	holder := r.all[1]
	var once sync.Once
	arrived := make(chan struct{})
	r.Service.Play(demo.Script{Before: func(op string, request *http.Request) {
		if op == demo.OpToken && demo.IsRefresh(request) {
			once.Do(func() {
				holder.signal(syscall.SIGSTOP)
				close(arrived)
			})
		}
	}})
	var callers sync.WaitGroup
	r.burst(t, &callers, holder, 10) // they have waited long enough by the time that it goes on
	<-arrived
	r.standStill(t, holder, &callers)
	r.wantGoodAnswers(t)
	if n := r.Service.Refreshes() - before; n != 1 {
		t.Errorf("%d refreshes, want 1", n)
	}
	r.wantNothingSuperseded(t)
}

// TestStoppedWithTheLease: the replica stands still once it has the lease, wherever that is, sent or
// not. Either way no replaced token is sent or saved.
func TestStoppedWithTheLease(t *testing.T) {
	t.Parallel()
	r := newReplicas(t)
	holder := r.all[1]
	var callers sync.WaitGroup
	eventually(t, "the holder is caught with the lease", func() bool {
		callers.Wait()
		r.expire(t)
		r.burst(t, &callers, holder, 10)
		return r.sawLease(t)
	})
	holder.signal(syscall.SIGSTOP)
	r.standStill(t, holder, &callers)
	r.wantGoodAnswers(t)
	r.wantNothingSuperseded(t)
}

// sawLease watches for a moment whether anybody takes the lease.
func (r *replicas) sawLease(t *testing.T) bool {
	for range 500 {
		if r.tokens.Redis.Exists(t.Context(), refreshLease+r.account).Val() > 0 {
			return true
		}
		time.Sleep(time.Millisecond)
	}
	return false
}

// standStill lets the others try while the holder is stopped, past its lease, and has it go on.
func (r *replicas) standStill(t *testing.T, holder *process, callers *sync.WaitGroup) {
	t.Helper()
	stopped := time.After(pastTheLease)
	for waiting := true; waiting; {
		var trying sync.WaitGroup
		for _, p := range r.all {
			if p != holder {
				r.burst(t, &trying, p, 10)
			}
		}
		trying.Wait()
		select {
		case <-stopped:
			waiting = false
		case <-time.After(500 * time.Millisecond):
		}
	}
	if n := r.tokens.Redis.Exists(t.Context(), refreshLease+r.account).Val(); n > 0 {
		t.Log("another replica has the lease now")
	}
	holder.signal(syscall.SIGCONT)
	callers.Wait()
}

// wantGoodAnswers waits until every replica serves calls, which it must after a while.
func (r *replicas) wantGoodAnswers(t *testing.T) {
	t.Helper()
	for i, p := range r.all {
		eventually(t, fmt.Sprintf("replica %d serves calls", i), func() bool {
			var one sync.WaitGroup
			o := r.burst(t, &one, p, 1)
			one.Wait()
			return o.status[http.StatusOK] == 1
		})
	}
}

func (p *process) signal(s syscall.Signal) {
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Error(err)
	}
}
