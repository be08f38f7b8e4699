package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Call sends a request to an account's service, with the account's credential, which Linkgate adds. path is
// below calls.base_url of the connection, with a query if there is one: "user/repos?per_page=2". header and
// body may be nil; a body goes as it is, with the header's Content-Type.
//
// The answer is the service's, whatever its status, and the caller closes its body. Where Linkgate has not
// passed the request on, or got no answer, there is a *Problem instead. It is sent once.
func (c *Client) Call(ctx context.Context, accountID, method, path string, header http.Header, body io.Reader) (*http.Response, error) {
	address := c.base + "/v1/accounts/" + segment(accountID) + "/call/" + strings.TrimPrefix(path, "/")
	if u, err := url.Parse(address); err != nil || u.Fragment != "" {
		return nil, errors.New("the path of a call is malformed: it is escaped, and has no fragment")
	}
	r, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, fmt.Errorf("making a call: %w", err)
	}
	for name, values := range header {
		r.Header[name] = values
	}
	c.authorize(r.Header)
	answer, err := c.http.Do(r)
	if err != nil {
		return nil, &UnreachableError{err}
	}
	if answer.Header.Get("Linkgate-Error") != "" {
		defer answer.Body.Close()
		return nil, problemOf(answer)
	}
	return answer, nil
}
