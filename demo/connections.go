package demo

import "fmt"

// The auth ids of the two connections that Connections configures.
const (
	NotesOIDC   = "notes"        // provider oidc
	NotesOAuth2 = "notes-oauth2" // provider oauth2, with explicit addresses and /api/me for the identity
)

// Clients makes the OAuth clients of both connections, with random secrets and the redirect URIs
// {linkgateURL}/callback/{auth_id}. Their ids are "linkgate-" and the auth id.
func Clients(linkgateURL string) []Client {
	var clients []Client
	for _, authID := range []string{NotesOIDC, NotesOAuth2} {
		clients = append(clients, Client{
			ID:           "linkgate-" + authID,
			Name:         "Staffroom",
			Secret:       randomSecret(),
			RedirectURIs: []string{linkgateURL + "/callback/" + authID},
		})
	}
	return clients
}

// Connections is the text of a connections.yaml with both connections to the service at issuer;
// clients are those of Clients. Both allow calls to everything of its API but
// /api/forbidden-for-calls, and the owner's app gets tokens of NotesOIDC.
// It holds the client secrets in the clear.
func Connections(issuer string, clients []Client) string {
	oidc, oauth2 := clients[0], clients[1]
	calls := fmt.Sprintf(callRules, issuer)
	return fmt.Sprintf(`connections:
  - auth_id: %[1]s
    provider: oidc
    name: Acme Notes
    issuer: %[3]s
    client_id: %[4]s
    client_secret: %[5]s
    auth_style: basic
    scopes: [openid, profile, offline_access, notes.read]
    app: {inject: true}
%[8]s  - auth_id: %[2]s
    provider: oauth2
    name: Acme Notes (plain OAuth 2)
    authorize_url: %[3]s/oauth/authorize
    token_url: %[3]s/oauth/token
    revoke_url: %[3]s/oauth/revoke
    device_url: %[3]s/oauth/device
    client_id: %[6]s
    client_secret: %[7]s
    auth_style: post
    scopes: [offline_access, notes.read]
    identity:
      url: %[3]s/api/me
      id: account.id
      name: account.display_name
%[8]s`, NotesOIDC, NotesOAuth2, issuer, oidc.ID, oidc.Secret.Reveal(), oauth2.ID, oauth2.Secret.Reveal(), calls)
}

const callRules = `    calls:
      base_url: %s
      allow:
        - GET /api/me
        - GET /api/notes
        - POST /api/notes
        - "* /api/echo/**"
        - POST /api/upload
        - GET /api/download
        - GET /api/events
        - GET /api/ws
        - GET /api/slow
        - GET /api/status/*
        - GET /api/redirect/*
`
