package linkedaccount

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"linkgate/provider"
)

// metrics count refreshes by what came of them.
type metrics struct {
	refreshes *prometheus.CounterVec
}

func newMetrics() *metrics {
	return &metrics{refreshes: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "linkgate_refreshes_total",
		Help: "Refreshes of credentials, by connection and outcome.",
	}, []string{"auth_id", "outcome"})}
}

// Collector is for the registry of /metrics.
func (t *Tokens) Collector() prometheus.Collector { return t.metrics.refreshes }

func (m *metrics) count(authID string, err error) {
	m.refreshes.WithLabelValues(authID, outcome(err)).Inc()
}

func outcome(err error) string {
	switch {
	case err == nil:
		return "refreshed"
	case errors.Is(err, ErrReauthRequired):
		return "reauth_required"
	case errors.Is(err, provider.ErrRefused):
		return "refused"
	case errors.Is(err, provider.ErrUnsupported), errors.Is(err, errStillGood):
		return "unsupported"
	case errors.Is(err, provider.ErrUnavailable):
		return "unavailable"
	}
	return "failed"
}
