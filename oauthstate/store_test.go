package oauthstate_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"linkgate/oauthstate"
	"linkgate/secret"
	"linkgate/testservers"
)

// onBoth runs a test on a real Redis and on the embedded one.
func onBoth(t *testing.T, test func(t *testing.T, s *oauthstate.Store)) {
	t.Run("real", func(t *testing.T) {
		client, err := oauthstate.Dial(secret.New(testservers.Redis(t)))
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		test(t, &oauthstate.Store{Redis: client})
	})
	t.Run("embedded", func(t *testing.T) {
		embedded, err := oauthstate.StartEmbedded()
		if err != nil {
			t.Fatal(err)
		}
		defer embedded.Close()
		test(t, &oauthstate.Store{Redis: embedded.Client})
	})
}

func newSession() oauthstate.Session {
	return oauthstate.Session{
		ID: oauthstate.IDOf(oauthstate.NewTicket()), AuthID: "notes", HostUserID: "ada",
		Phase: oauthstate.New, CreatedAt: time.Now().UTC(),
	}
}

// TestLeft: what is left of a session is what Redis says, not what was meant when it was read.
func TestLeft(t *testing.T) {
	onBoth(t, func(t *testing.T, s *oauthstate.Store) {
		session := newSession()
		if _, err := s.Left(t.Context(), session.ID); !errors.Is(err, oauthstate.ErrNotFound) {
			t.Errorf("before there is one: %v, want ErrNotFound", err)
		}
		if err := s.Create(t.Context(), session); err != nil {
			t.Fatal(err)
		}
		if left, err := s.Left(t.Context(), session.ID); err != nil || left <= 0 || left > oauthstate.UnopenedLife {
			t.Errorf("unopened: %s, %v; want no more than %s", left, err, oauthstate.UnopenedLife)
		}
		open := func(x *oauthstate.Session) error { x.Phase = oauthstate.Opened; return nil }
		if _, err := s.Update(t.Context(), session.ID, open); err != nil {
			t.Fatal(err)
		}
		if left, err := s.Left(t.Context(), session.ID); err != nil || left <= oauthstate.UnopenedLife || left > oauthstate.OpenedLife {
			t.Errorf("opened: %s, %v; want more than %s, no more than %s", left, err, oauthstate.UnopenedLife, oauthstate.OpenedLife)
		}
	})
}

func TestCreateAndGet(t *testing.T) {
	onBoth(t, func(t *testing.T, s *oauthstate.Store) {
		want := newSession()
		if err := s.Create(t.Context(), want); err != nil {
			t.Fatal(err)
		}
		got, err := s.Get(t.Context(), want.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("session changed on its way (-want +got):\n%s", diff)
		}
	})
}

func TestCreateNeverReplaces(t *testing.T) {
	onBoth(t, func(t *testing.T, s *oauthstate.Store) {
		first := newSession()
		if err := s.Create(t.Context(), first); err != nil {
			t.Fatal(err)
		}
		if err := s.Create(t.Context(), first); err != nil {
			t.Errorf("the same SET sent again, as after a lost reply: %v, want nil", err)
		}
		other := first
		other.HostUserID = "grace"
		if err := s.Create(t.Context(), other); !errors.Is(err, oauthstate.ErrChanged) {
			t.Errorf("another session under the same id: %v, want ErrChanged", err)
		}
		got, err := s.Get(t.Context(), first.ID)
		if err != nil || got.HostUserID != "ada" {
			t.Errorf("got user %q, %v; want ada", got.HostUserID, err)
		}
	})
}

func TestGetOfNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, s *oauthstate.Store) {
		if _, err := s.Get(t.Context(), newSession().ID); !errors.Is(err, oauthstate.ErrNotFound) {
			t.Errorf("got %v, want ErrNotFound", err)
		}
		_, err := s.Update(t.Context(), newSession().ID, func(*oauthstate.Session) error { return nil })
		if !errors.Is(err, oauthstate.ErrNotFound) {
			t.Errorf("updating nothing: %v, want ErrNotFound", err)
		}
	})
}

