package connect

import (
	"cmp"
	"context"
	"errors"

	"linkgate/linkedaccount"
	"linkgate/provider"
	"linkgate/retry"
)

// taking is an import until there is something to save.
type taking struct {
	*Service
	Import
	provider *provider.Provider
	grant    provider.Grant
	// obtained: the grant's credential is not the one that was given but another, had for it. If it
	// can't be kept it is given back; what is the caller's own is left alone.
	obtained bool
	spent    bool // the refresh token that was given has been used
}

// take works out what is to be saved. What can be known to be wrong is found before anything is used.
func (t *taking) take(ctx context.Context) error {
	if t.Profile == nil && !t.RequestProfile {
		return ErrProfileNeeded
	}
	if t.Credential.given().IsTyped() && t.provider.Form != nil {
		return t.takeTyped(ctx)
	}
	c, err := t.provider.Connection.Tokens(t.Credential.given())
	if err != nil {
		return err
	}
	t.grant.Credential = c
	t.setScopes(t.Credential.Scopes)
	if err := t.scopesSuffice(); err != nil {
		return err
	}
	if t.Profile == nil && t.provider.Identifier == nil {
		return ErrProfileNeeded
	}
	if err := t.knownUser(ctx, t.HostUserID); err != nil {
		return err
	}
	if ended := !c.ExpiresAt.IsZero() && !t.now().Before(c.ExpiresAt); c.AccessToken.IsZero() || ended && t.RequestProfile {
		if err := t.refresh(ctx); err != nil {
			return err
		}
	}
	return t.identify(ctx)
}

// takeTyped does with fields what our own page does with what is typed.
func (t *taking) takeTyped(ctx context.Context) error {
	conn := t.provider.Connection
	values, err := conn.Typed(t.Credential.given())
	if err != nil {
		return err
	}
	if err := t.knownUser(ctx, t.HostUserID); err != nil {
		return err
	}
	if !t.RequestProfile {
		if t.grant.Credential, err = conn.TypedCredential(values, t.now()); err != nil {
			return err
		}
		return t.setIdentity(provider.Identity{})
	}
	if t.grant, err = t.provider.Form.Submit(ctx, values); err != nil {
		return err
	}
	t.obtained = true
	if err := t.scopesSuffice(); err != nil {
		return err
	}
	return t.setIdentity(t.grant.Identity)
}

func (t *taking) setScopes(granted []string) {
	if granted == nil {
		granted = t.provider.Connection.Scopes
	}
	t.grant.Scopes = granted
	t.grant.Missing = t.provider.Connection.MissingScopes(granted)
}

func (t *taking) scopesSuffice() error {
	if len(t.grant.Missing) > 0 && t.ValidateScope {
		return &ScopesMissingError{t.grant.Missing}
	}
	return nil
}

// refresh trades the refresh token for new tokens. From then on the given ones may be worth nothing.
func (t *taking) refresh(ctx context.Context) error {
	if t.provider.Refresher == nil || t.grant.Credential.RefreshToken.IsZero() {
		return ErrCredentialRejected
	}
	// By the wall clock: the refresher compares it with that.
	refreshed, err := t.provider.Refresher.Refresh(ctx, t.grant.Credential, t.now().Add(importRefreshWithin))
	if err != nil {
		return err
	}
	t.spent, t.obtained = t.provider.Connection.Rotates(), true
	t.grant.Credential = refreshed.Credential
	if refreshed.Scopes != nil {
		t.grant.Scopes, t.grant.Missing = refreshed.Scopes, refreshed.Missing
	}
	return t.scopesSuffice()
}

// identify asks the service whose the credential is. One that it does not take is refreshed, once.
func (t *taking) identify(ctx context.Context) error {
	if !t.RequestProfile || t.provider.Identifier == nil {
		return t.setIdentity(provider.Identity{})
	}
	told, err := t.ask(ctx)
	canRefresh := t.provider.Refresher != nil && !t.grant.Credential.RefreshToken.IsZero()
	if errors.Is(err, provider.ErrInvalidGrant) && !t.obtained && canRefresh {
		if err := t.refresh(ctx); err != nil {
			return err
		}
		told, err = t.ask(ctx)
	}
	switch {
	case errors.Is(err, provider.ErrUnsupported) && t.Profile == nil:
		return ErrProfileNeeded
	case errors.Is(err, provider.ErrUnsupported):
		told = provider.Identity{}
	case err != nil:
		return err
	}
	return t.setIdentity(told)
}

// ask asks once, but goes on asking when a refresh token has been used for it: nobody has another.
func (t *taking) ask(ctx context.Context) (identity provider.Identity, err error) {
	var final error
	asking := func() error {
		identity, err = t.provider.Identifier.Identify(ctx, t.grant.Credential)
		if t.spent && errors.Is(err, provider.ErrUnavailable) {
			return err
		}
		final = err
		return nil
	}
	if err := retry.Persist(ctx, asking); err != nil {
		return identity, err
	}
	return identity, final
}

// setIdentity takes what the service tells, held to what the owner says; where it tells nothing, that.
func (t *taking) setIdentity(told provider.Identity) (err error) {
	if t.Profile != nil {
		if told.Subject != "" && told.Subject != t.Profile.ExternalAccountID {
			return ErrOtherProfile
		}
		if told.Subject == "" {
			told.Subject, told.Issuer = t.Profile.ExternalAccountID, t.Profile.Issuer
		}
		told.Name = cmp.Or(t.Profile.Name, told.Name)
	}
	told.Name = cmp.Or(t.Import.Name, told.Name)
	t.grant.Identity, err = t.provider.IdentityOf(t.grant.Credential, t.Credential.given(), told)
	return err
}

// failed gives back what was obtained and is not kept, and says what an error means to whoever
// imports.
func (t *taking) failed(ctx context.Context, err error) error {
	if t.obtained {
		t.giveBack(ctx, t.provider, t.grant.Credential)
	}
	err = t.meaning(err)
	if t.spent {
		t.Log.WarnContext(ctx, "an import has used a refresh token up and kept nothing", "auth_id", t.AuthID, "error", err)
		return errors.Join(err, ErrCredentialSpent)
	}
	return err
}

func (t *taking) meaning(err error) error {
	var shape *provider.GivenError
	var e *provider.Error
	switch {
	case errors.As(err, &shape):
		field := shape.Field
		if field == "external_account_id" {
			field = "profile/" + field
		}
		return &CredentialShapeError{field, shape.Problem}
	case errors.Is(err, linkedaccount.ErrIdentity):
		return &CredentialShapeError{"profile/external_account_id", "can't be an account's id"}
	case !errors.As(err, &e):
		return err
	case errors.Is(err, provider.ErrInvalidGrant), isForbidden(e):
		return errors.Join(ErrCredentialRejected, err)
	case errors.Is(err, provider.ErrUnavailable):
		return &UnavailableError{System: t.provider.Connection.Name, RetryAfter: e.RetryAfter, Err: err}
	}
	return errors.Join(ErrServiceRefuses, err)
}
