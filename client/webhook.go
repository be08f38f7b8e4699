package client

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// ErrWebhook tells that a request is no event of Linkgate's, or an old one that somebody sends again.
var ErrWebhook = errors.New("not an event of Linkgate's")

// webhookAge is how old an event's signature may be, or how far ahead its clock (Standard Webhooks, "Verifying webhook
// authenticity").
const webhookAge = 5 * time.Minute

// ReadWebhook verifies a request to WEBHOOK_URL and reads its event: header and body are the request's, secrets are
// those of WEBHOOK_SECRET, whsec_…, of which one must fit (https://www.standardwebhooks.com). ErrWebhook: answer
// 400, and do nothing. An event may arrive twice: its ID tells.
func ReadWebhook(header http.Header, body []byte, secrets ...string) (Event, error) {
	return readWebhook(header, body, time.Now(), secrets)
}

func readWebhook(header http.Header, body []byte, now time.Time, secrets []string) (Event, error) {
	id, sent := header.Get("webhook-id"), header.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(sent, 10, 64)
	if id == "" || err != nil {
		return Event{}, fmt.Errorf("%w: webhook-id or webhook-timestamp is missing", ErrWebhook)
	}
	if age := now.Sub(time.Unix(seconds, 0)); age > webhookAge || age < -webhookAge {
		return Event{}, fmt.Errorf("%w: it was signed at another time than now", ErrWebhook)
	}
	isSigned, err := signedBy(secrets, id+"."+sent+".", body, strings.Fields(header.Get("webhook-signature")))
	if err != nil {
		return Event{}, err
	}
	var e Event
	switch {
	case !isSigned:
		return Event{}, fmt.Errorf("%w: no signature fits", ErrWebhook)
	case json.Unmarshal(body, &e) != nil || e.ID != id:
		return Event{}, fmt.Errorf("%w: the body is none", ErrWebhook)
	}
	return e, nil
}

// signedBy tells whether one of the signatures is by one of the secrets.
func signedBy(secrets []string, before string, body []byte, signatures []string) (bool, error) {
	for _, secret := range secrets {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
		if err != nil || len(key) == 0 {
			return false, errors.New("a secret of webhooks is not base64: whsec_… is needed, as WEBHOOK_SECRET has it")
		}
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(before))
		mac.Write(body)
		want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
		for _, got := range signatures {
			if hmac.Equal([]byte(got), []byte(want)) {
				return true, nil
			}
		}
	}
	return false, nil
}