var errLate = errors.New("late")

func TestOfAHundredOneTakesIt(t *testing.T) {
	onBoth(t, func(t *testing.T, s *oauthstate.Store) {
		session := newSession()
		if err := s.Create(t.Context(), session); err != nil {
			t.Fatal(err)
		}
		var won, late atomic.Int32
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				me := oauthstate.NewTicket()
				_, err := s.Update(t.Context(), session.ID, func(x *oauthstate.Session) error {
					if x.Worker != "" {
						return errLate
					}
					x.Worker, x.Phase = me, oauthstate.Taken
					return nil
				})
				switch {
				case err == nil:
					won.Add(1)
				case errors.Is(err, errLate):
					late.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 || late.Load() != 99 {
			t.Errorf("%d won and %d came late, want 1 and 99", won.Load(), late.Load())
		}
	})
}

func TestLifetimes(t *testing.T) {
	onBoth(t, func(t *testing.T, s *oauthstate.Store) {
		session := newSession()
		if err := s.Create(t.Context(), session); err != nil {
			t.Fatal(err)
		}
		wantLife(t, s, session.ID, oauthstate.UnopenedLife)
		_, err := s.Update(t.Context(), session.ID, func(x *oauthstate.Session) error {
			x.Phase = oauthstate.Opened
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		wantLife(t, s, session.ID, oauthstate.OpenedLife)
	})
}

// wantLife checks the life left, within the half minute that a slow machine may take.
func wantLife(t *testing.T, s *oauthstate.Store, id string, want time.Duration) {
	t.Helper()
	got, err := s.Redis.PTTL(t.Context(), "linkgate:session:"+id).Result()
	if err != nil || got > want || got < want-30*time.Second {
		t.Errorf("life left %v, %v; want about %v", got, err, want)
	}
}

// TestSwapSentAgain resends every command once its reply is lost, as the client does.
func TestSwapSentAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, s *oauthstate.Store) {
		s.Redis.AddHook(resendHook{})
		session := newSession()
		if err := s.Create(t.Context(), session); err != nil {
			t.Fatal(err)
		}
		after, err := s.Update(t.Context(), session.ID, func(x *oauthstate.Session) error {
			if x.Worker != "" {
				return errLate
			}
			x.Worker = "me"
			return nil
		})
		if err != nil || after.Worker != "me" {
			t.Errorf("taken: %v by %q; want nil by me", err, after.Worker)
		}
	})
}

type resendHook struct{}

