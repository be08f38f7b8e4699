package connect_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"linkgate/connect"
	"linkgate/demo"
	"linkgate/oauthstate"
)

// asking is a service that wants to be asked for a code's tokens no sooner than after pause.
func asking(pause time.Duration) func(*demo.ServiceOptions) {
	return func(o *demo.ServiceOptions) { o.DevicePause = pause }
}

// atCode begins a session of ada's and goes on to its code.
func (f *fixture) atCode(t *testing.T) (ticket string, view connect.CodeView) {
	t.Helper()
	ticket = f.opened(t)
	if v, err := f.Open(t.Context(), ticket, browser); err != nil || !v.ByCode {
		t.Fatalf("the page offers no code: %+v, %v", v, err)
	}
	address, err := f.ContinueByCode(t.Context(), ticket, browser, nil)
	if err != nil || !strings.HasSuffix(address, "/connect/"+ticket+"/code") {
		t.Fatalf("got %q, %v", address, err)
	}
	view, err = f.Code(t.Context(), ticket, browser)
	if err != nil || view.Over || view.UserCode.IsZero() || view.ServiceName != "Acme Notes" || view.Left <= 0 || view.Left > 10*time.Minute {
		t.Fatalf("the code: %+v, %v", view, err)
	}
	return ticket, view
}

// lookOn looks until it is over, or until done says so.
func (f *fixture) lookOn(t *testing.T, ticket string, done func() bool) connect.CodeView {
	t.Helper()
	for {
		v, err := f.Code(t.Context(), ticket, browser)
		if err != nil || v.Over || done() {
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func never() bool { return false }

// decides has ada type the code and decide.
func (f *fixture) decides(t *testing.T, v connect.CodeView, decision string) {
	t.Helper()
	page, err := demo.NewBrowser().Activate(t.Context(), v.URI, v.UserCode.Reveal(), "ada", decision)
	if err != nil || !strings.Contains(page.Body, `id="done"`) {
		t.Fatalf("typing the code: %v\n%s", err, page.Body)
	}
}

// TestCode: the page waits, and once the code is typed there is an account, as after a redirect.
func TestCode(t *testing.T) {
	f := newFixture(t, asking(time.Millisecond))
	ticket, view := f.atCode(t)
	again := f.lookOn(t, ticket, func() bool { return f.theService.Requests(demo.OpToken) >= 2 })
	if again.Over || !again.UserCode.Equal(view.UserCode) || again.Left > view.Left {
		t.Fatalf("while nobody has typed it: %+v, want what it was: %+v", again, view)
	}
	f.decides(t, view, "allow")
	f.lookOn(t, ticket, never)
	r, err := f.Result(t.Context(), ticket, browser)
	if err != nil || r.State != connect.Linked || r.AccountName != "Ada Lovelace" {
		t.Errorf("got %+v, %v; want linked", r, err)
	}
	if all := f.theHost.Accounts(ada); len(all) != 1 {
		t.Errorf("accounts: %+v", all)
	}
	asked := f.theService.Requests(demo.OpToken)
	if v, err := f.Code(t.Context(), ticket, browser); err != nil || !v.Over || f.theService.Requests(demo.OpToken) != asked {
		t.Errorf("looking again: %+v, %v, %d requests more", v, err, f.theService.Requests(demo.OpToken)-asked)
	}
	_, err = f.ContinueByCode(t.Context(), ticket, browser, nil)
	wantError(t, "once more", err, connect.ErrUsed)
}

// TestCodeEnds without an account, and says why; the same session can try again.
func TestCodeEnds(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(*testing.T, *fixture, string, connect.CodeView)
		want connect.Reason
	}{
		{"denied", func(t *testing.T, f *fixture, _ string, v connect.CodeView) { f.decides(t, v, "deny") }, connect.Denied},
		{"not typed", func(_ *testing.T, f *fixture, _ string, _ connect.CodeView) { f.theService.ExpireDevices() }, connect.CodeExpired},
		{"refused", func(_ *testing.T, f *fixture, _ string, _ connect.CodeView) {
			f.theService.Play(polls(http.StatusUnauthorized, "invalid_client"))
		}, connect.ServiceRefused},
		{"another's ID token", func(t *testing.T, f *fixture, _ string, v connect.CodeView) {
			f.theService.TamperIDToken(demo.WrongAudience)
			f.decides(t, v, "allow")
		}, connect.NotVerified},
		{"connection gone", func(_ *testing.T, f *fixture, _ string, _ connect.CodeView) { delete(f.Connections, demo.NotesOIDC) }, connect.Changed},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, asking(time.Millisecond))
			ticket, view := f.atCode(t)
			p := f.Connections[demo.NotesOIDC]
			test.end(t, f, ticket, view)
			f.lookOn(t, ticket, never)
			r, err := f.Result(t.Context(), ticket, browser)
			if err != nil || r.State != connect.Failed || r.Reason != test.want || len(f.theHost.Accounts(ada)) != 0 {
				t.Errorf("got %+v, %v; want failed, %s", r, err, test.want)
			}
			if n := f.theService.ActiveTokens("acct_1815"); n != 0 {
				t.Errorf("%d tokens are left at the service", n)
			}
			f.theService.Play(demo.Script{})
			f.Connections[demo.NotesOIDC] = p
			if _, err := f.ContinueByCode(t.Context(), ticket, browser, nil); err != nil {
				t.Errorf("trying again: %v", err)
			}
		})
	}
}

