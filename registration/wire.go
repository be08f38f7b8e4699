package registration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"linkgate/provider"
	"linkgate/secret"
)

const (
	legTimeout = 10 * time.Second // a request with its whole answer
	maxAnswer  = 1 << 20          // bytes
)

// wire sends one request at a time: behind the dial guard, never redirected, never repeated.
type wire struct{ transport http.RoundTripper }

// request is what a dialect asks of a service.
type request struct {
	op      string // as in provider.Error
	method  string
	address string
	token   secret.Text // bearer (RFC 6750 §2.1); empty: none
	body    any         // JSON; nil: none
}

// answer is what a service said. Nothing in it may reach an error or a log.
type answer struct {
	status int
	body   []byte
}

// send walks one leg. It fails when there is no whole answer, or one that says by its status that it
// is none.
func (w wire) send(ctx context.Context, r request) (answer, error) {
	if !provider.IsSafeURL(r.address) {
		return answer{}, notVerified(r.op, "the address is not a safe URL", "The service has to give an https address.")
	}
	ctx, cancel := context.WithTimeout(ctx, legTimeout)
	defer cancel()
	req, err := r.prepare(ctx)
	if err != nil {
		return answer{}, err
	}
	res, err := w.transport.RoundTrip(req)
	if err != nil {
		return answer{}, unavailable(r.op, reason(err))
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch status := res.StatusCode; {
	case err != nil:
		return answer{}, unavailable(r.op, reason(err))
	case len(body) > maxAnswer:
		return answer{}, unavailable(r.op, "answer too long")
	case status >= 300 && status < 400, status >= 500, status == http.StatusTooManyRequests, status == http.StatusRequestTimeout:
		return answer{}, &Error{Cause: &provider.Error{Op: r.op, Kind: provider.ErrUnavailable, Status: status}}
	}
	return answer{status: res.StatusCode, body: body}, nil
}

func (r request) prepare(ctx context.Context) (*http.Request, error) {
	var body io.Reader
	if r.body != nil {
		encoded, err := json.Marshal(r.body)
		if err != nil {
			return nil, unavailable(r.op, "the request can't be written")
		}
		body = bytes.NewReader(encoded)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, r.address, body)
	if err != nil {
		return nil, unavailable(r.op, "the address is no URL")
	}
	req.GetBody = nil // so that net/http can't send it twice
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "linkgate")
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if !r.token.IsZero() {
		req.Header.Set("Authorization", "Bearer "+r.token.Reveal())
	}
	return req, nil
}

// reason says in our own words why there is no answer: the transport's can quote it.
func reason(err error) string {
	var timeout net.Error
	switch {
	case provider.IsPrivateAddress(err):
		return "address not allowed"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "timed out"
	default:
		return "connection broken"
	}
}
