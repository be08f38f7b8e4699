package linkedaccount

import (
	"context"
	"errors"
)

// Account reads an account as For and ByID see it, without its credential and without a refresh;
// ErrNotFound when there is none, or none with a credential.
func (t *Tokens) Account(ctx context.Context, id string) (Account, error) {
	e, err := t.entry(ctx, id)
	if err != nil {
		return Account{}, err
	}
	return e.Account, nil
}

// Replace is Rejected for somebody who asks how the account is: it does not spare a young credential,
// and says why there is no other. A credential that can't be refreshed, and that the service takes
// after all, is given as it is.
func (t *Tokens) Replace(ctx context.Context, o *Opened) (*Opened, error) {
	e, err := t.entry(ctx, o.ID)
	switch {
	case err != nil:
		return nil, err
	case e.unusable != nil:
		return &Opened{Account: e.Account}, e.unusable
	case e.TokenVersion != o.TokenVersion:
		return &e.Opened, nil
	}
	if err := t.rests.of(o.ID, t.Now()); err != nil && !errors.Is(err, errStillGood) {
		return o, err
	}
	replacement, err := t.renew(ctx, o.ID, o.TokenVersion, byRejection, patience)
	switch {
	case errors.Is(err, errStillGood):
		return o, nil
	case err != nil:
		return &Opened{Account: e.Account}, err
	}
	return &replacement, nil
}
