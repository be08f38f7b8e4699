package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Client calls one Linkgate with one API key.
type Client struct {
	base      string // without a slash at the end
	authorize func(http.Header)
	http      *http.Client
	patience  time.Duration
	userAgent string
}

// Option changes a client that is being made.
type Option func(*Client)

// WithHTTPClient has requests sent by h, whose redirects are not followed. Its Timeout must be longer than
// the longest wait of AwaitSession, a minute, and than what FollowSession lasts; none is best.
func WithHTTPClient(h *http.Client) Option {
	return func(c *Client) {
		own := *h
		c.http = &own
	}
}

// WithPatience sets for how long a request is repeated, in all, when Linkgate asks to come back or
// can't be reached; 0: never. The default is 30 seconds. A context that ends sooner ends it sooner.
func WithPatience(d time.Duration) Option { return func(c *Client) { c.patience = d } }

// WithUserAgent sets the User-Agent.
func WithUserAgent(name string) Option { return func(c *Client) { c.userAgent = name } }

// Defaults, and bounds of what an answer may be.
const (
	defaultPatience = 30 * time.Second
	firstByte       = 2 * time.Minute // an import may wait for a slow service
	connections     = 64              // kept open to one Linkgate
	longestAnswer   = 32 << 20        // bytes
)

// New makes a client of the Linkgate at baseURL, such as https://connect.example.com, with an API key
// as `linkgate apikeys new` prints it. Nothing is sent.
func New(baseURL, key string, options ...Option) (*Client, error) {
	base, err := url.Parse(baseURL)
	switch {
	case err != nil: // which may quote a password
		return nil, errors.New("the address of Linkgate is malformed")
	case base.Scheme != "https" && base.Scheme != "http", base.Host == "":
		return nil, errors.New("the address of Linkgate is not one: something like https://connect.example.com is needed")
	case base.User != nil, base.RawQuery != "", base.Fragment != "":
		return nil, errors.New("the address of Linkgate may have no user, query or fragment")
	}
	if key == "" || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("the API key is empty, or has characters that no key has")
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ResponseHeaderTimeout = firstByte
	transport.MaxIdleConnsPerHost = connections
	c := &Client{
		base:     strings.TrimRight(baseURL, "/"),
		http:     &http.Client{Transport: transport},
		patience: defaultPatience, userAgent: "linkgate-go",
		// A function, so that who prints a client sees an address.
		authorize: func(h http.Header) { h.Set("Authorization", "Bearer "+key) },
	}
	for _, option := range options {
		option(c)
	}
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c, nil
}

// operation is one request of the API.
type operation struct {
	method string
	path   string // from /v1, escaped
	query  url.Values
	header http.Header // may be nil
	body   any         // JSON; nil: none
	once   string      // Idempotency-Key; empty: none
	// isRepeatable: to do it twice is the same as once.
	isRepeatable bool
}

// changing is a POST that is done once however often it is sent. key may be empty: one is drawn.
func changing(path string, body any, key string) operation {
	if key == "" {
		key = rand.Text()
	}
	return operation{method: http.MethodPost, path: path, body: body, once: key, isRepeatable: true}
}

func reading(path string, query url.Values) operation {
	return operation{method: http.MethodGet, path: path, query: query, isRepeatable: true}
}

// do sends o, repeats it as far as that is right, and reads the answer into what into points at.
func (c *Client) do(ctx context.Context, o operation, into any) (http.Header, int, error) {
	answer, err := c.send(ctx, o)
	if err != nil {
		return nil, 0, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, longestAnswer))
	if err != nil {
		return nil, 0, fmt.Errorf("reading Linkgate's answer to %s %s: %w", o.method, o.path, err)
	}
	if into == nil {
		return answer.Header, answer.StatusCode, nil
	}
	if err := json.Unmarshal(body, into); err != nil {
		return nil, 0, fmt.Errorf("what answers %s %s is not Linkgate's accounts API: %w", o.method, o.path, unquoted(err))
	}
	return answer.Header, answer.StatusCode, nil
}

// unquoted is a JSON error without a value in it.
func unquoted(err error) error {
	if kind, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("%q is of another kind than it should be", kind.Field)
	}
	return errors.New("its answer is not JSON")
}

// request makes a new request of o each time it is sent.
func (c *Client) request(ctx context.Context, o operation, body []byte) (*http.Request, error) {
	address := c.base + o.path
	if len(o.query) > 0 {
		address += "?" + o.query.Encode()
	}
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	r, err := http.NewRequestWithContext(ctx, o.method, address, reader)
	if err != nil {
		return nil, fmt.Errorf("making a request: %w", err)
	}
	for name, values := range o.header {
		r.Header[name] = values
	}
	c.authorize(r.Header)
	r.Header.Set("User-Agent", c.userAgent)
	if r.Header.Get("Accept") == "" {
		r.Header.Set("Accept", "application/json")
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if o.once != "" {
		r.Header.Set("Idempotency-Key", o.once)
	}
	return r, nil
}

// segment is an id as a part of a path.
func segment(id string) string { return url.PathEscape(id) }
