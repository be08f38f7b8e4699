package retry_test

import (
	"math"
	"testing"
	"time"

	"linkgate/retry"
)

func TestAfter(t *testing.T) {
	const most = math.MaxInt64 - math.MaxInt64%time.Second // whole seconds
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	tests := map[string]struct {
		wait time.Duration
		told bool
	}{
		"":                                  {0, false},
		"0":                                 {0, true},
		"7":                                 {7 * time.Second, true},
		" 7 ":                               {7 * time.Second, true},
		"3600":                              {time.Hour, true},
		"4294967296":                        {4294967296 * time.Second, true},
		"9223372036":                        {most, true},
		"9223372037":                        {most, true},
		"9223372036854775807":               {most, true},
		"18446744073709551615":              {most, true},
		"99999999999999999999999":           {most, true},
		"-1":                                {0, false},
		"-9223372036854775808":              {0, false},
		"+7":                                {0, false},
		"1.5":                               {0, false},
		"1, 2":                              {0, false},
		"soon":                              {0, false},
		"Wed, 02 Jan 2030 03:05:05 GMT":     {time.Minute, true},
		"Wednesday, 02-Jan-30 03:04:14 GMT": {9 * time.Second, true}, // RFC 850
		"Wed Jan  2 03:04:14 2030":          {9 * time.Second, true}, // asctime
		"Wed, 02 Jan 2030 03:04:05 GMT":     {0, true},
		"Wed, 02 Jan 2020 03:04:05 GMT":     {0, true},
		"Thu, 03 Jan 2030 03:04:05 GMT":     {24 * time.Hour, true},
		"Fri, 31 Dec 9999 23:59:59 GMT":     {math.MaxInt64, true},
	}
	for value, want := range tests {
		if wait, told := retry.After(value, now); wait != want.wait || told != want.told {
			t.Errorf("After(%q): got %v, %v; want %v, %v", value, wait, told, want.wait, want.told)
		}
	}
}
