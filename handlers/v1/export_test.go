package v1

import "time"

// SetHeartbeat changes how often a stream that has nothing to say says so.
func (a *API) SetHeartbeat(d time.Duration) { a.beat = d }
