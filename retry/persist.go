package retry

import (
	"context"
	"errors"
	"slices"
	"time"
)

const (
	firstPause   = 50 * time.Millisecond
	longestPause = time.Second
)

// Persist tries, at least once, until it works, ctx ends, or the error is one of hopeless, which trying
// again can't mend. The pauses double, up to a second. It returns the last error.
func Persist(ctx context.Context, try func() error, hopeless ...error) error {
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		err := try()
		if err == nil || slices.ContainsFunc(hopeless, func(h error) bool { return errors.Is(err, h) }) {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return err
		}
	}
}
