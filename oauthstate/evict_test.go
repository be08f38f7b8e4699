package oauthstate

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Too many answers, or too large ones, push out the oldest of their kind, and nothing else.
func TestEvict(t *testing.T) {
	for _, tt := range []struct {
		name        string
		most, bytes int
		want        string
	}{
		{"few", 20, 10_000, "0 1 2 3 4 5 6 7 8 9"},
		{"too many", 4, 10_000, "7 8 9"}, // and the claim
		{"too large", 20, 350, "8 9"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e, err := StartEmbedded()
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			set := func(key string, life time.Duration) {
				t.Helper()
				if err := e.Client.Set(t.Context(), key, strings.Repeat("a", 100), life).Err(); err != nil {
					t.Fatal(err)
				}
			}
			set(EvictedPrefix+"claim", time.Minute)
			set(key("session"), 2*time.Minute)
			for i := range 10 {
				set(fmt.Sprint(EvictedPrefix, i), time.Duration(i+1)*time.Hour)
			}
			e.evict(tt.most, tt.bytes)
			var left []string
			for _, key := range e.server.Keys() {
				if number := strings.TrimPrefix(key, EvictedPrefix); len(number) == 1 {
					left = append(left, number)
				}
			}
			if got := strings.Join(left, " "); got != tt.want {
				t.Errorf("left are %s, want %s", got, tt.want)
			}
			if !e.server.Exists(EvictedPrefix+"claim") || !e.server.Exists(key("session")) {
				t.Error("a claim or a session was given up")
			}
		})
	}
}