// polls has every poll answered with an error.
func polls(status int, code string) demo.Script {
	return demo.Script{Fault: func(op string, r *http.Request) *demo.Fault {
		if op != demo.OpToken || !demo.IsPoll(r) {
			return nil
		}
		return &demo.Fault{Status: status, Body: `{"error":"` + code + `"}`}
	}}
}

// TestCodeIsPolledNoSoonerThanWanted: never before the interval, and after a slow_down, or while the
// service is away, later by five seconds (RFC 8628 §3.5); of many looks at once one asks.
func TestCodeIsPolledNoSoonerThanWanted(t *testing.T) {
	t.Run("at first", func(t *testing.T) {
		f := newFixture(t, asking(time.Hour))
		ticket, view := f.atCode(t)
		if view.LookAgain < 50*time.Minute {
			t.Errorf("looks again after %v, want the hour that the service wants", view.LookAgain)
		}
		f.manyLooks(t, ticket)
		if n := f.theService.Requests(demo.OpToken); n != 0 {
			t.Errorf("%d polls before the interval was over", n)
		}
	})
	for name, script := range map[string]demo.Script{"slow down": polls(400, "slow_down"), "away": polls(503, "")} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, asking(10*time.Second))
			ticket, _ := f.atCode(t)
			f.theService.Play(script)
			f.elapse(t, 10*time.Second)
			f.manyLooks(t, ticket)
			if n := f.theService.Requests(demo.OpToken); n != 1 {
				t.Errorf("%d polls by many looks, want 1", n)
			}
			f.elapse(t, 10*time.Second)
			f.manyLooks(t, ticket)
			if n := f.theService.Requests(demo.OpToken); n != 1 {
				t.Errorf("%d polls ten seconds after it wanted fifteen, want 1 still", n)
			}
			f.elapse(t, 5*time.Second)
			f.theService.Play(demo.Script{})
			f.manyLooks(t, ticket)
			if n := f.theService.Requests(demo.OpToken); n != 2 {
				t.Errorf("%d polls after fifteen, want 2", n)
			}
		})
	}
}

func (f *fixture) manyLooks(t *testing.T, ticket string) {
	t.Helper()
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if v, err := f.Code(context.WithoutCancel(t.Context()), ticket, browser); err != nil || v.Over || v.UserCode.IsZero() {
				t.Errorf("a look: %+v, %v", v, err)
			}
		})
	}
	all.Wait()
}

