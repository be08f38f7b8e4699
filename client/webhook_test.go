package client_test

import (
	"errors"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"linkgate/client"
)

const body = `{"id":"evt_1","sequence":7,"type":"component.stopped","timestamp":"2026-11-22T08:00:00Z",` +
	`"data":{"account_id":"acc_1","user_id":"u","auth_id":"a","component_id":"flow-7","reason":"unlinked","more":1}}`

// signed are the headers that the standard's own library makes.
func signed(t *testing.T, secret, id string, at time.Time, body string) http.Header {
	t.Helper()
	wh, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := wh.Sign(id, at, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return http.Header{"Webhook-Id": {id}, "Webhook-Timestamp": {strconv.FormatInt(at.Unix(), 10)}, "Webhook-Signature": {"v1,AAAA v1a,xx " + signature}}
}

func TestReadWebhook(t *testing.T) {
	const ours, another = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		e, err := client.ReadWebhook(signed(t, ours, "evt_1", now, body), []byte(body), another, ours)
		if err != nil || e.Sequence != 7 || e.Type != client.ComponentStopped || e.Data.ComponentID != "flow-7" || len(e.Data.Raw) == 0 {
			t.Fatalf("got %+v, %v", e, err)
		}
		for name, test := range map[string]struct {
			header  http.Header
			body    string
			secrets []string
		}{
			"another secret": {signed(t, another, "evt_1", now, body), body, []string{ours}},
			"another body":   {signed(t, ours, "evt_1", now, body), body + " ", []string{ours}},
			"another id":     {signed(t, ours, "evt_2", now, body), body, []string{ours}},
			"old":            {signed(t, ours, "evt_1", now.Add(-6*time.Minute), body), body, []string{ours}},
			"early":          {signed(t, ours, "evt_1", now.Add(6*time.Minute), body), body, []string{ours}},
			"no event":       {signed(t, ours, "evt_1", now, "x"), "x", []string{ours}},
			"no header":      {http.Header{}, body, []string{ours}},
			"no secret":      {signed(t, ours, "evt_1", now, body), body, nil},
		} {
			if e, err := client.ReadWebhook(test.header, []byte(test.body), test.secrets...); !errors.Is(err, client.ErrWebhook) {
				t.Errorf("%s: %+v, %v", name, e, err)
			}
		}
		if _, err := client.ReadWebhook(signed(t, ours, "evt_1", now, body), []byte(body), "!"); err == nil || errors.Is(err, client.ErrWebhook) {
			t.Errorf("a secret that is none: %v", err)
		}
	})
}
