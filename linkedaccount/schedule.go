package linkedaccount

import (
	"math/rand/v2"
	"time"

	"linkgate/provider"
)

// Schedule says when an account's credential is to be replaced, from what is known of its
// connection: by auth id. A connection that is not in it is never scheduled.
type Schedule map[string]provider.Connection

const (
	// marginMost is the part of a credential's life that a margin takes at the most: a minute of a
	// token that lives twenty seconds would mean to refresh it at once and for ever.
	marginMost = 4
	// soonest keeps the worker from asking without a pause where tokens end as soon as they begin.
	soonest = 5 * time.Second
)

// margin is how long before its end a credential counts as spent.
func (s Schedule) margin(authID string, c provider.Credential) time.Duration {
	margin := s[authID].Margin
	if margin == 0 {
		margin = provider.DefaultMargin
	}
	if life := lifeOf(c); life > 0 {
		margin = min(margin, life/marginMost)
	}
	return margin
}

// lifeOf is how long the access token lives in all; zero: unknown.
func lifeOf(c provider.Credential) time.Duration {
	if c.ExpiresAt.IsZero() || c.IssuedAt.IsZero() {
		return 0
	}
	return max(c.ExpiresAt.Sub(c.IssuedAt), 0)
}

// next is when the background worker looks at an account whose credential is c: a twentieth to a
// quarter of its life before callers would have to wait for it, so that accounts which were linked
// together part; or before a refresh token that nobody uses dies. The zero time: never, for it
// can't be refreshed.
func (s Schedule) next(authID string, c provider.Credential, now time.Time) time.Time {
	if connection, known := s[authID]; !known || !connection.CanRefresh(c) {
		return time.Time{}
	}
	alive := s.alive(authID, now)
	if c.ExpiresAt.IsZero() {
		return alive
	}
	life := lifeOf(c)
	ahead := c.ExpiresAt.Add(-s.margin(authID, c) - jitter(life/20, life/4))
	if !alive.IsZero() && alive.Before(ahead) {
		return alive
	}
	if earliest := now.Add(soonest); ahead.Before(earliest) {
		return earliest
	}
	return ahead
}

// alive is when a refresh token that was used now must be used again to stay alive: between two
// thirds and nine tenths of the time that it may lie idle. The zero time: it stays alive.
func (s Schedule) alive(authID string, now time.Time) time.Time {
	idle := s[authID].KeepAlive
	if idle == 0 {
		return time.Time{}
	}
	return now.Add(jitter(idle*2/3, idle*9/10))
}

// jitter is a random time between two.
func jitter(from, to time.Duration) time.Duration {
	if to <= from {
		return from
	}
	return from + rand.N(to-from)
}
