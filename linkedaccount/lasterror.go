package linkedaccount

import (
	"context"
	"errors"
	"time"

	"linkgate/database"
	"linkgate/provider"
)

// notAccepted is the last error of an account whose credential is worth nothing any more.
const notAccepted = "the service does not accept the credential any more; the user must sign in again"

// NoteFailure keeps why a's credential could not be refreshed or tested as its LastError. Of err that
// is what provider says, which holds no secret; what else went wrong was not the account's fault. It
// writes only what is new, and nothing once the credential has been replaced.
func (s *Store) NoteFailure(ctx context.Context, a Account, err error) error {
	message := lastError(err)
	if message == "" || message == a.LastError {
		return nil
	}
	now := database.Millis(s.now())
	_, err = s.exec(ctx, "noting an account's error", `UPDATE linked_accounts SET last_error = $1, last_error_at = $2,
		updated_at = $2, version = version + 1 WHERE id = $3 AND token_version = $4 AND last_error <> $1
		AND `+isUsable, message, now, a.ID, a.TokenVersion)
	return err
}

// NoteSuccess takes a's LastError back: the service has just taken its credential.
func (s *Store) NoteSuccess(ctx context.Context, a Account) error {
	if a.LastError == "" {
		return nil
	}
	_, err := s.exec(ctx, "taking an account's error back", `UPDATE linked_accounts SET last_error = '', last_error_at = 0,
		updated_at = $1, version = version + 1 WHERE id = $2 AND token_version = $3 AND last_error <> ''
		AND `+isUsable, database.Millis(s.now()), a.ID, a.TokenVersion)
	return err
}

// lastError is what is kept of an error; empty: nothing.
func lastError(err error) string {
	var e *provider.Error
	var d doubtful
	switch {
	case errors.Is(err, provider.ErrInvalidGrant), errors.Is(err, ErrReauthRequired):
		return notAccepted
	case errors.As(err, &d), !errors.As(err, &e):
		return ""
	}
	return e.Error()
}

// doubtful is weather of our own making: another replica has sent the refresh token and not said
// what came of it.
type doubtful struct{ err *provider.Error }

// Error implements error.
func (d doubtful) Error() string { return d.err.Error() }

// Unwrap gives the weather.
func (d doubtful) Unwrap() error { return d.err }

func doubt() error {
	return doubtful{&provider.Error{
		Op: opRefresh, Kind: provider.ErrUnavailable, Code: "another refresh has not ended", RetryAfter: 2 * time.Second,
	}}
}

// note keeps how a refresh went, aside: nobody waits for it, and it may be lost. A success that
// saved a credential has taken the error back already.
func (t *Tokens) note(o Opened, result error) {
	write := func(ctx context.Context) error { return t.Store.NoteFailure(ctx, o.Account, result) }
	isNew := lastError(result) != "" && lastError(result) != o.LastError
	if errors.Is(result, errStillGood) {
		write = func(ctx context.Context) error { return t.Store.NoteSuccess(ctx, o.Account) }
		isNew = o.LastError != ""
	}
	if !isNew || o.ID == "" {
		return
	}
	t.ongoing.Add(1)
	go func() {
		defer t.ongoing.Add(-1)
		if err := write(context.Background()); err != nil {
			t.Log.Debug("noting how a refresh went", "account", o.ID, "error", err)
		}
	}()
}
