package linkedaccount

import (
	"errors"
	"testing"
	"time"

	"linkgate/provider"
)

// TestLastError: kept while it lasts and written when it is another, taken back by a success.
func TestLastError(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := newClock()
	f.now, f.service.now = c.Now, c.Now
	tokens := f.replica(t)
	a := f.link(t, tokens, tokenUser, "ada", 2*tokenLife, tokenLife)
	var fails error
	f.service.fail = func(int) error { return fails }
	began, version := c.Now(), a.Version
	want := func(what, message string, at time.Time, changed bool) {
		t.Helper()
		c.pass(restMost)
		_, _ = tokens.ByID(t.Context(), a.ID)
		if err := tokens.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		now := f.read(t, tokens, a.ID)
		if now.LastError != message || !now.LastErrorAt.Equal(at) || now.Version > version != changed {
			t.Errorf("%s: %q since %v, version %d after %d; want %q since %v", what, now.LastError, now.LastErrorAt, now.Version, version, message, at)
		}
		version = now.Version
	}
	fails = weather(0)
	want("weather", "refreshing: the service is unavailable (HTTP 503)", began.Add(restMost), true)
	want("the same", "refreshing: the service is unavailable (HTTP 503)", began.Add(restMost), false)
	fails = &provider.Error{Op: opRefresh, Kind: provider.ErrRefused, Code: "invalid_client", Status: 401}
	want("refused", "refreshing: the service refused the request (invalid_client, HTTP 401)", began.Add(3*restMost), true)
	fails = errors.New("secret of a panic")
	want("our own fault", "refreshing: the service refused the request (invalid_client, HTTP 401)", began.Add(3*restMost), false)
	fails = doubt()
	want("another replica's", "refreshing: the service refused the request (invalid_client, HTTP 401)", began.Add(3*restMost), false)
	fails = nil
	want("it works", "", time.Time{}, true)
	c.pass(2 * tokenLife)
	fails = invalidGrant()
	want("over", notAccepted, began.Add(7*restMost+2*tokenLife), true)
	f.link(t, tokens, tokenUser, "ada", 0, tokenLife)
	if now := f.read(t, tokens, a.ID); now.LastError != "" || !now.LastErrorAt.IsZero() {
		t.Errorf("linked again, and the error is %q since %v", now.LastError, now.LastErrorAt)
	}
}

// TestLastErrorIsOfTheCredential that failed, and not of one that has taken its place, nor of an
// account that is to be signed in again anyway.
func TestLastErrorIsOfTheCredential(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tokens := f.replica(t)
	old := f.link(t, tokens, tokenUser, "ada", 0, tokenLife)
	now := f.link(t, tokens, tokenUser, "ada", 0, tokenLife)
	note := func(a Account, err error, want string) {
		t.Helper()
		if err := tokens.Store.NoteFailure(t.Context(), a, err); err != nil {
			t.Fatal(err)
		}
		if got := f.read(t, tokens, a.ID).LastError; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	note(old, weather(0), "")
	note(now, weather(0), "refreshing: the service is unavailable (HTTP 503)")
	if err := tokens.Store.NoteSuccess(t.Context(), Account{ID: old.ID, TokenVersion: old.TokenVersion, LastError: "x"}); err != nil {
		t.Fatal(err)
	}
	note(now, errors.New("a fault of ours"), "refreshing: the service is unavailable (HTTP 503)")
	if err := tokens.Store.NoteSuccess(t.Context(), f.read(t, tokens, now.ID).Account); err != nil {
		t.Fatal(err)
	}
	note(now, errors.New("a fault of ours"), "")
	if _, err := tokens.Store.RequireReauth(t.Context(), *f.read(t, tokens, now.ID)); err != nil {
		t.Fatal(err)
	}
	note(f.read(t, tokens, now.ID).Account, weather(0), notAccepted)
}
