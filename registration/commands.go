package registration

import (
	"context"
	"fmt"
)

// List shows every connection that registers itself, in the order of the configuration.
func (m *Manager) List(ctx context.Context) ([]Registration, error) {
	var all []Registration
	for _, c := range m.options.Connections {
		if !c.Registration.On() {
			continue
		}
		one, err := m.Show(ctx, c.AuthID)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// Show shows one. ErrNoRegistration.
func (m *Manager) Show(ctx context.Context, authID string) (Registration, error) {
	k, err := m.connection(authID)
	if err != nil {
		return Registration{}, err
	}
	r, err := m.store.read(ctx, authID)
	return m.shown(k, r), err
}

// Register registers a client where there is none, deleted or not, and brings up to date one that is
// there. ErrNoRegistration.
func (m *Manager) Register(ctx context.Context, authID string) (Registration, error) {
	return m.command(ctx, authID, func(k *known, r row) need {
		if !r.exists() {
			return creation
		}
		return m.needs(k, r)
	})
}

// Rotate has the service make a new secret now. ErrNoRegistration, ErrNoClient.
func (m *Manager) Rotate(ctx context.Context, authID string) (Registration, error) {
	before, err := m.Show(ctx, authID)
	if err != nil {
		return before, err
	}
	if before.ClientID == "" {
		return before, fmt.Errorf("%q: %w", authID, ErrNoClient)
	}
	return m.command(ctx, authID, func(k *known, r row) need {
		if n := m.needs(k, r); n != nothing {
			return n
		}
		return renewal
	})
}

func (m *Manager) command(ctx context.Context, authID string, w wish) (Registration, error) {
	k, err := m.connection(authID)
	if err != nil {
		return Registration{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, workTime)
	defer cancel()
	r, err := m.work(ctx, k, w)
	return m.shown(k, r), err
}

// Delete deletes the client at the service and then here; with forget only here. No replica registers
// another until Register. ErrNoRegistration, ErrNoClient.
func (m *Manager) Delete(ctx context.Context, authID string, forget bool) error {
	k, err := m.connection(authID)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, workTime)
	defer cancel()
	return m.exclusively(ctx, k, func(ctx context.Context, held row, by string) error {
		if !held.exists() {
			return fmt.Errorf("%q: %w", authID, ErrNoClient)
		}
		if held.service != m.app(k.conn).service && !forget {
			return m.undecided(held)
		}
		if !forget {
			if err := m.dialect(k.conn).remove(ctx, held.client); err != nil {
				return err
			}
		}
		if err := m.store.remove(context.WithoutCancel(ctx), held, by); err != nil {
			return err
		}
		m.tell(ctx, "client.deleted", held)
		return nil
	})
}