func (resendHook) DialHook(next redis.DialHook) redis.DialHook { return next }
func (resendHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		_ = next(ctx, cmd) // arrives, but its reply is lost
		return next(ctx, cmd)
	}
}
func (resendHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func TestTokens(t *testing.T) {
	ticket := oauthstate.NewTicket()
	id := oauthstate.IDOf(ticket)
	token := oauthstate.NewToken(id).Reveal()
	if got, ok := oauthstate.SessionOf(token); !ok || got != id {
		t.Errorf("token leads to %q, %v; want %q", got, ok, id)
	}
	if again := oauthstate.NewToken(id).Reveal(); again == token {
		t.Error("two tokens of one session are the same")
	}
	if strings.Contains(token, ticket) || strings.Contains(id, ticket) {
		t.Error("the ticket can be read off the token or the id")
	}
	for _, bad := range []string{"", "x", token[1:], token + "A", strings.Repeat("=", len(token)), "\x00" + token[1:]} {
		if _, ok := oauthstate.SessionOf(bad); ok {
			t.Errorf("SessionOf(%q) is ok, want not", bad)
		}
	}
}

func TestMatches(t *testing.T) {
	hash := oauthstate.Hash("value")
	for _, c := range []struct {
		hash, value string
		want        bool
	}{
		{hash, "value", true},
		{hash, "other", false},
		{hash, "", false},
		{"", "value", false},
		{"", "", false}, // the hole in which empty equals empty
	} {
		if got := oauthstate.Matches(c.hash, c.value); got != c.want {
			t.Errorf("Matches(%q, %q) = %v, want %v", c.hash, c.value, got, c.want)
		}
	}
}

func FuzzSessionOf(f *testing.F) {
	f.Add(oauthstate.NewToken(oauthstate.IDOf("ticket")).Reveal())
	f.Add("")
	f.Fuzz(func(t *testing.T, token string) {
		id, ok := oauthstate.SessionOf(token)
		if ok && len(id) != len(oauthstate.IDOf("")) {
			t.Errorf("SessionOf(%q) = %q, no session id", token, id)
		}
	})
}

func TestRedisThatHangs(t *testing.T) {
	server := testservers.StartRedis(t)
	client, err := oauthstate.Dial(secret.New(server.URL))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	s := &oauthstate.Store{Redis: client}
	if err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	server.Pause()
	if err := s.Create(t.Context(), newSession()); err == nil {
		t.Error("creating a session in a hung Redis: no error")
	}
	server.Resume()
	if err := s.Create(t.Context(), newSession()); err != nil {
		t.Errorf("once it is back: %v", err)
	}
}

func TestEmbeddedExpires(t *testing.T) {
	e, err := oauthstate.StartEmbedded()
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	s := &oauthstate.Store{Redis: e.Client}
	if err := s.Redis.Set(t.Context(), "linkgate:session:short", "{}", time.Second).Err(); err != nil {
		t.Fatal(err)
	}
	for { // ends when the clock is driven; else the test times out
		if _, err := s.Get(t.Context(), "short"); errors.Is(err, oauthstate.ErrNotFound) {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func TestEmbeddedIsBounded(t *testing.T) {
	e, err := oauthstate.StartEmbedded()
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	s := &oauthstate.Store{Redis: e.Client}
	_, err = e.Client.Pipelined(t.Context(), func(p redis.Pipeliner) error {
		for i := range 50_000 {
			p.Set(t.Context(), "filler:"+strconv.Itoa(i), "", time.Minute)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for s.Create(t.Context(), newSession()) == nil { // ends when the bound is seen; else the test times out
		time.Sleep(50 * time.Millisecond)
	}
}

func TestLifeEnds(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name string
		age  time.Duration
		want time.Duration
	}{
		{"young", 0, oauthstate.OpenedLife},
		{"a step late in its life does not prolong it", oauthstate.LongestLife - time.Minute, time.Minute},
		{"over", oauthstate.LongestLife + time.Hour, time.Second},
		{"made by a clock ahead of ours", -time.Hour, oauthstate.OpenedLife},
	} {
		session := oauthstate.Session{Phase: oauthstate.Opened, CreatedAt: now.Add(-c.age)}
		if got := session.Life(now); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// TestSwapWhoseReplyIsLost: the change stands, so whoever made it must learn that it does.
func TestSwapWhoseReplyIsLost(t *testing.T) {
	client, err := oauthstate.Dial(secret.New(testservers.Redis(t)))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	s := &oauthstate.Store{Redis: client}
	session := newSession()
	if err := s.Create(t.Context(), session); err != nil {
		t.Fatal(err)
	}
	client.AddHook(loseScriptReplies{})
	_, err = s.Update(t.Context(), session.ID, func(x *oauthstate.Session) error {
		x.Worker = "me"
		return nil
	})
	if err != nil {
		t.Errorf("a swap that happened: %v, want nil", err)
	}
}

type loseScriptReplies struct{ resendHook }

func (loseScriptReplies) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if err == nil && strings.HasPrefix(cmd.Name(), "eval") {
			err = context.DeadlineExceeded
			cmd.SetErr(err)
		}
		return err
	}
}
