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
	able := open(c)
	p := &Provider{Connection: c, Applier: able.Applier, customers: all}
	if able.Redirector != nil {
		p.Redirector = anyCustomer{all}
	}
	if able.Form != nil {
		p.Form = anyCustomer{all}
	}
	if able.Refresher != nil {
		p.Refresher = anyCustomer{all}
	}
	if able.Revoker != nil {
		p.Revoker = anyCustomer{all}
	}
	if able.Identifier != nil {
		p.Identifier = anyCustomer{all}
	}
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

// anyCustomer does what the customer's own provider does.
type anyCustomer struct{ all *customers }

// Authorize implements Redirector: With comes first.
func (a anyCustomer) Authorize(ctx context.Context, state secret.Text, redirectURI string) (Attempt, string, error) {
	p, err := a.all.of(nil)
	if err != nil {
		return Attempt{}, "", err
	}
	return p.Redirector.Authorize(ctx, state, redirectURI)
}

// Exchange implements Redirector.
func (a anyCustomer) Exchange(ctx context.Context, attempt Attempt, cb Callback) (Grant, error) {
	p, err := a.all.of(attempt.Settings)
	if err != nil {
		return Grant{}, err
	}
	return p.Redirector.Exchange(ctx, attempt, cb)
}

// Submit implements Form.
func (a anyCustomer) Submit(ctx context.Context, values map[string]secret.Text) (Grant, error) {
	p, err := a.all.of(a.all.conn.Settings(values))
	if err != nil {
		return Grant{}, err
	}
	return p.Form.Submit(ctx, values)
}

// Refresh implements Refresher.
func (a anyCustomer) Refresh(ctx context.Context, c Credential, sendBy time.Time) (Refreshed, error) {
	p, err := a.all.of(c.Settings)
	if err != nil {
		return Refreshed{}, err
	}
	return p.Refresher.Refresh(ctx, c, sendBy)
}

// Revoke implements Revoker.
func (a anyCustomer) Revoke(ctx context.Context, c Credential) error {
	p, err := a.all.of(c.Settings)
	if err != nil {
		return err
	}
	return p.Revoker.Revoke(ctx, c)
}

// Identify implements Identifier.
func (a anyCustomer) Identify(ctx context.Context, c Credential) (Identity, error) {
	p, err := a.all.of(c.Settings)
	if err != nil {
		return Identity{}, err
	}
	return p.Identifier.Identify(ctx, c)
}

// settled is a customer's provider that notes its settings in what it gives.
func settled(p *Provider, settings map[string]string) *Provider {
	one := *p
	if p.Redirector != nil {
		one.Redirector = customer{p, settings}
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
func (c customer) Authorize(ctx context.Context, state secret.Text, redirectURI string) (Attempt, string, error) {
	a, address, err := c.provider.Redirector.Authorize(ctx, state, redirectURI)
	a.Settings = c.settings
	return a, address, err
}

// Exchange implements Redirector.
func (c customer) Exchange(ctx context.Context, a Attempt, cb Callback) (Grant, error) {
	g, err := c.provider.Redirector.Exchange(ctx, a, cb)
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
