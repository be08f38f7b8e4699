package oauthstate

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// endedLife is how long it is remembered that a user's sessions were ended: longer than any of them
// lives, with the work that one may still be at when it is over.
const endedLife = LongestLife + 10*time.Minute

// clockSlack is how far apart the clocks of replicas and of Redis may be. A session that was begun
// that soon after the user's sessions were ended counts as one of them.
const clockSlack = 5 * time.Second

func endedKey(hostUserID string) string { return "linkgate:ended:" + Hash(hostUserID) }

// EndAll ends all sessions of a host user that have been begun until now: Ended tells so of each from
// now on. Sessions begun later are not concerned.
func (s *Store) EndAll(ctx context.Context, hostUserID string) error {
	now, err := s.Now(ctx)
	if err != nil {
		return err
	}
	if err := s.Redis.Set(ctx, endedKey(hostUserID), now.UnixMilli(), endedLife).Err(); err != nil {
		return Unavailable("ending a user's sessions", err)
	}
	return nil
}

// Ended tells whether EndAll has ended a session.
func (s *Store) Ended(ctx context.Context, session Session) (bool, error) {
	at, err := s.Redis.Get(ctx, endedKey(session.HostUserID)).Int64()
	if errors.Is(err, redis.Nil) {
		return false, nil
	}
	if err != nil {
		return false, Unavailable("asking whether a session was ended", err)
	}
	return session.CreatedAt.Before(time.UnixMilli(at).Add(clockSlack)), nil
}
