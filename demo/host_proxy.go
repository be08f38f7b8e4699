package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
)

// connectorPrefix is where the proxy is: /connector/{service_id}/{rest}.
const connectorPrefix = "/connector/"

// connector forwards a click to Linkgate.
func (h *Host) connector(w http.ResponseWriter, r *http.Request) {
	service, _, ok := cutConnector(r.URL)
	if !ok || !h.hasService(service) {
		writeEnvelope(w, nil, errNotFound)
		return
	}
	h.proxy.ServeHTTP(w, r)
}

// cutConnector takes the service id and the rest of the path, still escaped.
func cutConnector(u *url.URL) (service, rest string, ok bool) {
	path, isConnector := strings.CutPrefix(u.EscapedPath(), connectorPrefix)
	service, rest, ok = strings.Cut(path, "/")
	return service, rest, ok && isConnector
}

func (h *Host) hasService(id string) bool {
	for _, a := range h.apps {
		if a.ServiceID == id {
			return true
		}
	}
	return false
}

// rewrite points a click at Linkgate, body and headers and query included.
func (h *Host) rewrite(p *httputil.ProxyRequest) {
	_, rest, _ := cutConnector(p.In.URL)
	to, err := url.Parse(h.linkgateURL() + "/" + rest)
	if err != nil {
		to = &url.URL{} // the transport refuses it
	}
	to.RawQuery = p.In.URL.RawQuery
	p.Out.URL, p.Out.Host = to, ""
	p.SetXForwarded()
	for name := range p.Out.Header {
		if strings.HasPrefix(strings.ReplaceAll(strings.ToLower(name), "_", "-"), "blink-auth-") {
			p.Out.Header.Del(name)
			delete(p.Out.Header, name) // spelt in a way that Del does not find
		}
	}
	// Cookies know no ports: on loopback these are Linkgate's own, which a host would never see.
	p.Out.Header.Del("Cookie")
	h.Vouch(p.Out.Header, h.signedIn(p.In).ID)
}

// Vouch adds the headers that say who acted, and that it is the host who says so, for requests
// that neither Proxy nor Call can make, such as a WebSocket's.
func (h *Host) Vouch(header http.Header, userID string) {
	header.Set("blink-auth-proxysecret", h.proxySecret.Reveal())
	header.Set("blink-auth-userid", userID)
}

func linkgateIsDown(w http.ResponseWriter, _ *http.Request, _ error) {
	writeEnvelope(w, nil, problem{http.StatusBadGateway, "BAD_GATEWAY", "The app does not answer."})
}

// Proxy forwards a request as the proxy does for a click of userID, without a browser. path is
// escaped and begins with a slash: "/auth/notes".
func (h *Host) Proxy(ctx context.Context, userID, method, path string, body io.Reader) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, h.linkgateURL()+path, body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	h.Vouch(r.Header, userID)
	return http.DefaultTransport.RoundTrip(r)
}

// Call sends a card's request to the service of authID in userID's name. r is as the card makes
// it, with no more of the address than what comes below the connection's base URL: "/api/me?x=1".
// The path is sent as it is, dots and all.
func (h *Host) Call(userID, authID string, r *http.Request) (*http.Response, error) {
	to, err := url.Parse(h.linkgateURL() + "/call/" + url.PathEscape(authID) + r.URL.EscapedPath())
	if err != nil {
		return nil, err
	}
	to.RawQuery, to.ForceQuery = r.URL.RawQuery, r.URL.ForceQuery
	out := r.Clone(r.Context())
	out.URL, out.Host = to, ""
	h.Vouch(out.Header, userID)
	return http.DefaultTransport.RoundTrip(out)
}

// Connect clicks Connect for userID and returns the authorization_url. An answer other than 200
// is a *StatusError.
func (h *Host) Connect(ctx context.Context, userID, authID string) (authorizationURL string, err error) {
	var data struct {
		AuthorizationURL string `json:"authorization_url"`
	}
	err = h.click(ctx, userID, http.MethodPost, "/auth/"+url.PathEscape(authID), nil, &data)
	return data.AuthorizationURL, err
}

// Finish relays a finish token for userID, as the page does in finish mode. An answer other than
// 200 is a *StatusError.
func (h *Host) Finish(ctx context.Context, userID, authID, token string) error {
	body, err := json.Marshal(map[string]string{"finish_token": token})
	if err != nil {
		return err
	}
	var data any
	return h.click(ctx, userID, http.MethodPost, "/auth/"+url.PathEscape(authID)+"/finish", bytes.NewReader(body), &data)
}

// Disconnect clicks Disconnect for userID; an answer other than 200 is a *StatusError.
func (h *Host) Disconnect(ctx context.Context, userID, linkedAccountID string) error {
	var data any
	return h.click(ctx, userID, http.MethodDelete, "/linked-accounts/"+url.PathEscape(linkedAccountID), nil, &data)
}

// click proxies and unpacks the envelope's data.
func (h *Host) click(ctx context.Context, userID, method, path string, body io.Reader, data any) error {
	answer, err := h.Proxy(ctx, userID, method, path, body)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxBody))
	if err != nil {
		return fmt.Errorf("reading Linkgate's answer: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		return &StatusError{Status: answer.StatusCode, Header: answer.Header, Body: string(text)}
	}
	if err := json.Unmarshal(text, &envelope{Data: data}); err != nil {
		return fmt.Errorf("decoding Linkgate's answer: %w", err)
	}
	return nil
}

// StatusError is an answer of Linkgate's that was not 200.
type StatusError struct {
	Status int
	Header http.Header
	Body   string
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("Linkgate answered with status %d", e.Status)
}
