// Package idempotency has a request that is sent twice done once: a client that heard no answer sends
// it again with the same Idempotency-Key (draft-ietf-httpapi-idempotency-key-header) and gets the
// answer that the first one got.
//
// Begin claims a key for a request, for as long as the process that works on it lives. The claim
// ends with Keep, which keeps the answer for a day, or Release, after a failure that may be tried
// again. All of it is in Redis, which may forget, and the embedded one does when there is too much: then
// the request is done again, as it would be without this package. What is there has neither the key nor what was asked in the clear, and
// answers are sealed, for they may hold what a user must not read in a dump.
package idempotency

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"linkgate/oauthstate"
	"linkgate/secret"
)

// Errors of Begin and Keep. Others are oauthstate.ErrUnavailable: Redis does not answer.
var (
	// ErrConflict: the key was used for another request.
	ErrConflict = errors.New("the idempotency key was used for another request")
	// ErrInProgress: the same request is being worked on.
	ErrInProgress = errors.New("a request with this idempotency key is being worked on")
	// ErrNoAnswer: the request was done, and its answer can't be given again: it was too large, or
	// was sealed with a key that is disabled by now.
	ErrNoAnswer = errors.New("the request with this idempotency key was done, and its answer was not kept")
	// ErrOvertaken: the claim has ended, and somebody else may have another.
	ErrOvertaken = errors.New("the claim of the idempotency key has ended")
)

const (
	// Life is how long an answer is kept.
	Life = 24 * time.Hour
	// MaxBody is how large the body of an answer may be that is kept, in bytes.
	MaxBody = 1 << 20

	leaseTime = time.Minute     // after which the claim of a process that died ends
	renewals  = 4               // in a leaseTime
	stepTime  = 2 * time.Second // for what must be told to Redis when the caller has left
)

// Answer is what a request was answered with.
type Answer struct {
	Status int         `json:"status"`
	Header http.Header `json:"header"` // Keep leaves out what is not in keptHeaders
	Body   []byte      `json:"body"`
}

// keptHeaders belong to the answer. Others belong to one request (its id, its date), or are secrets
// of whoever sent it (Set-Cookie).
var keptHeaders = []string{"Content-Type", "Content-Language", "Cache-Control", "ETag", "Last-Modified", "Link", "Location"}

// Store keeps claims and answers.
type Store struct {
	Redis   redis.UniversalClient
	Keyring *secret.Keyring

	lease time.Duration // of claims; zero: leaseTime
}

func (s *Store) leaseTime() time.Duration {
	if s.lease > 0 {
		return s.lease
	}
	return leaseTime
}

// slot is where the claim or the answer to a key is, as others know it: by a hash.
func slot(keyID, idempotencyKey string) string {
	hash := sha256.New()
	for _, part := range []string{keyID, idempotencyKey} { // with their lengths, so that none runs into the other
		hash.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		hash.Write([]byte(part))
	}
	return oauthstate.EvictedPrefix + base64.RawURLEncoding.EncodeToString(hash.Sum(nil))
}

// Begin claims an idempotency key of an API key for a request, or gives the answer that it had.
// fingerprint tells requests apart: it is of the method, the path and the body. ErrConflict,
// ErrInProgress, ErrNoAnswer.
//
// Whoever gets a Claim must end it, with Keep or Release. While ctx lasts it is renewed, and it ends
// at most a minute after that.
func (s *Store) Begin(ctx context.Context, keyID, idempotencyKey string, fingerprint []byte) (Claim, *Answer, error) {
	sum := sha256.Sum256(fingerprint)
	c := Claim{store: s, slot: slot(keyID, idempotencyKey), fingerprint: sum[:]}
	sealed, err := s.seal(record{Fingerprint: c.fingerprint}, c.slot, claimed)
	if err != nil {
		return Claim{}, nil, err
	}
	c.value = claimed + rand.Text() + sealed
	for {
		err := s.Redis.SetArgs(ctx, c.slot, c.value, redis.SetArgs{Mode: "NX", TTL: s.leaseTime()}).Err()
		if err == nil {
			return c.started(ctx), nil, nil
		}
		if !errors.Is(err, redis.Nil) {
			return Claim{}, nil, oauthstate.Unavailable("claiming an idempotency key", err)
		}
		switch found, err := s.Redis.Get(ctx, c.slot).Result(); {
		case errors.Is(err, redis.Nil): // it has ended since
		case err != nil:
			return Claim{}, nil, oauthstate.Unavailable("reading an idempotency key", err)
		case found == c.value: // the client has sent SET again, after a reply that was lost
			return c.started(ctx), nil, nil
		default:
			answer, err := s.read(found, c)
			return Claim{}, answer, err
		}
	}
}

