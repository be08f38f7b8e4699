package call

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	duration *prometheus.HistogramVec
}

func newMetrics() *metrics {
	return &metrics{duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "linkgate_call_upstream_duration_seconds",
		Help:    "Time until a service began to answer a call, by auth id and status class; none is for no answer.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
	}, []string{"auth_id", "status"})}
}

// series are a connection's histograms by status class, looked up once. Class 0 is for no answer.
type series [6]prometheus.Observer

func (m *metrics) series(authID string) series {
	var s series
	s[0] = m.duration.WithLabelValues(authID, "none")
	for class := 1; class < len(s); class++ {
		s[class] = m.duration.WithLabelValues(authID, fmt.Sprintf("%dxx", class))
	}
	return s
}

// observe notes an attempt with its status, or 0 if there was no answer.
func (s *series) observe(status int, elapsed time.Duration) {
	if class := status / 100; class < len(s) {
		s[class].Observe(elapsed.Seconds())
	}
}
