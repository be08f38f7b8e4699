package call

import "time"

const (
	// A client that is waited for and sends nothing for stallTimeout, or takes nothing, is given up.
	stallTimeout = 30 * time.Second
	rearms       = 6 // deadlines are set anew at most so many times within that
)

// deadline holds a client to its progress, in one direction, in place of its server's time limit
// for the whole request.
type deadline struct {
	stall time.Duration // the time for each step
	armed time.Time     // when it was set
}

// arm gives a client the time for the next step, with set of an http.ResponseController. It is called
// before each, and costs next to nothing.
func (d *deadline) arm(now time.Time, set func(time.Time) error) {
	if now.Sub(d.armed) > d.stall/rearms {
		d.armed = now
		_ = set(now.Add(d.stall)) // a writer that has no deadlines needs none
	}
}