// TestCodeGuards: those of Continue.
func TestCodeGuards(t *testing.T) {
	f := newFixture(t, asking(time.Hour))
	ticket := f.opened(t)
	_, err := f.ContinueByCode(t.Context(), ticket, "another", nil)
	wantError(t, "a code for another browser", err, connect.ErrWrongBrowser)
	_, err = f.ContinueByCode(t.Context(), "no such ticket", browser, nil)
	wantError(t, "no session", err, connect.ErrExpired)
	f.allowed.none = true
	_, err = f.ContinueByCode(t.Context(), ticket, browser, nil)
	wantError(t, "over the limit", err, connect.ErrTooMany)
	if n := f.theService.Requests(demo.OpDevice); n != 0 {
		t.Errorf("%d codes were made for them", n)
	}
	f.allowed.none = false
	if v, err := f.Code(t.Context(), ticket, browser); err != nil || !v.Over {
		t.Errorf("nobody has asked for a code: %+v, %v", v, err)
	}
	if _, err = f.ContinueByCode(t.Context(), ticket, browser, nil); err != nil {
		t.Fatal(err)
	}
	f.elapse(t, 2*time.Hour)
	_, err = f.Code(t.Context(), ticket, "another")
	wantError(t, "the code in another browser", err, connect.ErrWrongBrowser)
	if n := f.theService.Requests(demo.OpToken); n != 0 {
		t.Errorf("%d polls for another browser", n)
	}
	events, err := f.Accounts.Events(t.Context(), 100)
	if err != nil || len(events) != 2 {
		t.Errorf("the audit trail has %+v, %v; want both intruders", events, err)
	}
	f.put(t, ticket, func(x *oauthstate.Session) { x.Attempts = 10 })
	_, err = f.ContinueByCode(t.Context(), ticket, browser, nil)
	wantError(t, "after many attempts", err, connect.ErrTooMany)
}

// TestCodeIsNotOffered where the connection has no device_url.
func TestCodeIsNotOffered(t *testing.T) {
	f, _, ticket := withForms(t, demo.VaultKey)
	if v, err := f.Open(t.Context(), ticket, browser); err != nil || v.ByCode {
		t.Errorf("the page offers a code: %+v, %v", v, err)
	}
	_, err := f.ContinueByCode(t.Context(), ticket, browser, typed("api_key", demo.VaultAdaKey))
	wantError(t, "a code for a form", err, connect.ErrNotOffered)
}

// TestCodeThatIsNotMade: the page says why, and another attempt may be made.
func TestCodeThatIsNotMade(t *testing.T) {
	f := newFixture(t)
	ticket := f.opened(t)
	f.theService.Play(demo.Script{Fault: func(op string, _ *http.Request) *demo.Fault {
		if op != demo.OpDevice {
			return nil
		}
		return &demo.Fault{Status: http.StatusBadRequest, Body: `{"error":"unauthorized_client"}`}
	}})
	address, err := f.ContinueByCode(t.Context(), ticket, browser, nil)
	if err != nil || !strings.HasSuffix(address, "/result") {
		t.Fatalf("got %q, %v", address, err)
	}
	if r, err := f.Result(t.Context(), ticket, browser); err != nil || r.Reason != connect.ServiceRefused {
		t.Errorf("got %+v, %v", r, err)
	}
	if _, err := f.Continue(t.Context(), ticket, browser, nil); err != nil {
		t.Errorf("trying the other way: %v", err)
	}
}

// TestCodeIsGivenUp: who goes back and is redirected is not asked for by the code any more.
func TestCodeIsGivenUp(t *testing.T) {
	f := newFixture(t, asking(time.Millisecond))
	ticket, view := f.atCode(t)
	state, cb := f.atCallback(t, ticket)
	f.decides(t, view, "allow")
	f.elapse(t, time.Minute)
	if v, err := f.Code(t.Context(), ticket, browser); err != nil || !v.Over || f.theService.Requests(demo.OpToken) != 0 {
		t.Errorf("got %+v, %v, %d polls; want over and none", v, err, f.theService.Requests(demo.OpToken))
	}
	if _, err := f.Complete(t.Context(), demo.NotesOIDC, browser, state, cb); err != nil {
		t.Fatal(err)
	}
	if r, err := f.Result(t.Context(), ticket, browser); err != nil || r.State != connect.Linked {
		t.Errorf("got %+v, %v; want linked", r, err)
	}
}

