package provider

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"linkgate/secret"
)

// maxCustomers is how many customers of one service are kept ready to work.
const maxCustomers = 1024

// customers are a service's, each with addresses of its own (Connection.Fields in its URLs). To a
// protocol each is a connection like any other.
type customers struct {
	conn Connection
	open func(Connection) *Provider

	mu   sync.Mutex
	kept map[string]*Provider
}

// With is the provider as one customer of the service has it: with settings, which the user was
// asked for, in every URL.
func (p *Provider) With(settings map[string]string) (*Provider, error) {
	if p.customers == nil {
		return p, nil
	}
	return p.customers.of(settings)
}

// openCustomers makes a provider whose abilities find the customer in what they are given.
func openCustomers(c Connection, open func(Connection) *Provider) *Provider {
	all := &customers{conn: c, open: open, kept: map[string]*Provider{}}
	p := routed(open(c), func(_ context.Context, settings map[string]string) (*Provider, error) { return all.of(settings) })
	p.Connection, p.customers = c, all
	return p
}

// of finds or opens a customer's. When there are too many some are opened anew the next time.
func (all *customers) of(settings map[string]string) (*Provider, error) {
	var name strings.Builder
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		name.WriteString(key + "=" + settings[key] + "\n")
	}
	all.mu.Lock()
	defer all.mu.Unlock()
	if p, ok := all.kept[name.String()]; ok {
		return p, nil
	}
	c, err := all.conn.filled(settings)
	if err != nil {
		return nil, err
	}
	for other := range all.kept {
		if len(all.kept) < maxCustomers {
			break
		}
		delete(all.kept, other)
	}
	p := settled(all.open(c), settings)
	all.kept[name.String()] = p
	return p, nil
}

// settled is a customer's provider that notes its settings in what it gives.
func settled(p *Provider, settings map[string]string) *Provider {
	one := *p
	if p.Redirector != nil {
		one.Redirector = customer{p, settings}
	}
	if p.Device != nil {
		one.Device = customer{p, settings}
	}
	if p.Form != nil {
		one.Form = customer{p, settings}
	}
	if p.Refresher != nil {
		one.Refresher = customer{p, settings}
	}
	if p.Identifier != nil {
		one.Identifier = customer{p, settings}
	}
	return &one
}

type customer struct {
	provider *Provider
	settings map[string]string
}

// Authorize implements Redirector.
func (c customer) Authorize(ctx context.Context, state secret.Text, redirectURI string, scopes ...string) (Attempt, string, error) {
	a, address, err := c.provider.Redirector.Authorize(ctx, state, redirectURI, scopes...)
	a.Settings = c.settings
	return a, address, err
}

// Exchange implements Redirector.
func (c customer) Exchange(ctx context.Context, a Attempt, cb Callback) (Grant, error) {
	g, err := c.provider.Redirector.Exchange(ctx, a, cb)
	return c.note(g), err
}

// StartDevice implements DeviceSignIn.
func (c customer) StartDevice(ctx context.Context, scopes ...string) (DeviceAttempt, error) {
	a, err := c.provider.Device.StartDevice(ctx, scopes...)
	a.Settings = c.settings
	return a, err
}

// PollDevice implements DeviceSignIn.
func (c customer) PollDevice(ctx context.Context, a DeviceAttempt) (Grant, error) {
	g, err := c.provider.Device.PollDevice(ctx, a)
	return c.note(g), err
}

// Submit implements Form.
func (c customer) Submit(ctx context.Context, values map[string]secret.Text) (Grant, error) {
	g, err := c.provider.Form.Submit(ctx, values)
	return c.note(g), err
}

// Refresh implements Refresher.
func (c customer) Refresh(ctx context.Context, old Credential, sendBy time.Time) (Refreshed, error) {
	r, err := c.provider.Refresher.Refresh(ctx, old, sendBy)
	r.Credential.Settings = c.settings
	return r, err
}

// Identify implements Identifier.
func (c customer) Identify(ctx context.Context, credential Credential) (Identity, error) {
	identity, err := c.provider.Identifier.Identify(ctx, credential)
	return c.noteIdentity(identity), err
}

func (c customer) note(g Grant) Grant {
	g.Credential.Settings = c.settings
	g.Identity = c.noteIdentity(g.Identity)
	return g
}

func (c customer) noteIdentity(i Identity) Identity {
	if i.Subject == "" {
		return i
	}
	settings := maps.Clone(c.settings)
	maps.Copy(settings, i.Settings)
	i.Settings = settings
	return i
}
