package idempotency_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"linkgate/idempotency"
	"linkgate/oauthstate"
	"linkgate/secret"
	"linkgate/testservers"
)

func newKeyring(t *testing.T) *secret.Keyring {
	t.Helper()
	keyset, err := secret.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	keyring, err := secret.OpenKeyring(keyset)
	if err != nil {
		t.Fatal(err)
	}
	return keyring
}

// onBoth runs a test on a real Redis and on the embedded one.
func onBoth(t *testing.T, test func(t *testing.T, s *idempotency.Store)) {
	t.Parallel()
	t.Run("real", func(t *testing.T) {
		t.Parallel()
		client, err := oauthstate.Dial(secret.New(testservers.Redis(t)))
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		test(t, &idempotency.Store{Redis: client, Keyring: newKeyring(t)})
	})
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		embedded, err := oauthstate.StartEmbedded()
		if err != nil {
			t.Fatal(err)
		}
		defer embedded.Close()
		test(t, &idempotency.Store{Redis: embedded.Client, Keyring: newKeyring(t)})
	})
}

const by = "lg_4fRkPq0Zs8TtY1aB"

func begin(t *testing.T, s *idempotency.Store, key, request string) (idempotency.Claim, *idempotency.Answer, error) {
	t.Helper()
	return s.Begin(t.Context(), by, key, []byte(request))
}

func claim(t *testing.T, s *idempotency.Store, key, request string) idempotency.Claim {
	t.Helper()
	c, answer, err := begin(t, s, key, request)
	if err != nil || answer != nil {
		t.Fatalf("claiming %s: %v, %v", key, answer, err)
	}
	return c
}

func created() idempotency.Answer {
	return idempotency.Answer{Status: 201, Header: http.Header{"Content-Type": {"application/json"}, "Etag": {`"1"`}}, Body: []byte(`{"id":"acc_1"}`)}
}

func TestKeep(t *testing.T) {
	onBoth(t, func(t *testing.T, s *idempotency.Store) {
		c := claim(t, s, "k", "POST /v1/accounts x")
		if _, _, err := begin(t, s, "k", "POST /v1/accounts x"); !errors.Is(err, idempotency.ErrInProgress) {
			t.Errorf("while the first is at it: %v, want ErrInProgress", err)
		}
		if _, _, err := begin(t, s, "k", "POST /v1/accounts y"); !errors.Is(err, idempotency.ErrConflict) {
			t.Errorf("another request, while the first is at it: %v, want ErrConflict", err)
		}
		given := created()
		given.Header["Set-Cookie"], given.Header["X-Request-Id"] = []string{"a=b"}, []string{"req_1"}
		left, leave := context.WithCancel(t.Context())
		leave() // the caller has gone, and may come again
		if err := c.Keep(left, given); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			_, answer, err := begin(t, s, "k", "POST /v1/accounts x")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(created(), *answer); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		}
		if _, answer, err := begin(t, s, "k", "POST /v1/accounts y"); answer != nil || !errors.Is(err, idempotency.ErrConflict) {
			t.Errorf("another request: %v, %v; want ErrConflict", answer, err)
		}
		_, answer, err := s.Begin(t.Context(), "lg_0000000000000000", "k", []byte("POST /v1/accounts x"))
		if answer != nil || err != nil {
			t.Errorf("another API key's key of the same name: %v, %v; want a claim", answer, err)
		}
		_, answer, err = s.Begin(t.Context(), by+"k", "", []byte("POST /v1/accounts x"))
		if answer != nil || err != nil {
			t.Errorf("the same letters, parted otherwise: %v, %v; want a claim", answer, err)
		}
	})
}

func TestRelease(t *testing.T) {
	onBoth(t, func(t *testing.T, s *idempotency.Store) {
		first := claim(t, s, "k", "x")
		if err := first.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		second := claim(t, s, "k", "another request, for the first was not done")
		if err := first.Keep(t.Context(), created()); !errors.Is(err, idempotency.ErrOvertaken) {
			t.Errorf("keeping what was released: %v, want ErrOvertaken", err)
		}
		if err := first.Release(t.Context()); err != nil {
			t.Errorf("releasing twice: %v", err)
		}
		if _, _, err := begin(t, s, "k", "another request, for the first was not done"); !errors.Is(err, idempotency.ErrInProgress) {
			t.Errorf("the second's claim was taken away: %v", err)
		}
		if err := second.Keep(t.Context(), created()); err != nil {
			t.Error(err)
		}
	})
}

