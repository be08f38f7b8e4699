package registration

import (
	"context"
)

// Pass is one look of the background's.
func (m *Manager) Pass(ctx context.Context, authID string) error {
	_, err := m.pass(ctx, m.clients[authID])
	return err
}

// Settled tells that the background has seen its configuration at the service.
func (m *Manager) Settled(authID string) bool { return m.clients[authID].settled() }

// Claim claims a row and does nothing.
func (m *Manager) Claim(ctx context.Context, authID string) (string, bool, error) {
	_, claimed, err := m.store.claim(ctx, authID, "somebody")
	return "", claimed, err
}
