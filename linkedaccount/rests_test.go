package linkedaccount

import (
	"testing"
	"time"

	"linkgate/provider"
)

// TestRestOf: it doubles up to a minute, and is not the same for everybody; else it is what the
// service asks for, and where the operator must look what an operator takes.
func TestRestOf(t *testing.T) {
	for _, test := range []struct {
		name     string
		err      error
		failures int
		from, to time.Duration
	}{
		{"the first", weather(0), 1, restFirst / 2, restFirst},
		{"the second", weather(0), 2, restFirst, 2 * restFirst},
		{"the fourth", weather(0), 4, 4 * restFirst, 8 * restFirst},
		{"the eleventh", weather(0), 11, restMost / 2, restMost},
		{"one of very many", weather(0), 1000, restMost / 2, restMost},
		{"a token that is still good", errStillGood, 1, restFirst / 2, restFirst},
		{"the service asks for more", weather(time.Hour), 1, time.Hour, time.Hour},
		{"refused", &provider.Error{Kind: provider.ErrRefused, RetryAfter: time.Second}, 1, restOperator, restOperator},
	} {
		first, spread := restOf(test.err, test.failures), false
		for range 200 {
			got := restOf(test.err, test.failures)
			spread = spread || got != first
			if got < test.from || got > test.to {
				t.Fatalf("%s: got %v, want %v to %v", test.name, got, test.from, test.to)
			}
		}
		if want := test.from != test.to; spread != want {
			t.Errorf("%s: spread %v, want %v", test.name, spread, want)
		}
	}
}

// TestRestsGrow with each failure in a row, and begin anew after a success.
func TestRestsGrow(t *testing.T) {
	r, now := newRests(), time.Now()
	t.Cleanup(func() { r.accounts.StopAllGoroutines() })
	var pause time.Duration
	for range 8 {
		pause = r.put("acc_1", weather(0), now)
	}
	if pause < restMost/2 {
		t.Errorf("after eight failures it rests for %v, want at least %v", pause, restMost/2)
	}
	if r.of("acc_1", now.Add(pause-1)) == nil || r.of("acc_1", now.Add(pause)) != nil || r.of("acc_2", now) != nil {
		t.Error("it does not rest for as long as was told, or another does")
	}
	r.clear("acc_1")
	if r.of("acc_1", now) != nil {
		t.Error("it rests after a success")
	}
	if pause = r.put("acc_1", weather(0), now); pause > restFirst {
		t.Errorf("the first failure after a success has it rest for %v, want %v at most", pause, restFirst)
	}
}
