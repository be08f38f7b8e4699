package demo

// The auth ids of the two connections that Connections configures.
const (
	NotesOIDC   = "notes"        // provider oidc
	NotesOAuth2 = "notes-oauth2" // provider oauth2, with explicit addresses and /api/me for the identity
)

// Clients makes the OAuth clients of both connections, with random secrets and the redirect URIs
// {linkgateURL}/callback/{auth_id}.
func Clients(linkgateURL string) []Client { panic("unwritten") }

// Connections is the text of a connections.yaml with both connections to the service at issuer.
// It holds the client secrets in the clear.
func Connections(issuer string, clients []Client) string { panic("unwritten") }
