package provider

import (
	"context"
	"time"

	"linkgate/secret"
)

// route finds the provider that does the work, at the moment it is to be done: the customer's, by
// the settings in what an ability is given, or that with the client which is the right one now.
type route func(ctx context.Context, settings map[string]string) (*Provider, error)

// routed is a provider with the abilities of able, each of which does what the provider at the end of
// find does.
func routed(able *Provider, find route) *Provider {
	p := &Provider{Connection: able.Connection, Applier: able.Applier}
	if able.Redirector != nil {
		p.Redirector = find
	}
	if able.Device != nil {
		p.Device = find
	}
	if able.Form != nil {
		p.Form = formRoute{find, able.Connection}
	}
	if able.Refresher != nil {
		p.Refresher = find
	}
	if able.Revoker != nil {
		p.Revoker = find
	}
	if able.Identifier != nil {
		p.Identifier = find
	}
	return p
}

// Authorize implements Redirector. A customer's settings are known beforehand: With comes first.
func (find route) Authorize(ctx context.Context, state secret.Text, redirectURI string, scopes ...string) (Attempt, string, error) {
	p, err := find(ctx, nil)
	if err != nil {
		return Attempt{}, "", err
	}
	return p.Redirector.Authorize(ctx, state, redirectURI, scopes...)
}

// Exchange implements Redirector.
func (find route) Exchange(ctx context.Context, a Attempt, cb Callback) (Grant, error) {
	p, err := find(ctx, a.Settings)
	if err != nil {
		return Grant{}, err
	}
	return p.Redirector.Exchange(ctx, a, cb)
}

// StartDevice implements DeviceSignIn. A customer's settings are known beforehand, as for Authorize.
func (find route) StartDevice(ctx context.Context, scopes ...string) (DeviceAttempt, error) {
	p, err := find(ctx, nil)
	if err != nil {
		return DeviceAttempt{}, err
	}
	return p.Device.StartDevice(ctx, scopes...)
}

// PollDevice implements DeviceSignIn.
func (find route) PollDevice(ctx context.Context, a DeviceAttempt) (Grant, error) {
	p, err := find(ctx, a.Settings)
	if err != nil {
		return Grant{}, err
	}
	return p.Device.PollDevice(ctx, a)
}

// Refresh implements Refresher.
func (find route) Refresh(ctx context.Context, c Credential, sendBy time.Time) (Refreshed, error) {
	p, err := find(ctx, c.Settings)
	if err != nil {
		return Refreshed{}, err
	}
	return p.Refresher.Refresh(ctx, c, sendBy)
}

// Revoke implements Revoker.
func (find route) Revoke(ctx context.Context, c Credential) error {
	p, err := find(ctx, c.Settings)
	if err != nil {
		return err
	}
	return p.Revoker.Revoke(ctx, c)
}

// Identify implements Identifier.
func (find route) Identify(ctx context.Context, c Credential) (Identity, error) {
	p, err := find(ctx, c.Settings)
	if err != nil {
		return Identity{}, err
	}
	return p.Identifier.Identify(ctx, c)
}

// formRoute is a route whose customer is in what was typed.
type formRoute struct {
	find route
	conn Connection
}

// Submit implements Form.
func (f formRoute) Submit(ctx context.Context, values map[string]secret.Text) (Grant, error) {
	p, err := f.find(ctx, f.conn.Settings(values))
	if err != nil {
		return Grant{}, err
	}
	return p.Form.Submit(ctx, values)
}