// Of fifty at once one works, whatever the others are told meanwhile; all get its answer in the end.
func TestAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, s *idempotency.Store) {
		var worked, answered atomic.Int64
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				for {
					c, answer, err := begin(t, s, "k", "x")
					switch {
					case errors.Is(err, idempotency.ErrInProgress):
						time.Sleep(5 * time.Millisecond)
						continue
					case err != nil:
						t.Error(err)
					case answer != nil:
						answered.Add(1)
						if string(answer.Body) != `{"id":"acc_1"}` {
							t.Errorf("answered %s", answer.Body)
						}
					default:
						worked.Add(1)
						time.Sleep(20 * time.Millisecond)
						if err := c.Keep(t.Context(), created()); err != nil {
							t.Error(err)
						}
					}
					return
				}
			})
		}
		all.Wait()
		if worked.Load() != 1 || answered.Load() != 49 {
			t.Errorf("%d worked and %d were answered, want 1 and 49", worked.Load(), answered.Load())
		}
	})
}

func TestTooLarge(t *testing.T) {
	onBoth(t, func(t *testing.T, s *idempotency.Store) {
		fits, exceeds := created(), created()
		fits.Body = []byte(strings.Repeat("a", idempotency.MaxBody))
		exceeds.Body = []byte(strings.Repeat("a", idempotency.MaxBody+1))
		if err := claim(t, s, "fits", "x").Keep(t.Context(), fits); err != nil {
			t.Error(err)
		}
		if _, answer, err := begin(t, s, "fits", "x"); err != nil || len(answer.Body) != idempotency.MaxBody {
			t.Errorf("got %v", err)
		}
		if err := claim(t, s, "exceeds", "x").Keep(t.Context(), exceeds); !errors.Is(err, idempotency.ErrNoAnswer) {
			t.Errorf("got %v, want ErrNoAnswer", err)
		}
		if _, answer, err := begin(t, s, "exceeds", "x"); answer != nil || !errors.Is(err, idempotency.ErrNoAnswer) {
			t.Errorf("sent again: %v, want ErrNoAnswer", err)
		}
		if _, _, err := begin(t, s, "exceeds", "y"); !errors.Is(err, idempotency.ErrConflict) {
			t.Errorf("another request: %v, want ErrConflict", err)
		}
	})
}

// stored is what a Redis holds.
func stored(t *testing.T, client redis.UniversalClient) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, key := range client.Keys(t.Context(), "*").Val() {
		all[key] = client.Get(t.Context(), key).Val()
	}
	return all
}

