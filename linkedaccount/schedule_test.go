package linkedaccount

import (
	"testing"
	"time"

	"linkgate/provider"
	"linkgate/secret"
)

func TestMargin(t *testing.T) {
	now := time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)
	lives := func(d time.Duration) provider.Credential {
		return provider.Credential{IssuedAt: now, ExpiresAt: now.Add(d)}
	}
	for _, tt := range []struct {
		name       string
		configured time.Duration
		c          provider.Credential
		want       time.Duration
	}{
		{"an hour", 0, lives(time.Hour), time.Minute},
		{"four minutes", 0, lives(4 * time.Minute), time.Minute},
		{"twenty seconds", 0, lives(20 * time.Second), 5 * time.Second},
		{"no time at all", 0, lives(0), time.Minute},
		{"ended before it began", 0, lives(-time.Hour), time.Minute},
		{"configured", 10 * time.Minute, lives(time.Hour), 10 * time.Minute},
		{"configured for more than its life", 2 * time.Hour, lives(time.Hour), 15 * time.Minute},
		{"nobody knows when it was issued", 0, provider.Credential{ExpiresAt: now}, time.Minute},
		{"nobody knows when it ends", 0, provider.Credential{IssuedAt: now}, time.Minute},
	} {
		s := Schedule{"a": {Margin: tt.configured}}
		if got := s.margin("a", tt.c); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
	if got := (Schedule)(nil).margin("unknown", lives(time.Hour)); got != time.Minute {
		t.Errorf("without a schedule: got %v, want a minute", got)
	}
}

func TestNext(t *testing.T) {
	now := time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)
	refreshable := func(life time.Duration) provider.Credential {
		return provider.Credential{RefreshToken: secret.New("r"), IssuedAt: now, ExpiresAt: now.Add(life)}
	}
	final := refreshable(time.Hour)
	final.RefreshToken = secret.Text{}
	endless := provider.Credential{RefreshToken: secret.New("r"), IssuedAt: now}
	old := provider.Credential{RefreshToken: secret.New("r"), ExpiresAt: now.Add(time.Hour)}
	const day = 24 * time.Hour
	for _, tt := range []struct {
		name      string
		authID    string
		keepAlive time.Duration
		c         provider.Credential
		from, to  time.Duration // from now; both zero: never
	}{
		{"an hour", "a", 0, refreshable(time.Hour), 44 * time.Minute, 56 * time.Minute},
		{"twenty seconds", "a", 0, refreshable(20 * time.Second), 10 * time.Second, 14 * time.Second},
		{"a second", "a", 0, refreshable(time.Second), 5 * time.Second, 5 * time.Second},
		{"ended already", "a", 0, refreshable(-time.Hour), 5 * time.Second, 5 * time.Second},
		{"nobody knows when it was issued", "a", 0, old, 59 * time.Minute, 59 * time.Minute},
		{"no end", "a", 0, endless, 0, 0},
		{"no end, and must not lie idle", "a", 30 * day, endless, 20 * day, 27 * day},
		{"ends before it has lain idle too long", "a", 30 * day, refreshable(time.Hour), 44 * time.Minute, 56 * time.Minute},
		{"lies idle too long before it ends", "a", 30 * day, refreshable(100 * day), 20 * day, 27 * day},
		{"no refresh token", "a", 30 * day, final, 0, 0},
		{"a connection that is not there", "b", 0, refreshable(time.Hour), 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := Schedule{"a": {KeepAlive: tt.keepAlive}}
			first := s.next(tt.authID, tt.c, now)
			spread := false
			for range 200 {
				got := s.next(tt.authID, tt.c, now)
				spread = spread || !got.Equal(first)
				switch after := got.Sub(now); {
				case tt.to == 0 && !got.IsZero():
					t.Fatalf("got %v, want never", got)
				case tt.to != 0 && (after < tt.from || after > tt.to):
					t.Fatalf("got %v from now, want between %v and %v", after, tt.from, tt.to)
				}
			}
			if want := tt.from != tt.to; spread != want {
				t.Errorf("spread %v, want %v", spread, want)
			}
		})
	}
}
