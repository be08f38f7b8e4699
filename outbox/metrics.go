package outbox

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	scrapeTimeout = 2 * time.Second
	statsLifetime = 5 * time.Second // however many scrape, and however often
)

// collector shows Stats to Prometheus. What can't be had is left out: a gap is told from a zero.
type collector struct {
	box                   *Box
	pending, dead, oldest *prometheus.Desc

	mu      sync.Mutex
	counted time.Time
	stats   Stats
	err     error // of the latest count; it lasts as long as the stats would
}

// Collector is the outbox's part of /metrics.
func (b *Box) Collector() prometheus.Collector {
	kind := []string{"kind"}
	return &collector{
		box:     b,
		pending: prometheus.NewDesc("linkgate_outbox_pending", "Promises to the host and to services still to be kept, dead letters apart.", kind, nil),
		dead:    prometheus.NewDesc("linkgate_outbox_dead_letters", "Promises given up: nobody tries them any more until an operator does.", kind, nil),
		oldest:  prometheus.NewDesc("linkgate_outbox_oldest_pending_seconds", "Age of the oldest promise still to be kept; 0 when there is none.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(descs chan<- *prometheus.Desc) {
	descs <- c.pending
	descs <- c.dead
	descs <- c.oldest
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(metrics chan<- prometheus.Metric) {
	stats, err := c.latest()
	if err != nil {
		return
	}
	metrics <- prometheus.MustNewConstMetric(c.oldest, prometheus.GaugeValue, stats.OldestPending.Seconds())
	for desc, counts := range map[*prometheus.Desc]map[string]int64{c.pending: stats.Pending, c.dead: stats.Dead} {
		for kind := range c.box.Handlers { // so that an alert sees them fall to zero
			if _, ok := counts[kind]; !ok {
				metrics <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, 0, kind)
			}
		}
		for kind, n := range counts {
			metrics <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(n), kind)
		}
	}
}

func (c *collector) latest() (Stats, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.counted.IsZero() && time.Since(c.counted) < statsLifetime {
		return c.stats, c.err
	}
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	c.stats, c.err = c.box.Stats(ctx)
	c.counted = time.Now()
	return c.stats, c.err
}