// Redis has neither keys nor requests nor answers in the clear, and all of it ends by itself.
func TestSealed(t *testing.T) {
	onBoth(t, func(t *testing.T, s *idempotency.Store) {
		const key, request, answer = "Idempotency-Key-1", "the request's body", "the access token"
		look := func(when string, longest time.Duration) {
			t.Helper()
			all := stored(t, s.Redis)
			if len(all) != 1 {
				t.Fatalf("%s: %d keys, want 1", when, len(all))
			}
			for k, v := range all {
				for _, clear := range []string{key, by, request, answer, "application/json"} {
					if strings.Contains(k+v, clear) {
						t.Errorf("%s: %q is in the clear: %s %q", when, clear, k, v)
					}
				}
				if life := s.Redis.PTTL(t.Context(), k).Val(); life <= 0 || life > longest {
					t.Errorf("%s: it lives for %v, want at most %v", when, life, longest)
				}
			}
		}
		c := claim(t, s, key, request)
		look("claimed", time.Minute)
		a := created()
		a.Body = []byte(answer)
		if err := c.Keep(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		look("kept", idempotency.Life)
		text, _ := json.Marshal(fmt.Sprintf("%v", c.Keep(t.Context(), a)))
		if strings.Contains(string(text), answer) || strings.Contains(string(text), key) {
			t.Errorf("an error has it: %s", text)
		}
	})
}

// An answer that was moved to another slot, or that another keyring has sealed, is given to nobody,
// and what it answered is not done again.
func TestMoved(t *testing.T) {
	onBoth(t, func(t *testing.T, s *idempotency.Store) {
		if err := claim(t, s, "a", "x").Keep(t.Context(), created()); err != nil {
			t.Fatal(err)
		}
		var mine, value string
		for mine, value = range stored(t, s.Redis) {
		}
		_ = claim(t, s, "b", "x")
		for slot := range stored(t, s.Redis) {
			if slot != mine {
				s.Redis.Set(t.Context(), slot, value, time.Hour)
			}
		}
		if _, answer, err := begin(t, s, "b", "x"); answer != nil || !errors.Is(err, idempotency.ErrNoAnswer) {
			t.Errorf("moved: %v, %v; want ErrNoAnswer", answer, err)
		}
		other := &idempotency.Store{Redis: s.Redis, Keyring: newKeyring(t)}
		if _, answer, err := begin(t, other, "a", "x"); answer != nil || !errors.Is(err, idempotency.ErrNoAnswer) {
			t.Errorf("another keyring: %v, %v; want ErrNoAnswer", answer, err)
		}
		for _, broken := range []string{"", "claim ", "answer ", "claim short", "x"} {
			s.Redis.Set(t.Context(), mine, broken, time.Hour)
			if _, answer, err := begin(t, s, "a", "x"); answer != nil || err == nil {
				t.Errorf("%q: %v, %v", broken, answer, err)
			}
		}
	})
}

// A claim of a process that died ends; one that ended and was taken over is not its first owner's.
func TestOvertaken(t *testing.T) {
	onBoth(t, func(t *testing.T, s *idempotency.Store) {
		late := claim(t, s, "k", "x")
		for slot := range stored(t, s.Redis) {
			s.Redis.Del(t.Context(), slot) // as it is after a minute
		}
		if err := late.Keep(t.Context(), created()); !errors.Is(err, idempotency.ErrOvertaken) {
			t.Errorf("nobody has it: %v, want ErrOvertaken", err)
		}
		now := claim(t, s, "k", "x")
		if err := late.Keep(t.Context(), created()); !errors.Is(err, idempotency.ErrOvertaken) {
			t.Errorf("somebody else has it: %v, want ErrOvertaken", err)
		}
		if err := late.Release(t.Context()); err != nil {
			t.Error(err)
		}
		if err := now.Keep(t.Context(), created()); err != nil {
			t.Errorf("who has it: %v", err)
		}
	})
}

// A claim lasts while its process works on it, however long, and ends after it.
func TestLease(t *testing.T) {
	t.Parallel()
	client, err := oauthstate.Dial(secret.New(testservers.Redis(t)))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	s := &idempotency.Store{Redis: client, Keyring: newKeyring(t)}
	s.SetLease(2 * time.Second)
	living, die := context.WithCancel(t.Context())
	if _, _, err := s.Begin(living, by, "k", []byte("x")); err != nil {
		t.Fatal(err)
	}
	time.Sleep(3 * time.Second)
	if _, _, err := begin(t, s, "k", "x"); !errors.Is(err, idempotency.ErrInProgress) {
		t.Errorf("after its first lease: %v, want ErrInProgress", err)
	}
	die()
	for {
		_, _, err := begin(t, s, "k", "x")
		if err == nil {
			return
		}
		if !errors.Is(err, idempotency.ErrInProgress) {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond) // until the test's time is over
	}
}

// twice sends each command again, as a client does after a reply that was lost.
type twice struct{}

func (twice) DialHook(next redis.DialHook) redis.DialHook { return next }
func (twice) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}
func (twice) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		_ = next(ctx, cmd)
		return next(ctx, cmd)
	}
}

func TestSentAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, s *idempotency.Store) {
		s.Redis.AddHook(twice{})
		if err := claim(t, s, "released", "x").Release(t.Context()); err != nil {
			t.Error(err)
		}
		if err := claim(t, s, "kept", "x").Keep(t.Context(), created()); err != nil {
			t.Error(err)
		}
		if _, answer, err := begin(t, s, "kept", "x"); answer == nil || err != nil {
			t.Errorf("got %v, %v", answer, err)
		}
	})
}

func TestUnavailable(t *testing.T) {
	t.Parallel()
	server := testservers.StartRedis(t)
	client, err := oauthstate.Dial(secret.New(server.URL))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	s := &idempotency.Store{Redis: client, Keyring: newKeyring(t)}
	c := claim(t, s, "k", "x")
	server.Stop()
	if _, _, err := begin(t, s, "k", "x"); !errors.Is(err, oauthstate.ErrUnavailable) {
		t.Errorf("Begin: %v", err)
	}
	if err := c.Keep(t.Context(), created()); !errors.Is(err, oauthstate.ErrUnavailable) {
		t.Errorf("Keep: %v", err)
	}
	if err := c.Release(t.Context()); !errors.Is(err, oauthstate.ErrUnavailable) {
		t.Errorf("Release: %v", err)
	}
}
