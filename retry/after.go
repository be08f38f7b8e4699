// Package retry is about doing again what has not worked: After reads when a server wants to be asked
// again, and Persist tries until it works. How long somebody waits at most is the caller's to say.
package retry

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const mostSeconds = math.MaxInt64 / uint64(time.Second) // that fit into a Duration

// After reads the value of a Retry-After header (RFC 9110 §10.2.3), seconds or a date. What it says is
// at least 0 and has no upper bound but Duration's; told is false, and wait 0, where it says nothing.
func After(value string, now time.Time) (wait time.Duration, told bool) {
	value = strings.TrimSpace(value)
	if date, err := http.ParseTime(value); err == nil {
		return max(date.Sub(now), 0), true
	}
	seconds, err := strconv.ParseUint(value, 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) { // out of range it is the largest
		return 0, false
	}
	return time.Duration(min(seconds, mostSeconds)) * time.Second, true
}
