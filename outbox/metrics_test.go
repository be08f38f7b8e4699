package outbox

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"

	"linkgate/database"
	"linkgate/database/databasetest"
	"linkgate/secret"
	"linkgate/testservers"
)

func newCollector(t *testing.T, db *database.DB) *collector {
	t.Helper()
	handlers := make(map[string]Handler)
	for _, kind := range []string{"k", "k2"} {
		handlers[kind] = func(context.Context, Message) error { return nil }
	}
	c, ok := (&Box{DB: db, Handlers: handlers}).Collector().(*collector)
	if !ok {
		t.Fatal("another type of collector")
	}
	return c
}

func TestCollector(t *testing.T) {
	db := databasetest.Open(t, database.Options{DataDir: t.TempDir()})
	for id, m := range map[string]struct {
		kind   string
		deadAt int64
	}{"m1": {"k", 0}, "m2": {"k", 5}, "m3": {"old", 0}} {
		_, err := db.ExecContext(t.Context(), `INSERT INTO outbox (id, kind, dead_at, created_at, account_id, payload, attempts, due_at,
			lease_until, lease_owner, last_error, dropped_at) VALUES ($1, $2, $3, 1, '', '', 0, 0, 0, '', '', 0)`, id, m.kind, m.deadAt)
		if err != nil {
			t.Fatal(err)
		}
	}
	c := newCollector(t, db)
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(c)
	want := map[string]float64{
		"linkgate_outbox_pending k": 1, "linkgate_outbox_pending k2": 0, "linkgate_outbox_pending old": 1,
		"linkgate_outbox_dead_letters k": 1, "linkgate_outbox_dead_letters k2": 0,
		"linkgate_outbox_oldest_pending_seconds": time.Since(time.UnixMilli(1)).Seconds(),
	}
	roughly := cmpopts.EquateApprox(0.01, 0)
	for range 2 { // the second time from what was counted before
		if diff := cmp.Diff(want, gathered(t, r), roughly); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if _, err := db.ExecContext(t.Context(), "DELETE FROM outbox"); err != nil {
			t.Fatal(err)
		}
	}
	c.counted = c.counted.Add(-statsLifetime)
	delete(want, "linkgate_outbox_pending old")
	for name := range want {
		want[name] = 0
	}
	if diff := cmp.Diff(want, gathered(t, r), roughly); diff != "" {
		t.Errorf("after the stats have aged (-want +got):\n%s", diff)
	}
}

// gathered is the value of each gauge by its name and kind.
func gathered(t *testing.T, r *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Error(err)
	}
	values := make(map[string]float64)
	for _, family := range families {
		for _, m := range family.GetMetric() {
			name := family.GetName()
			for _, label := range m.GetLabel() {
				name += " " + label.GetValue()
			}
			values[name] = m.GetGauge().GetValue()
		}
	}
	return values
}

// A scrape neither hangs with the database nor shows zeros that nobody has counted.
func TestCollectorWhenTheDatabaseHangs(t *testing.T) {
	t.Parallel() // it waits for the deadline
	proxy := testservers.Proxy(t, testservers.Postgres(t))
	db := databasetest.Open(t, database.Options{URL: secret.New(proxy.URL())})
	r := prometheus.NewRegistry()
	c := newCollector(t, db)
	r.MustRegister(c)
	proxy.Hang()
	var asked time.Time
	for i := range 2 {
		if got := gathered(t, r); len(got) != 0 {
			t.Errorf("got %v, want nothing", got)
		}
		if i > 0 && c.counted != asked {
			t.Error("it asks for each scrape")
		}
		asked = c.counted
	}
	proxy.Restore()
	c.counted = c.counted.Add(-statsLifetime)
	if got := gathered(t, r); len(got) != 5 {
		t.Errorf("after the outage: %v, want five figures", got)
	}
}
