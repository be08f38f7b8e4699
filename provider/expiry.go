package provider

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

const (
	// maxLifetime is the longest life of a token that is believed. Longer means as much as none.
	maxLifetime = 10 * 365 * 24 * time.Hour
	// firstMillis is in the year 5138 as seconds, and in 1973 as milliseconds: from here on a moment
	// is given in milliseconds.
	firstMillis = 100_000_000_000
)

// expiry is when the access token ends: as the service says, in seconds from now (RFC 6749 §5.1) or
// as a moment; else after the lifetime that the connection states. It is zero when there is nothing
// to believe.
func (t tokenAnswer) expiry(now time.Time, lifetime time.Duration) time.Time {
	said := []time.Time{after(t.ExpiresIn, now), moment(t.ExpiresAt), moment(t.ExpiresOn)}
	for _, end := range said {
		if life := end.Sub(now); life > 0 && life <= maxLifetime {
			return end.UTC()
		}
	}
	if lifetime > 0 {
		return now.Add(lifetime).UTC()
	}
	return time.Time{}
}

// after reads a number of seconds from now, in quotes or not; zero: there is none.
func after(raw json.RawMessage, now time.Time) time.Time {
	seconds, err := strconv.ParseFloat(plain(raw), 64)
	if err == nil && seconds > 0 && seconds <= maxLifetime.Seconds() {
		return now.Add(time.Duration(seconds) * time.Second)
	}
	return time.Time{}
}

// moment reads a point in time: seconds or milliseconds since 1970, in quotes or not, or RFC 3339;
// zero: there is none.
func moment(raw json.RawMessage) time.Time {
	text := plain(raw)
	if date, err := time.Parse(time.RFC3339, text); err == nil {
		return date
	}
	whole, _, _ := strings.Cut(text, ".")
	number, err := strconv.ParseInt(whole, 10, 64)
	switch {
	case err != nil:
		return time.Time{}
	case number < firstMillis:
		return time.Unix(number, 0)
	default:
		return time.UnixMilli(number)
	}
}

// plain is a JSON string's content, or what else stands there as it is.
func plain(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		text = string(raw)
	}
	return strings.TrimSpace(text)
}
