package connect

import (
	"context"
	"errors"
	"net/http"
	"time"

	"linkgate/database"
	"linkgate/linkedaccount"
	"linkgate/provider"
)

// tokens are where fresh credentials come from; linkedaccount.Tokens says how each behaves.
type tokens interface {
	ByID(ctx context.Context, id string) (*linkedaccount.Opened, error)
	ByIDFor(ctx context.Context, id string, minValid time.Duration) (*linkedaccount.Opened, error)
	Replace(ctx context.Context, o *linkedaccount.Opened) (*linkedaccount.Opened, error)
}

var _ tokens = (*linkedaccount.Tokens)(nil)

// TestResult is how an account is.
type TestResult string

// The results.
const (
	TestOK                  TestResult = "ok"
	TestReauthRequired      TestResult = "reauth_required"      // the user must sign in again
	TestInsufficientScope   TestResult = "insufficient_scope"   // the user must grant more
	TestProviderUnavailable TestResult = "provider_unavailable" // the service can't be asked now, or refuses Linkgate's client
)

// TestReport is what a test has found.
type TestReport struct {
	Result        TestResult
	Latency       time.Duration // of the service's answer; zero: it was not asked, or has not answered
	MissingScopes []string      // that the connection asks for now
	Verified      bool          // the service has said whose the credential is; else it was not asked, or has no way to tell
}

// Test asks the service whether an account's credential works, with a fresh one, and after a refusal
// once with another. A credential that turns out to be another account's than the one it was linked
// for needs a new sign-in too: whatever is done with it is done in the wrong name.
// ErrNotFound, ErrUnknownConnection, ErrUnavailable (the database).
func (s *Service) Test(ctx context.Context, accountID string) (TestReport, error) {
	a, err := s.Accounts.ByID(ctx, accountID)
	if err != nil {
		return TestReport{}, databaseError(err)
	}
	p, ok := s.Connections[a.AuthID]
	if !ok {
		return TestReport{}, ErrUnknownConnection
	}
	report := TestReport{MissingScopes: p.Connection.MissingScopes(a.Scopes)}
	o, err := s.Tokens.ByID(ctx, accountID)
	if err == nil {
		report.MissingScopes = p.Connection.MissingScopes(o.Scopes)
		err = s.verify(ctx, p, o, &report)
	}
	if o != nil {
		tested := o.Account
		tested.LastError = a.LastError // what is cached may be older
		s.noteTest(ctx, tested, err)
	}
	if report.Result, err = resultOfTest(err); err != nil {
		return TestReport{}, err
	}
	if report.Result == TestOK && len(report.MissingScopes) > 0 {
		report.Result = TestInsufficientScope
	}
	return report, nil
}

// errOtherIdentity: the service says that the credential is another account's.
var errOtherIdentity = errors.New("the credential is another account's")

// verify asks the service whose a credential is, if it can tell.
func (s *Service) verify(ctx context.Context, p *provider.Provider, o *linkedaccount.Opened, report *TestReport) error {
	if p.Identifier == nil {
		return nil
	}
	identity, err := timed(ctx, p, o, report)
	if errors.Is(err, provider.ErrInvalidGrant) {
		if o, err = s.Tokens.Replace(ctx, o); err != nil {
			return err
		}
		identity, err = timed(ctx, p, o, report)
	}
	switch {
	case errors.Is(err, provider.ErrUnsupported):
		report.Latency = 0
		return nil
	case err != nil:
		return err
	}
	report.Verified = true
	if identity.Subject != o.Identity.Subject {
		s.auditAccount(ctx, "account.other_identity", o.Account, "")
		return errOtherIdentity
	}
	return nil
}

func timed(ctx context.Context, p *provider.Provider, o *linkedaccount.Opened, report *TestReport) (provider.Identity, error) {
	begun := time.Now()
	identity, err := p.Identifier.Identify(ctx, o.Credential)
	report.Latency = time.Since(begun)
	return identity, err
}

// resultOfTest is what an error says of the account; what says nothing of it is an error.
func resultOfTest(err error) (TestResult, error) {
	var e *provider.Error
	switch {
	case err == nil:
		return TestOK, nil
	case errors.Is(err, linkedaccount.ErrNotFound), database.IsUnavailable(err):
		return "", databaseError(err)
	case errors.Is(err, linkedaccount.ErrReauthRequired), errors.Is(err, provider.ErrInvalidGrant), errors.Is(err, errOtherIdentity):
		return TestReauthRequired, nil
	case !errors.As(err, &e):
		return "", err
	case isForbidden(e):
		return TestInsufficientScope, nil
	}
	return TestProviderUnavailable, nil
}

// isForbidden tells what a service answers to a credential that is right and may not do what it was
// used for (RFC 6750 §3.1).
func isForbidden(e *provider.Error) bool {
	return errors.Is(e, provider.ErrRefused) && e.Status == http.StatusForbidden
}

// noteTest keeps how a test went with the account.
func (s *Service) noteTest(ctx context.Context, a linkedaccount.Account, err error) {
	var note error
	if err == nil {
		note = s.Accounts.NoteSuccess(ctx, a)
	} else {
		note = s.Accounts.NoteFailure(ctx, a, err)
	}
	if note != nil {
		s.Log.WarnContext(ctx, "noting how a test went", "account", a.ID, "error", note)
	}
}
