package main

import (
	"net/url"
	"testing"

	"linkgate/provider"
)

// check reaches no further than a sign-in would, whatever the port.
func TestDialIsGuarded(t *testing.T) {
	for _, address := range []string{
		"http://127.0.0.1:9", "https://10.0.0.1", "https://169.254.169.254", "https://168.63.129.16", "http://168.63.129.16:32526", "https://[::1]:8443",
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if err := dial(t.Context(), u, false); !provider.IsPrivateAddress(err) {
			t.Errorf("%s: want it refused as private, got %v", address, err)
		}
	}
}
