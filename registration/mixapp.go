package registration

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"

	"linkgate/secret"
)

// mixapp registers as MixApp does: one address for all, the workplace's token for everything, and
// client_id in the query (contracts/mixapp.md).
type mixapp struct {
	wire  wire
	url   string
	token secret.Text
}

var _ dialect = mixapp{}

// find implements dialect: of the workplace's clients, the one with our name and redirect URI.
func (d mixapp) find(ctx context.Context, a app) (client, error) {
	var all []struct {
		information

		Name string `json:"client_name"`
	}
	if err := d.ask(ctx, request{op: opRegister, method: http.MethodGet}, "", &all); err != nil {
		return client{}, err
	}
	for _, one := range all {
		if one.Name != a.name || !slices.Contains(one.RedirectURIs, a.redirectURI) {
			continue
		}
		// Nobody has its secret, or who has it is not us: another one is made.
		return d.rotate(ctx, a, client{ID: one.ClientID})
	}
	return client{}, errGone
}

// register implements dialect.
func (d mixapp) register(ctx context.Context, a app) (client, error) {
	return d.take(ctx, request{op: opRegister, method: http.MethodPost, body: d.client(a)}, client{})
}

// read implements dialect.
func (d mixapp) read(ctx context.Context, c client) (client, error) {
	return d.take(ctx, request{op: opRead, method: http.MethodGet}, c)
}

// update implements dialect.
func (d mixapp) update(ctx context.Context, a app, c client) (client, error) {
	return d.take(ctx, request{op: opUpdate, method: http.MethodPost, body: d.client(a)}, c)
}

// rotate implements dialect.
func (d mixapp) rotate(ctx context.Context, a app, c client) (client, error) {
	body := d.client(a)
	body["generate_token"] = true
	got, err := d.take(ctx, request{op: opRotate, method: http.MethodPost, body: body}, c)
	if err != nil || !got.Secret.Equal(c.Secret) {
		return got, err
	}
	if got, err = d.read(ctx, c); err != nil { // the answer did not have the new secret
		return client{}, err
	}
	if got.Secret.IsZero() || got.Secret.Equal(c.Secret) {
		return client{}, unavailable(opRotate, "no new secret came")
	}
	return got, nil
}

// remove implements dialect.
func (d mixapp) remove(ctx context.Context, c client) error {
	var said struct {
		Result bool `json:"result"`
	}
	err := d.ask(ctx, request{op: opRemove, method: http.MethodDelete}, c.ID, &said)
	switch {
	case isGone(err):
		return nil
	case err != nil:
		return err
	case !said.Result:
		return refusal(opRemove, http.StatusOK, "", remedyForget)
	}
	return nil
}

// client is what MixApp is told of us, under its own names.
func (d mixapp) client(a app) map[string]any {
	type scope struct {
		Name   string   `json:"name"`
		Desc   string   `json:"desc"`
		Fields []string `json:"fields"`
	}
	scopes := make([]scope, 0, len(a.scopes))
	for _, name := range a.scopes {
		scopes = append(scopes, scope{Name: name, Fields: []string{}})
	}
	said := a.said()
	if _, ok := said["application_type"]; !ok {
		said["application_type"] = "web"
	}
	said["scopes"] = scopes
	return said
}

// take asks for a client and reads what is said of it over what is known.
func (d mixapp) take(ctx context.Context, r request, before client) (client, error) {
	var said information
	if err := d.ask(ctx, r, before.ID, &said); err != nil {
		return client{}, err
	}
	said.Token, said.URI = "", "" // it has no such things
	if before.ID != "" && said.ClientID == "" {
		said.ClientID = before.ID
	}
	c, err := said.over(r.op, before)
	if err == nil && before.ID == "" && c.Secret.IsZero() {
		return client{}, notVerified(r.op, "no client_secret came", "")
	}
	return c, err
}

// ask sends a request about one client, or all where there is no id.
func (d mixapp) ask(ctx context.Context, r request, clientID string, into any) error {
	address, err := url.Parse(d.url)
	if err != nil {
		return unavailable(r.op, "the address is no URL")
	}
	if clientID != "" {
		query := address.Query()
		query.Set("client_id", clientID)
		address.RawQuery = query.Encode()
	}
	r.address, r.token = address.String(), d.token
	ans, err := d.wire.send(ctx, r)
	if err != nil {
		return err
	}
	// Its errors have a shape of their own, whatever their status.
	var wrong struct {
		Code int `json:"error_code"`
	}
	if _ = json.Unmarshal(ans.body, &wrong); ans.status >= 400 || wrong.Code != 0 {
		return mixappRefusal(r.op, ans.status, wrong.Code)
	}
	if json.Unmarshal(ans.body, into) != nil {
		return unavailable(r.op, "answer is not the JSON expected")
	}
	return nil
}
