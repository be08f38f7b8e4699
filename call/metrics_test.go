package call

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

// TestMetrics: each attempt counts, under what came of it.
func TestMetrics(t *testing.T) {
	w := newWorld(t, strict(newToken, func(arrival) {}), nil)
	w.tokens.rejected = renews
	if _, err := w.call(t.Context(), "GET", "/", ""); err != nil {
		t.Fatal(err)
	}
	w.service.CloseClientConnections()
	w.service.Close()
	if _, err := w.call(t.Context(), "POST", "/", "body"); err == nil {
		t.Fatal("a closed service answers")
	}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(w.proxy.Collector())
	families, err := registry.Gather()
	if err != nil || len(families) != 1 {
		t.Fatalf("got %d families and %v", len(families), err)
	}
	got := map[string]uint64{}
	for _, m := range families[0].GetMetric() {
		labels := m.GetLabel()
		if labels[0].GetValue() != theAuthID {
			t.Errorf("got auth_id %q", labels[0].GetValue())
		}
		got[labels[1].GetValue()] = m.GetHistogram().GetSampleCount()
	}
	want := map[string]uint64{"none": 1, "1xx": 0, "2xx": 1, "3xx": 0, "4xx": 1, "5xx": 0}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", families[0].GetName(), diff)
	}
}
