package v1

import (
	"context"
	"crypto/sha256"
	"net/http"
	"unicode"

	"linkgate/idempotency"
)

// onceOnly answers a request. A POST with an Idempotency-Key is answered from what was kept, if it was
// answered before; it is refused if that was another request, or is still being worked on. What fails
// is not kept: it has done nothing, and may be tried again. Neither is a credential.
func (a *API) onceOnly(r *request, l line) error {
	key, err := idempotencyKey(r)
	if err != nil {
		return err
	}
	if key == "" {
		return answerNow(r, l)
	}
	ctx := r.Request().Context()
	claim, kept, err := a.Once.Begin(ctx, r.key.ID, key, fingerprint(r))
	if err != nil {
		return err
	}
	switch {
	case kept != nil && kept.Status == 0: // it was done before, and had an answer that is not kept
		return answerNow(r, l)
	case kept != nil:
		r.Response().Header().Set("Idempotency-Replayed", "true")
		return rendered{status: kept.Status, header: kept.Header, body: kept.Body}.write(r)
	}
	answered, err := perform(r, l)
	if err != nil {
		a.release(ctx, claim)
		return err
	}
	if err := claim.Keep(ctx, answered.kept()); err != nil {
		a.Log.WarnContext(ctx, "a request was done, and its answer not kept for those who repeat it", "error", err)
	}
	return answered.write(r)
}

// release has no say in what the caller is told: a claim that can't be released ends by itself, soon.
func (a *API) release(ctx context.Context, claim idempotency.Claim) {
	if err := claim.Release(ctx); err != nil {
		a.Log.WarnContext(ctx, "a request has failed, and can't be tried again with its Idempotency-Key for a minute", "error", err)
	}
}

// kept is what others find of an answer: nothing of one with a credential, which would outlive the
// account's in Redis when the user disconnects.
func (r rendered) kept() idempotency.Answer {
	if r.unkept {
		return idempotency.Answer{}
	}
	return idempotency.Answer{Status: r.status, Header: r.header, Body: r.body}
}

func answerNow(r *request, l line) error {
	answered, err := perform(r, l)
	if err != nil {
		return err
	}
	return answered.write(r)
}

func perform(r *request, l line) (rendered, error) {
	if err := l.bind(r); err != nil {
		return rendered{}, err
	}
	answered, err := l.answers(r)
	if err != nil {
		return rendered{}, err
	}
	return answered.render()
}

const longestIdempotencyKey = 255 // characters, as is usual

// idempotencyKey is the one that a POST has; empty: none. Other methods can be repeated without.
func idempotencyKey(r *request) (string, error) {
	const name = "Idempotency-Key"
	values := r.Request().Header[name]
	if len(values) == 0 || r.Request().Method != http.MethodPost {
		return "", nil
	}
	if len(values) > 1 || values[0] == "" || len(values[0]) > longestIdempotencyKey {
		return "", invalid(name, "it may come once, with 1 to %d characters", longestIdempotencyKey)
	}
	for _, c := range values[0] {
		if !unicode.IsPrint(c) {
			return "", invalid(name, "it may have visible characters only")
		}
	}
	return values[0], nil
}

// fingerprint tells one request from another.
func fingerprint(r *request) []byte {
	h := sha256.New()
	for _, part := range [][]byte{[]byte(r.Request().Method), []byte(r.Request().URL.RequestURI()), r.body} {
		sum := sha256.Sum256(part)
		h.Write(sum[:])
	}
	return h.Sum(nil)
}
