package retry_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"linkgate/retry"
)

// TestPersist: time is a bubble's. The tries of 3 s are at 0, 50, 150, 350, 750, 1550 and 2550 ms.
func TestPersist(t *testing.T) {
	weather, gone, taken := errors.New("weather"), errors.New("gone"), errors.New("taken")
	tests := map[string]struct {
		answers []error // one after the other; the last stays
		within  time.Duration
		want    error
		tries   int
	}{
		"at once":           {[]error{nil}, time.Minute, nil, 1},
		"at last":           {[]error{weather, weather, weather, nil}, time.Minute, nil, 4},
		"hopeless":          {[]error{gone}, time.Minute, gone, 1},
		"hopeless, wrapped": {[]error{weather, fmt.Errorf("trying: %w", taken), nil}, time.Minute, taken, 2},
		"the time is over":  {[]error{weather}, 3 * time.Second, weather, 7},
		"no time at all":    {[]error{weather, nil}, 0, weather, 1},
		"works without":     {[]error{nil}, 0, nil, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), test.within)
				defer cancel()
				tries := 0
				err := retry.Persist(ctx, func() error {
					tries++
					return test.answers[min(tries, len(test.answers))-1]
				}, gone, taken)
				if !errors.Is(err, test.want) || tries != test.tries {
					t.Errorf("got %v after %d tries, want %v after %d", err, tries, test.want, test.tries)
				}
			})
		})
	}
}
