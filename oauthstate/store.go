package oauthstate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Errors of a Store.
var (
	ErrNotFound    = errors.New("no such session, or it has expired")
	ErrChanged     = errors.New("the session changed meanwhile")
	ErrUnavailable = errors.New("no answer from Redis")
)

// Store keeps sessions in Redis.
type Store struct {
	Redis redis.UniversalClient
}

func key(id string) string { return "linkgate:session:" + id }

// Create stores a new session: one SET NX EX.
func (s *Store) Create(ctx context.Context, session Session) error {
	value, err := json.Marshal(session)
	if err != nil {
		return fmt.Errorf("writing session: %w", err)
	}
	err = s.Redis.SetArgs(ctx, key(session.ID), value, redis.SetArgs{Mode: "NX", TTL: session.Life(time.Now())}).Err()
	if errors.Is(err, redis.Nil) {
		return s.confirmCreated(ctx, session.ID, string(value))
	}
	if err != nil {
		return Unavailable("storing session", err)
	}
	return nil
}

// Unavailable is ErrUnavailable with what was being done and why it failed. Of an error that Redis
// itself tells it keeps the word that it begins with (WRONGPASS, LOADING): the rest can repeat a
// command, and AUTH has the password in it.
func Unavailable(what string, err error) error {
	var told redis.Error
	if errors.As(err, &told) {
		word, _, _ := strings.Cut(told.Error(), " ")
		return fmt.Errorf("%s: %w: %s", what, ErrUnavailable, word)
	}
	return fmt.Errorf("%s: %w: %w", what, ErrUnavailable, err)
}

// confirmCreated tells a SET whose reply was lost and that the client sent again (it finds its
// own value) from an id that is taken.
func (s *Store) confirmCreated(ctx context.Context, id, value string) error {
	found, err := s.Redis.Get(ctx, key(id)).Result()
	if err != nil {
		return Unavailable("storing session", err)
	}
	if found != value {
		return fmt.Errorf("storing session: %w", ErrChanged)
	}
	return nil
}

// Get reads a session.
func (s *Store) Get(ctx context.Context, id string) (Session, error) {
	session, _, err := s.read(ctx, id)
	return session, err
}

func (s *Store) read(ctx context.Context, id string) (Session, string, error) {
	value, err := s.Redis.Get(ctx, key(id)).Result()
	if errors.Is(err, redis.Nil) {
		return Session{}, "", ErrNotFound
	}
	if err != nil {
		return Session{}, "", Unavailable("reading session", err)
	}
	var session Session
	if err := json.Unmarshal([]byte(value), &session); err != nil {
		return Session{}, "", fmt.Errorf("reading session: %w", err)
	}
	return session, value, nil
}

// swap stores a value in place of the one that was read.
//
//	KEYS[1]  the session
//	ARGV[1]  the value that was read
//	ARGV[2]  the new value
//	ARGV[3]  life in milliseconds
//	returns  1 stored; 0 another value is there; -1 nothing is there
//
// Finding the new value already there counts as stored: the client sends a command again when its
// reply was lost.
var swap = redis.NewScript(`
local found = redis.call('GET', KEYS[1])
if not found then return -1 end
if found == ARGV[2] then return 1 end
if found ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
`)

// Update reads a session, lets change alter it, and stores it if it is still as it was read;
// when somebody was faster, change sees the newer one. An error from change ends it and is
// returned with the session as it was read. A change that two may attempt and only one may win
// must write something of its own into the session (Worker).
func (s *Store) Update(ctx context.Context, id string, change func(*Session) error) (Session, error) {
	for {
		before, old, err := s.read(ctx, id)
		if err != nil {
			return Session{}, err
		}
		after := before
		if err := change(&after); err != nil {
			return before, err
		}
		err = s.swap(ctx, after, old)
		if !errors.Is(err, ErrChanged) {
			return after, err
		}
	}
}

func (s *Store) swap(ctx context.Context, session Session, old string) error {
	value, err := json.Marshal(session)
	if err != nil {
		return fmt.Errorf("writing session: %w", err)
	}
	if string(value) == old {
		return nil
	}
	life := session.Life(time.Now()).Milliseconds()
	stored, err := swap.Run(ctx, s.Redis, []string{key(session.ID)}, old, value, life).Int()
	switch {
	case err != nil:
		return s.confirmSwapped(ctx, session.ID, string(value), err)
	case stored == -1:
		return ErrNotFound
	case stored == 0:
		return ErrChanged
	}
	return nil
}

// confirmSwapped looks whether a swap whose reply was lost has happened: else the change would
// stand with nobody knowing that it is theirs to act upon.
func (s *Store) confirmSwapped(ctx context.Context, id, value string, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*timeout)
	defer cancel()
	if found, err := s.Redis.Get(ctx, key(id)).Result(); err != nil || found != value {
		return Unavailable("storing session", cause)
	}
	return nil
}

// Left is how long a session is kept from now on, if nothing more happens to it. ErrNotFound.
func (s *Store) Left(ctx context.Context, id string) (time.Duration, error) {
	left, err := s.Redis.PTTL(ctx, key(id)).Result()
	if err != nil {
		return 0, Unavailable("asking how long a session lives", err)
	}
	if left < 0 { // -2: gone; -1, without an end, no session is
		return 0, ErrNotFound
	}
	return left, nil
}

// Now is the time by the clock of Redis, which all replicas share.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	now, err := s.Redis.Time(ctx).Result()
	if err != nil {
		return time.Time{}, Unavailable("asking for the time", err)
	}
	return now, nil
}
