package handlers

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics is what we count.
type metrics struct {
	duration *prometheus.HistogramVec
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "linkgate_http_request_duration_seconds",
		Help:    "Time to answer a request, by method, route and status class.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
	}, []string{"method", "route", "status"})}
	if err := r.Register(m.duration); err != nil {
		return nil, fmt.Errorf("registering metrics: %w", err)
	}
	return m, nil
}

// series are a route's histograms by status class, looked up once: a look-up by labels for each
// request would cost more than all the rest that is done here.
type series [6]prometheus.Observer

func (m *metrics) series(method, route string) series {
	var s series
	for class := 1; class < len(s); class++ {
		s[class] = m.duration.WithLabelValues(method, route, fmt.Sprintf("%dxx", class))
	}
	return s
}

func (s series) observe(status int, elapsed time.Duration) {
	if class := status / 100; class >= 1 && class < len(s) {
		s[class].Observe(elapsed.Seconds())
	}
}
