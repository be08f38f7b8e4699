package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWebhookMistakes(t *testing.T) {
	const private = "WEBHOOK_URL is an address of your own network, and ALLOW_PRIVATE_NETWORKS is not true"
	tests := []struct {
		name, url, secret, allow string
		want                     []string
	}{
		{name: "https with a path", url: "https://api.example.com/events", secret: "whsec_" + appSecret},
		{name: "two secrets", url: "https://api.example.com/events", secret: "whsec_" + appSecret + ", " + appSecret},
		{name: "own network, allowed", url: "http://backend:3000/events", secret: appSecret, allow: "true"},
		{name: "own network", url: "http://backend:3000/events", secret: appSecret, want: []string{private}},
		{name: "loopback", url: "http://127.0.0.1:3000", secret: appSecret, want: []string{private}},
		{name: "http", url: "http://api.example.com", secret: appSecret, want: []string{"WEBHOOK_URL is http to a host that does not look like your own network's"}},
		{name: "query", url: "https://api.example.com/?hunter2", secret: appSecret, want: []string{"WEBHOOK_URL has a query or fragment (? or #) in it"}},
		{name: "no secret", url: "https://api.example.com", want: []string{"WEBHOOK_SECRET is not set, though WEBHOOK_URL is"}},
		{name: "secret of words", url: "https://api.example.com", secret: "hunter2 hunter2 hunter2 hunter2", want: []string{"WEBHOOK_SECRET is not base64"}},
		{name: "second short", url: "https://api.example.com", secret: appSecret + ",AAEC", want: []string{"WEBHOOK_SECRET number 2 of 2 has 3 bytes, less than 24"}},
		{name: "comma too many", url: "https://api.example.com", secret: appSecret + ",", want: []string{"WEBHOOK_SECRET number 2 of 2 is empty"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := mistakesOf(t, source(map[string]string{"WEBHOOK_URL": tt.url, "WEBHOOK_SECRET": tt.secret, "ALLOW_PRIVATE_NETWORKS": tt.allow}, nil))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if strings.Contains(strings.Join(got, " "), "hunter2") {
				t.Error("a mistake shows what may be a secret")
			}
		})
	}
}
