package appproxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
)

// Why a request got no answer of the app. Every error of Serve wraps one of them, or is the context's.
var (
	ErrBadPath     = errors.New("the path can be read in more than one way")
	ErrBadRequest  = errors.New("the request can't be passed on as it came")
	ErrMethod      = errors.New("the method is not for the app")
	ErrUnavailable = errors.New("the app does not answer")
	ErrTimeout     = errors.New("the app has not begun to answer in time")
)

// Reasons in our own words: those of net/http can quote what has come, and tokens pass here.
var (
	errUpgrade    = errors.New("its Upgrade is not plain text")
	errStalled    = errors.New("the client stopped sending the body")
	errBodyEnds   = errors.New("the body ends before its end")
	errNotTrusted = errors.New("its certificate is not trusted")
	errBrokeOff   = errors.New("it broke the connection off, or what it says is not HTTP")
)

// fail keeps why there is no answer to pass on. httputil.ReverseProxy calls it before it has written
// anything.
func (t *passage) fail(_ http.ResponseWriter, r *http.Request, err error) {
	var network net.Error
	isTimeout := errors.As(err, &network) && network.Timeout()
	var dial *net.OpError
	var certificate *tls.CertificateVerificationError
	isDial := errors.As(err, &dial) && dial.Op == "dial"
	switch {
	case !t.sent:
		t.err = fmt.Errorf("%w: %w", ErrBadRequest, errUpgrade)
	case t.body != nil && t.body.broken() != nil:
		t.err = fmt.Errorf("%w: %w", ErrBadRequest, whyBroken(t.body.broken()))
	case errors.Is(r.Context().Err(), context.Canceled):
		t.err = fmt.Errorf("asking the app: %w", context.Canceled)
	case isDial: // an app that can't be connected to in time is down, too
		t.err = fmt.Errorf("%w: %w", ErrUnavailable, dial)
	case errors.As(err, &certificate):
		t.err = fmt.Errorf("%w: %w", ErrUnavailable, errNotTrusted)
	case isTimeout:
		t.err = ErrTimeout
	default:
		t.err = fmt.Errorf("%w: %w", ErrUnavailable, errBrokeOff)
	}
}

func whyBroken(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errStalled
	}
	return errBodyEnds
}
