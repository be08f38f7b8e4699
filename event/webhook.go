package event

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-resty/resty/v2"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"linkgate/outbox"
	"linkgate/provider"
	"linkgate/secret"
)

// Patience is how long an event is delivered: for three days, every half hour in the end.
func Patience() outbox.Patience {
	return outbox.Patience{GiveUpAfter: 3 * 24 * time.Hour, MaxBackoff: 30 * time.Minute}
}

// DefaultTimeout is how long the receiver may take to answer: less than outbox.HandlerTimeout.
const DefaultTimeout = 15 * time.Second

const (
	maxAnswer   = 64 << 10 // bytes; longer answers cost a connection
	secretLeast = 24       // bytes, as Standard Webhooks has it
)

// WebhookOptions is what a Webhook needs.
type WebhookOptions struct {
	URL string // WEBHOOK_URL
	// Secrets are base64 of 24 bytes or more, "whsec_" before it or not. Every event is signed with
	// each, so that one can be replaced by another while both are in use.
	Secrets []secret.Text
	Network provider.Deps    // AllowPrivateNetworks, RootCAs
	Timeout time.Duration    // zero: DefaultTimeout
	Now     func() time.Time // nil: time.Now
}

// Webhook delivers events as Standard Webhooks has it (https://www.standardwebhooks.com).
type Webhook struct {
	url     string
	signers []*standardwebhooks.Webhook
	client  *resty.Client
	now     func() time.Time
}

// NewWebhook makes a Webhook. It calls nobody. What is wrong with o is an error that quotes no secret.
func NewWebhook(o WebhookOptions) (*Webhook, error) {
	w := &Webhook{url: o.URL, now: o.Now}
	if len(o.Secrets) == 0 {
		return nil, errors.New("the webhook has no secret to sign with")
	}
	for i, s := range o.Secrets {
		secret, err := key(s)
		if err != nil {
			return nil, fmt.Errorf("secret %d of the webhook %w", i+1, err)
		}
		signer, _ := standardwebhooks.NewWebhookRaw(secret) // it never fails
		w.signers = append(w.signers, signer)
	}
	if w.now == nil {
		w.now = time.Now
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	w.client = newResty(o)
	return w, nil
}

func newResty(o WebhookOptions) *resty.Client {
	client := &http.Client{
		Transport: provider.NewTransport(o.Network),
		Timeout:   o.Timeout,
		// A redirect is an answer: who may send ours on could send it anywhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return resty.NewWithClient(client).
		SetHeader("User-Agent", "linkgate").
		SetHeader("Content-Type", "application/json").
		SetDoNotParseResponse(true).
		SetDisableWarn(true)
}

// key reads a secret of Standard Webhooks. Its error says what is wrong with "it", without quoting it.
func key(s secret.Text) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(s.Reveal(), "whsec_"))
	switch {
	case err != nil:
		return nil, errors.New("is not base64") // the decoder's own words quote a byte of it
	case len(key) < secretLeast:
		return nil, fmt.Errorf("has %d bytes, less than %d", len(key), secretLeast)
	}
	return key, nil
}

// Deliver is the outbox.Handler of Kind: one POST. 2xx is done; for anything else the receiver is
// asked again, no earlier than a Retry-After says.
func (w *Webhook) Deliver(ctx context.Context, m outbox.Message) error {
	answer, err := w.client.R().SetContext(ctx).SetHeaders(w.sign(m)).SetBody(m.Payload).Post(w.url)
	if err != nil {
		return fmt.Errorf("the webhook can't be reached: %s", provider.Reason(err))
	}
	// What it says beside the status is nothing to us, but read, so that the connection can be used again.
	_, _ = io.CopyN(io.Discard, answer.RawBody(), maxAnswer)
	_ = answer.RawBody().Close()
	if answer.IsSuccess() {
		return nil
	}
	err = fmt.Errorf("the webhook answered %d", answer.StatusCode())
	return outbox.Later(err, provider.RetryAfter(answer.Header().Get("Retry-After"), w.now()))
}

// sign makes the headers of one attempt.
func (w *Webhook) sign(m outbox.Message) map[string]string {
	now := w.now()
	signatures := make([]string, 0, len(w.signers))
	for _, signer := range w.signers {
		signature, _ := signer.Sign(m.ID, now, m.Payload) // it never fails
		signatures = append(signatures, signature)
	}
	return map[string]string{
		standardwebhooks.HeaderWebhookID:        m.ID,
		standardwebhooks.HeaderWebhookTimestamp: strconv.FormatInt(now.Unix(), 10),
		standardwebhooks.HeaderWebhookSignature: strings.Join(signatures, " "),
	}
}

// Undeliverable is the outbox.Handler of Kind where there is no webhook any more.
func Undeliverable(context.Context, outbox.Message) error {
	return errors.New("WEBHOOK_URL is not set: there is nobody to deliver events to")
}