// read finds in what another request has left what it means for this one.
func (s *Store) read(found string, c Claim) (*Answer, error) {
	kind, wait := kept, error(nil)
	if strings.HasPrefix(found, claimed) {
		kind, wait = claimed, ErrInProgress
	}
	there, err := s.open(found, c.slot, kind)
	switch {
	case err != nil && wait != nil:
		return nil, wait
	case err != nil:
		return nil, ErrNoAnswer // and not done twice
	case subtle.ConstantTimeCompare(there.Fingerprint, c.fingerprint) != 1:
		return nil, ErrConflict
	case wait != nil:
		return nil, wait
	case there.Answer == nil:
		return nil, ErrNoAnswer
	}
	return there.Answer, nil
}

// Claim is the right to work on a request, of whoever Begin gave it to.
type Claim struct {
	store       *Store
	slot        string
	value       string // in the slot, and in no other's
	fingerprint []byte
	stop        context.CancelFunc
}

// started renews the claim until it is ended, or until ctx is.
func (c Claim) started(ctx context.Context) Claim {
	ctx, c.stop = context.WithCancel(ctx)
	lease := c.store.leaseTime()
	go func() {
		tick := time.NewTicker(lease / renewals)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				_, _ = swap.Run(ctx, c.store.Redis, []string{c.slot}, c.value, c.value, lease.Milliseconds()).Result()
			}
		}
	}()
	return c
}

// Keep keeps the answer, for those who send the request again. An error means that the request may
// be done again within a minute (ErrOvertaken, or Redis does not answer); it does not mean that
// it was not done. ErrNoAnswer: the answer is too large to be kept, and those who send it again are
// told so.
func (c Claim) Keep(ctx context.Context, a Answer) error {
	c.stop()
	done := record{Fingerprint: c.fingerprint}
	if len(a.Body) <= MaxBody {
		done.Answer = &Answer{Status: a.Status, Header: http.Header{}, Body: a.Body}
		for _, name := range keptHeaders {
			if values := a.Header.Values(name); len(values) > 0 {
				done.Answer.Header[http.CanonicalHeaderKey(name)] = values
			}
		}
	}
	sealed, err := c.store.seal(done, c.slot, kept)
	if err != nil {
		return err
	}
	if err := c.end(ctx, kept+sealed, Life); err != nil {
		return fmt.Errorf("keeping an answer: %w", err)
	}
	if done.Answer == nil {
		return fmt.Errorf("keeping an answer of %d bytes: %w", len(a.Body), ErrNoAnswer)
	}
	return nil
}

// Release gives the claim back, so that the request may be tried again.
func (c Claim) Release(ctx context.Context) error {
	c.stop()
	if err := c.end(ctx, "", 0); err != nil {
		return fmt.Errorf("releasing an idempotency key: %w", err)
	}
	return nil
}

// end puts something in the claim's place, also when the caller has left.
func (c Claim) end(ctx context.Context, value string, life time.Duration) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stepTime)
	defer cancel()
	swapped, err := swap.Run(ctx, c.store.Redis, []string{c.slot}, c.value, value, life.Milliseconds()).Int()
	switch {
	case err != nil:
		return oauthstate.Unavailable("ending a claim", err)
	case swapped == 0:
		return ErrOvertaken
	}
	return nil
}

// swap puts a value in place of one's own claim.
//
//	KEYS[1]  the slot
//	ARGV[1]  the claim
//	ARGV[2]  the new value; empty: none
//	ARGV[3]  its life in milliseconds
//	returns  1 done; 0 the claim is not there any more
//
// Finding it done counts as done: the client sends a command again when its reply was lost.
var swap = redis.NewScript(`
local found = redis.call('GET', KEYS[1])
if ARGV[2] == '' then
  if found == ARGV[1] then redis.call('DEL', KEYS[1]) end
  return 1
end
if found ~= ARGV[1] and found ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
`)
