package provider

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/sync/singleflight"
)

const (
	discoveryTTL = time.Hour
	failureTTL   = time.Second // long enough to spare a service that is down, too short to be noticed
)

// metadata is what an OpenID provider publishes about itself (OpenID Connect Discovery §3).
type metadata struct {
	Issuer                string `json:"issuer"`
	AuthorizationEndpoint string `json:"authorization_endpoint"`
	TokenEndpoint         string `json:"token_endpoint"`
	JWKSURI               string `json:"jwks_uri"`
	RegistrationEndpoint  string `json:"registration_endpoint"`
	UserinfoEndpoint      string `json:"userinfo_endpoint"`
	RevocationEndpoint    string `json:"revocation_endpoint"`                   // RFC 8414 §2
	DeviceEndpoint        string `json:"device_authorization_endpoint"`         // RFC 8628 §4
	PushEndpoint          string `json:"pushed_authorization_request_endpoint"` // RFC 9126 §5
	PushRequired          bool   `json:"require_pushed_authorization_requests"`
	IssuerPromised        bool   `json:"authorization_response_iss_parameter_supported"` // RFC 9207 §3

	keys oidc.KeySet
}

func (m *metadata) endpoints() endpoints {
	return endpoints{
		issuer:         m.Issuer,
		authorize:      m.AuthorizationEndpoint,
		token:          m.TokenEndpoint,
		issuerPromised: m.IssuerPromised,
	}
}

// discovery keeps what one issuer publishes: read when first needed, once for all who wait, and
// again after discoveryTTL. A failure is kept for failureTTL only.
type discovery struct {
	fetch func(context.Context) (*metadata, error)
	now   func() time.Time

	flight singleflight.Group
	mu     sync.Mutex // guards the rest
	kept   fetched
	until  time.Time // of kept; zero: nothing is
}

// fetched is how a fetch ended.
type fetched struct {
	metadata *metadata
	err      error
}

func newDiscovery(c *client, issuer string) *discovery {
	return &discovery{
		fetch: func(ctx context.Context) (*metadata, error) { return fetchMetadata(ctx, c, issuer) },
		now:   c.now,
	}
}

// get returns the metadata. A caller that gives up stops waiting; the work goes on for the others.
func (d *discovery) get(ctx context.Context) (*metadata, error) {
	if f, ok := d.recall(); ok {
		return f.metadata, f.err
	}
	landed := d.flight.DoChan("", func() (any, error) {
		f, ok := d.recall()
		if !ok { // else a flight landed between the recall above and DoChan
			f.metadata, f.err = d.fetch(context.WithoutCancel(ctx))
			d.keep(f)
		}
		return f, nil
	})
	select {
	case <-ctx.Done():
		return nil, unreachable(ctx, opDiscover, ctx.Err())
	case result := <-landed:
		f, _ := result.Val.(fetched)
		return f.metadata, f.err
	}
}

func (d *discovery) recall() (fetched, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.kept, d.now().Before(d.until)
}

func (d *discovery) keep(f fetched) {
	d.mu.Lock()
	defer d.mu.Unlock()
	ttl := discoveryTTL
	if f.err != nil {
		ttl = failureTTL
	}
	d.kept, d.until = f, d.now().Add(ttl)
}

// token finds the token endpoint.
func (d *discovery) token(ctx context.Context) (string, error) {
	m, err := d.get(ctx)
	if err != nil {
		return "", err
	}
	return m.TokenEndpoint, nil
}

// revocation finds the revocation endpoint: the configured one, else the published one.
func (d *discovery) revocation(configured string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		if configured != "" {
			return configured, nil
		}
		m, err := d.get(ctx)
		if err != nil {
			return "", err
		}
		return m.RevocationEndpoint, nil
	}
}

const opDiscover = "reading the discovery document"

// fetchMetadata reads and checks the discovery document (OpenID Connect Discovery §4).
func fetchMetadata(ctx context.Context, c *client, issuer string) (*metadata, error) {
	m := new(metadata)
	address := strings.TrimSuffix(issuer, "/") + "/.well-known/openid-configuration"
	if err := c.getJSON(ctx, opDiscover, address, nil, m); err != nil {
		return nil, err
	}
	if m.Issuer != issuer {
		return nil, &Error{Op: opDiscover, Kind: ErrNotVerified, Code: "issuer is another's"}
	}
	if err := checkEndpoints(m); err != nil {
		return nil, err
	}
	keys := &http.Client{Transport: jsonTransport{client: c}}
	// Not ctx: the keys outlive this call.
	m.keys = oidc.NewRemoteKeySet(oidc.ClientContext(context.Background(), keys), m.JWKSURI)
	return m, nil
}

// checkEndpoints holds each published address to the rules for configured ones. Plain http is only
// for an issuer that is itself on loopback without TLS, as in a demonstration.
func checkEndpoints(m *metadata) error {
	required := []string{m.AuthorizationEndpoint, m.TokenEndpoint, m.JWKSURI}
	optional := []string{m.UserinfoEndpoint, m.RevocationEndpoint, m.PushEndpoint}
	for i, address := range append(required, optional...) {
		if address == "" && i >= len(required) {
			continue
		}
		if urlMistake(address) != "" || (isHTTPS(m.Issuer) && !isHTTPS(address)) {
			return &Error{Op: opDiscover, Kind: ErrNotVerified, Code: "an endpoint is missing or not a safe URL"}
		}
	}
	return nil
}