// TestCodeOfAnOldSession ends with the session, though the service would wait longer; and then it is
// over without the service being asked.
func TestCodeOfAnOldSession(t *testing.T) {
	f := newFixture(t, asking(time.Hour))
	ticket := f.opened(t)
	f.put(t, ticket, func(x *oauthstate.Session) { x.CreatedAt = time.Now().Add(time.Minute - oauthstate.LongestLife) })
	if _, err := f.ContinueByCode(t.Context(), ticket, browser, nil); err != nil {
		t.Fatal(err)
	}
	if v, err := f.Code(t.Context(), ticket, browser); err != nil || v.Over || v.Left > time.Minute {
		t.Errorf("got %+v, %v; want a minute at most", v, err)
	}
	f.elapse(t, time.Hour)
	if v, err := f.Code(t.Context(), ticket, browser); err != nil || !v.Over || f.theService.Requests(demo.OpToken) != 0 {
		t.Errorf("got %+v, %v, %d polls; want over and none", v, err, f.theService.Requests(demo.OpToken))
	}
	if r, err := f.Result(t.Context(), ticket, browser); err != nil || r.Reason != connect.CodeExpired {
		t.Errorf("got %+v, %v", r, err)
	}
}

// TestPollThatStopped: a replica that died while it asked keeps nobody waiting for ever.
func TestPollThatStopped(t *testing.T) {
	f := newFixture(t, asking(time.Hour))
	ticket, _ := f.atCode(t)
	f.put(t, ticket, func(x *oauthstate.Session) {
		x.Phase, x.Worker, x.WorkSince = oauthstate.Asking, "somebody", time.Now()
	})
	if v, err := f.Code(t.Context(), ticket, browser); err != nil || v.Over || v.UserCode.IsZero() {
		t.Errorf("while somebody asks: %+v, %v; want the page as it was", v, err)
	}
	f.elapse(t, connect.DefaultWorkTime+time.Hour)
	if v, err := f.Code(t.Context(), ticket, browser); err != nil || !v.Over {
		t.Errorf("got %+v, %v; want over", v, err)
	}
	if r, err := f.Result(t.Context(), ticket, browser); err != nil || r.Reason != connect.Interrupted {
		t.Errorf("got %+v, %v; want interrupted", r, err)
	}
	if _, err := f.ContinueByCode(t.Context(), ticket, browser, nil); err != nil {
		t.Errorf("trying again: %v", err)
	}
}

// TestCodeIsSealed: Redis has neither code in the clear, and no address with one in it.
func TestCodeIsSealed(t *testing.T) {
	f := newFixture(t, asking(time.Hour))
	ticket, view := f.atCode(t)
	stored, err := f.Sessions.Redis.Get(t.Context(), "linkgate:session:"+oauthstate.IDOf(ticket)).Result()
	if err != nil || !strings.Contains(stored, "sealed") {
		t.Fatalf("got %q, %v", stored, err)
	}
	for _, s := range append(f.theService.Secrets(), view.UserCode.Reveal(), view.URI) {
		if strings.Contains(stored, s) {
			t.Errorf("Redis has %q", s)
		}
	}
}

// TestCodeWithTheHostsRelay: what the code has brought waits, sealed, for the host's relay, and is
// linked for nobody but the user who began it.
func TestCodeWithTheHostsRelay(t *testing.T) {
	for _, user := range []string{ada, grace} {
		t.Run(user, func(t *testing.T) {
			f := newFixture(t, asking(time.Millisecond))
			f.HostFinish = true
			ticket, view := f.atCode(t)
			f.decides(t, view, "allow")
			f.lookOn(t, ticket, never)
			r, err := f.Result(t.Context(), ticket, browser)
			if err != nil || r.State != connect.Relaying || r.FinishToken.IsZero() || len(f.theHost.Accounts(ada)) != 0 {
				t.Fatalf("got %+v, %v; want relaying and no account", r, err)
			}
			_, err = f.Finish(t.Context(), user, demo.NotesOIDC, r.FinishToken)
			if user == ada && (err != nil || len(f.theHost.Accounts(ada)) != 1) {
				t.Errorf("the same user: %v, %d accounts", err, len(f.theHost.Accounts(ada)))
			}
			if user != ada && (!errors.Is(err, connect.ErrWrongUser) || len(f.theHost.Accounts(ada))+len(f.theHost.Accounts(user)) != 0 || f.theService.ActiveTokens("acct_1815") != 0) {
				t.Errorf("another user: %v, %d accounts", err, len(f.theHost.Accounts(ada))+len(f.theHost.Accounts(user)))
			}
		})
	}
}
