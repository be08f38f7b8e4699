package provider

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"linkgate/secret"
)

// TestDialGuard asks the guard about addresses as the dialer would, without dialling.
func TestDialGuard(t *testing.T) {
	refused := []string{
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254",
		"169.254.0.1", "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.192",
		"192.0.2.1", "192.88.99.1", "192.168.0.1", "192.168.255.255", "198.18.0.1", "198.19.255.255", "198.51.100.7",
		"203.0.113.9", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "168.63.129.16",
		"::", "::1", "::2", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:8.8.8.8", "::ffff:0:127.0.0.1",
		"::127.0.0.1", "::7f00:1", "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b::808:808", "64:ff9b:1::a00:1", "64:ff9b:1:ffff::1",
		"100::1", "2001::1", "2001:0:7f00:1::", "2001:2::1", "2001:10::1", "2001:20::1", "2001:db8::1", "2002:7f00:1::", "2002:a00:1::",
		"2002:a9fe:a9fe::", "2002:808:808::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fdaa::3", "fe80::1", "fe80::1%eth0",
		"2606:4700:4700::1111%eth0", "fec0::1", "ff02::1", "ff05::1:3", "2620:4f:8000::1",
	}
	allowed := []string{"8.8.8.8", "1.1.1.1", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1", "192.167.1.1", "168.63.129.17", "2606:4700:4700::1111", "2a00:1450:4001:80e::200e"}
	check := func(address, port string) error {
		network := "tcp4"
		if netip.MustParseAddr(address).Is6() {
			network = "tcp6"
		}
		return NewDialer(false).Control(network, net.JoinHostPort(address, port), nil)
	}
	for _, address := range refused {
		if err := check(address, "443"); !IsPrivateAddress(err) {
			t.Errorf("%s: want it refused, got %v", address, err)
		}
	}
	for _, address := range allowed {
		for _, port := range []string{"443", "8443"} {
			if err := check(address, port); err != nil {
				t.Errorf("%s port %s: want it allowed, got %v", address, port, err)
			}
		}
	}
	if NewDialer(true).Control != nil {
		t.Error("with private networks allowed there is still a guard")
	}
}

// TestDialGuardSeesEveryAnswer: a name is no way round the guard, whichever of its addresses is
// tried. The DNS server and the service it points to are both on loopback.
func TestDialGuardSeesEveryAnswer(t *testing.T) {
	var accepted atomic.Int32
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			accepted.Add(1)
			conn.Close()
		}
	}()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	resolver := &net.Resolver{PreferGo: true, Dial: fakeDNS(t, map[string][]string{
		"loopback.example.": {"127.0.0.1"},
		"several.example.":  {"10.255.0.1", "127.0.0.1"},
		"mapped.example.":   {"::ffff:127.0.0.1"},
		"six.example.":      {"::1"},
	})}
	for _, name := range []string{"loopback.example", "several.example", "mapped.example", "six.example", "127.0.0.1", "::1", "::ffff:127.0.0.1"} {
		guarded := NewDialer(false)
		guarded.Resolver = resolver
		conn, err := guarded.DialContext(t.Context(), "tcp", net.JoinHostPort(name, port))
		if !IsPrivateAddress(err) {
			t.Errorf("%s: want it refused, got %v", name, err)
		}
		if err == nil {
			conn.Close()
		}
	}
	if got := accepted.Load(); got != 0 {
		t.Errorf("%d connections arrived on loopback, want none", got)
	}
	open := NewDialer(true) // shows that the names do lead there
	open.Resolver = resolver
	conn, err := open.DialContext(t.Context(), "tcp", net.JoinHostPort("loopback.example", port))
	if err != nil {
		t.Fatalf("without guard: %v", err)
	}
	conn.Close()
}

// fakeDNS answers a resolver's queries over a pipe.
func fakeDNS(t *testing.T, names map[string][]string) func(context.Context, string, string) (net.Conn, error) {
	return func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			defer ours.Close()
			length := make([]byte, 2) // a pipe is a stream, on which DNS messages carry their length
			for {
				if _, err := io.ReadFull(ours, length); err != nil {
					return
				}
				query := make([]byte, int(length[0])<<8|int(length[1]))
				if _, err := io.ReadFull(ours, query); err != nil {
					return
				}
				answer := answerDNS(t, query, names)
				if _, err := ours.Write(append([]byte{byte(len(answer) >> 8), byte(len(answer))}, answer...)); err != nil {
					return
				}
			}
		}()
		return theirs, nil
	}
}

func answerDNS(t *testing.T, query []byte, names map[string][]string) []byte {
	var message dnsmessage.Message
	if err := message.Unpack(query); err != nil {
		t.Error(err)
		return nil
	}
	message.Response, message.Additionals = true, nil
	question := message.Questions[0]
	for _, text := range names[question.Name.String()] {
		address := netip.MustParseAddr(text)
		header := dnsmessage.ResourceHeader{Name: question.Name, Type: question.Type, Class: question.Class, TTL: 1}
		switch {
		case question.Type == dnsmessage.TypeA && address.Is4():
			message.Answers = append(message.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: address.As4()}})
		case question.Type == dnsmessage.TypeAAAA && address.Is6():
			message.Answers = append(message.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: address.As16()}})
		}
	}
	packed, err := message.Pack()
	if err != nil {
		t.Error(err)
	}
	return packed
}

// TestGuardIsOn: with the zero Deps a provider reaches nothing on loopback, on any leg.
func TestGuardIsOn(t *testing.T) {
	s := newService(t)
	allowed := s.open(s.oauth2())
	attempt := s.begin(allowed)
	p, err := New(s.oauth2(), Deps{})
	if err != nil {
		t.Fatal(err)
	}
	q, err := New(s.oidc(), Deps{})
	if err != nil {
		t.Fatal(err)
	}
	_, exchange := p.Redirector.Exchange(t.Context(), attempt, Callback{Code: secret.New(theCode)})
	_, _, discovery := q.Redirector.Authorize(t.Context(), secret.New("state"), theRedirectURI)
	for leg, err := range map[string]error{
		"exchange":  exchange,
		"discovery": discovery,
		"revoke":    p.Revoker.Revoke(t.Context(), theCredential()),
	} {
		var failure *Error
		if !errors.As(err, &failure) || failure.Code != "address not allowed" {
			t.Errorf("%s: want the address refused, got %v", leg, err)
		}
	}
	if len(s.requests) != 0 {
		t.Errorf("requests arrived: %v", s.requests)
	}
}
