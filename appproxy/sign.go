package appproxy

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"linkgate/secret"
)

// The signature's headers, in Go's canonical spelling.
const (
	idHeader        = "Webhook-Id"
	timestampHeader = "Webhook-Timestamp"
	signatureHeader = "Webhook-Signature"
)

const secretLeast = 24 // bytes, as Standard Webhooks has it

var errSecret = errors.New("the app's secret is not the base64 of 24 bytes or more")

// newWebhook reads the secret. A decoder's own words are left out.
func newWebhook(s secret.Text) (*standardwebhooks.Webhook, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(s.Reveal(), "whsec_"))
	if err != nil || len(key) < secretLeast {
		return nil, errSecret
	}
	return standardwebhooks.NewWebhookRaw(key)
}

// sign adds the signature of a request that is otherwise complete.
func (p *Proxy) sign(out *http.Request, user string, tokens []field) {
	id, now := "msg_"+rand.Text(), p.now()
	signature, _ := p.webhook.Sign(id, now, payload(out, user, tokens)) // it never fails: the key was read in New
	out.Header[idHeader] = []string{id}
	out.Header[timestampHeader] = []string{strconv.FormatInt(now.Unix(), 10)}
	out.Header[signatureHeader] = []string{signature}
}

// payload is what is signed; the package's documentation says it byte by byte.
func payload(out *http.Request, user string, tokens []field) []byte {
	lines := make([]string, 0, len(tokens))
	for _, f := range tokens {
		lines = append(lines, f.name+": "+f.value)
	}
	slices.Sort(lines)
	return []byte(strings.Join(append([]string{out.Method, out.URL.RequestURI(), user}, lines...), "\n"))
}
