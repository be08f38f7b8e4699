package provider

import (
	"encoding/json"
	"strconv"
	"testing"
	"time"
)

var expiryNow = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

// absurd are values that tell nothing, wherever they stand.
var absurd = []string{
	``, `null`, `0`, `-1`, `"0"`, `"-1"`, `""`, `" "`, `"soon"`, `true`, `[3600]`, `{}`, `{"s":3600}`,
	`1e18`, `"1e18"`, `1e400`, `-1e400`, `-1e18`, `-9.3e9`, `-9223372036854775808`, `9223372036854775807`, `9223372036854775808`, `99999999999999999999999999`,
	`"NaN"`, `"Inf"`, `"-Inf"`, `"2030"`, `"2030-01-02"`, `"02 Jan 30 04:04 UTC"`,
}

func TestExpiresIn(t *testing.T) {
	hour := expiryNow.Add(time.Hour)
	tests := map[string]time.Time{
		`3600`: hour, `"3600"`: hour, `" 3600 "`: hour, `3600.9`: hour, `3.6e3`: hour, `1`: expiryNow.Add(time.Second),
		`315360000`: expiryNow.Add(maxLifetime), `315360001`: {}, `18446748000`: {}, `-18446740000`: {}, `0.5`: {}, `"2030-01-02T04:04:05Z"`: {},
	}
	for _, text := range absurd {
		tests[text] = time.Time{}
	}
	delete(tests, `"2030"`) // seconds, here
	for text, want := range tests {
		answer := tokenAnswer{ExpiresIn: json.RawMessage(text)}
		if got := answer.expiry(expiryNow, 0); !got.Equal(want) {
			t.Errorf("expires_in %s: want %v, got %v", text, want, got)
		}
	}
}

// TestExpiryAsMoment reads expires_at and expires_on, which services spell in many ways.
func TestExpiryAsMoment(t *testing.T) {
	hour := expiryNow.Add(time.Hour)
	seconds, millis := strconv.FormatInt(hour.Unix(), 10), strconv.FormatInt(hour.UnixMilli(), 10)
	tests := map[string]time.Time{
		seconds: hour, `"` + seconds + `"`: hour, seconds + `.7`: hour, millis: hour, `"` + millis + `"`: hour,
		`"2030-01-02T04:04:05Z"`: hour, `"2030-01-02T05:04:05+01:00"`: hour, `"2030-01-02T04:04:05.25Z"`: hour.Add(250 * time.Millisecond),
		`"2030-01-02T03:04:05Z"`: {}, `"2030-01-02T03:04:04Z"`: {}, `"2020-01-02T04:04:05Z"`: {}, `"2041-01-02T04:04:05Z"`: {}, `"0001-01-01T00:00:00Z"`: {},
		`3600`: {}, `"3600"`: {}, strconv.FormatInt(expiryNow.Unix(), 10): {}, strconv.FormatInt(expiryNow.UnixMicro(), 10): {}, `99999999999`: {}, `100000000000`: {},
	}
	for _, text := range absurd {
		tests[text] = time.Time{}
	}
	for text, want := range tests {
		raw := json.RawMessage(text)
		for name, answer := range map[string]tokenAnswer{"expires_at": {ExpiresAt: raw}, "expires_on": {ExpiresOn: raw}} {
			if got := answer.expiry(expiryNow, 0); !got.Equal(want) {
				t.Errorf("%s %s: want %v, got %v", name, text, want, got)
			}
		}
	}
}

// TestWhichExpiryIsBelieved: the first that makes sense, then the connection's lifetime, then none.
func TestWhichExpiryIsBelieved(t *testing.T) {
	const lifetime = 42 * time.Minute
	in := func(d time.Duration) string {
		return strconv.FormatInt(expiryNow.Add(d).Unix(), 10)
	}
	tests := map[string]struct {
		answer   string
		lifetime time.Duration
		want     time.Duration // 0: none
	}{
		"all":                        {`{"expires_in":60,"expires_at":` + in(time.Hour) + `,"expires_on":` + in(2*time.Hour) + `}`, lifetime, time.Minute},
		"moments":                    {`{"expires_at":` + in(time.Hour) + `,"expires_on":` + in(2*time.Hour) + `}`, lifetime, time.Hour},
		"the last":                   {`{"expires_on":"` + in(2*time.Hour) + `"}`, lifetime, 2 * time.Hour},
		"expires_in absurd":          {`{"expires_in":1e18,"expires_at":` + in(time.Hour) + `}`, lifetime, time.Hour},
		"all absurd":                 {`{"expires_in":-1,"expires_at":0,"expires_on":"never"}`, lifetime, lifetime},
		"moment past":                {`{"expires_at":` + in(-time.Second) + `}`, lifetime, lifetime},
		"nothing, a lifetime":        {`{}`, lifetime, lifetime},
		"nothing at all":             {`{}`, 0, 0},
		"all absurd and no lifetime": {`{"expires_in":0,"expires_at":"x","expires_on":-7}`, 0, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var answer tokenAnswer
			if err := json.Unmarshal([]byte(test.answer), &answer); err != nil {
				t.Fatal(err)
			}
			var want time.Time
			if test.want > 0 {
				want = expiryNow.Add(test.want)
			}
			got := answer.credential(expiryNow, test.lifetime)
			if !got.ExpiresAt.Equal(want) {
				t.Errorf("want %v, got %v", want, got.ExpiresAt)
			}
			if !got.IssuedAt.Equal(expiryNow) {
				t.Errorf("issued at: want %v, got %v", expiryNow, got.IssuedAt)
			}
		})
	}
}

// FuzzExpiry: whatever a service says, a token's end is unknown, or ahead and within reason.
func FuzzExpiry(f *testing.F) {
	for _, seed := range append(absurd, `3600`, `1893553445`, `"2030-01-02T04:04:05Z"`, `0x1p10`, `1_000`) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		raw := json.RawMessage(text)
		for _, answer := range []tokenAnswer{{ExpiresIn: raw}, {ExpiresAt: raw}} {
			end := answer.expiry(expiryNow, 0)
			if !end.IsZero() && (!end.After(expiryNow) || end.After(expiryNow.Add(maxLifetime))) {
				t.Errorf("%q ends at %v", text, end)
			}
		}
	})
}
