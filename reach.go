package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"net"
	"net/url"
	"strings"
	"syscall"

	"github.com/redis/go-redis/v9"

	"linkgate/provider"
)

func reachRemedy(allowPrivate bool) string {
	const remedy = "Check the connection's addresses, and that this machine may reach them."
	if allowPrivate {
		return remedy
	}
	return remedy + " Private addresses need ALLOW_PRIVATE_NETWORKS=true."
}

// dial opens a connection as a sign-in would, behind the same guard.
func dial(ctx context.Context, u *url.URL, allowPrivate bool) error {
	dialer := provider.NewDialer(allowPrivate)
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	open := dialer.DialContext
	if u.Scheme == "https" {
		open = (&tls.Dialer{NetDialer: dialer, Config: &tls.Config{MinVersion: tls.VersionTLS12}}).DialContext
	}
	conn, err := open(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return err
	}
	return conn.Close()
}

// whyUnreachable words a failed connection in a way that shows no address and no password.
func whyUnreachable(err error) string {
	_, isName := errors.AsType[*net.DNSError](err)
	timeout, isNet := errors.AsType[net.Error](err)
	_, isCertificate := errors.AsType[*tls.CertificateVerificationError](err)
	_, isUnknownCA := errors.AsType[x509.UnknownAuthorityError](err)
	switch {
	case provider.IsPrivateAddress(err):
		return "its address is private"
	case errors.Is(err, context.DeadlineExceeded), isNet && timeout.Timeout():
		return "no answer in time"
	case isName:
		return "there is no host of that name"
	case isCertificate, isUnknownCA:
		return "its certificate is not trusted"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the connection was refused"
	case errors.Is(err, fs.ErrNotExist):
		return "there is no such socket"
	default:
		return "the connection failed"
	}
}

// whyRedis tells the word with which Redis refuses (WRONGPASS, LOADING), and leaves other failures
// to whyUnreachable. What follows the word can repeat a command, and AUTH has the password in it.
func whyRedis(err error) string {
	var refusal redis.Error
	if errors.As(err, &refusal) {
		word, _, _ := strings.Cut(refusal.Error(), " ")
		return "refuses: " + word
	}
	return whyUnreachable(err)
}
