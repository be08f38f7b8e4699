package demo

import (
	"crypto/rand"

	"linkgate/secret"
)

// random is fresh text of at least 128 bits, safe in YAML, headers and URLs.
func random() string { return rand.Text() }

func randomSecret() secret.Text { return secret.New(rand.Text() + rand.Text()) }
