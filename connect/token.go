package connect

import (
	"context"
	"errors"
	"fmt"
	"time"

	"linkgate/linkedaccount"
	"linkgate/provider"
)

// ErrReauthRequired: the account's credential is worth nothing any more.
var ErrReauthRequired = errors.New("the user must sign in at the service again")

// Token gives an account's credential in the open, one that lasts for minValid at least where the
// service makes such. ErrNotFound, ErrReauthRequired, ErrServiceRefuses, ErrUnavailable.
func (s *Service) Token(ctx context.Context, accountID string, minValid time.Duration) (*linkedaccount.Opened, error) {
	o, err := s.Tokens.ByIDFor(ctx, accountID, minValid)
	if err != nil {
		return nil, credentialError(err)
	}
	return o, nil
}

// credentialError turns what Tokens say of a credential into an error of ours.
func credentialError(err error) error {
	switch {
	case errors.Is(err, linkedaccount.ErrReauthRequired):
		return fmt.Errorf("%w: %w", ErrReauthRequired, err)
	case errors.Is(err, provider.ErrRefused):
		return fmt.Errorf("%w: %w", ErrServiceRefuses, err)
	case errors.Is(err, provider.ErrUnavailable):
		return &UnavailableError{System: "the service", RetryAfter: retryAfter(err), Err: err}
	}
	return databaseError(err)
}

// retryAfter is when a service asks to be asked again.
func retryAfter(err error) time.Duration {
	var known *provider.Error
	if errors.As(err, &known) && known.RetryAfter > 0 {
		return known.RetryAfter
	}
	return 5 * time.Second
}
