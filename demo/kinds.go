package demo

import (
	"fmt"
	"net/http"
	"time"
)

const (
	// MixAppOIDC is the auth id of a connection whose client Linkgate registers at MixApp.
	MixAppOIDC = "mixapp"
	// NotesTeam is that of a connection whose account is the client's own, at the Service.
	NotesTeam = "notes-team"
)

// Kinds are simulated services of the kinds that Service is not, one each, at one address: a Vault
// below /vault, an Amino below /amino, Photos below /photos, the clients of a MixApp workplace below
// /v1/oidc, and Sunshine at all other paths.
type Kinds struct {
	Vault    *Vault
	Amino    *Amino
	Photos   *Photos
	Sunshine *Sunshine
	MixApp   *MixApp
	http.Handler

	issuer string
	team   Client
}

// KindsOptions configures Kinds.
type KindsOptions struct {
	LinkgateURL   string
	TokenLifetime time.Duration // of Amino's access tokens
	// Issuer and Register are the Service's that signs users of MixApp in.
	Issuer   string
	Register func(Client)
}

// NewKinds makes them.
func NewKinds(o KindsOptions) *Kinds {
	k := &Kinds{
		Vault: new(Vault), Amino: NewAmino(o.TokenLifetime), Photos: NewPhotos(o.LinkgateURL),
		Sunshine: NewSunshine(SunshineOptions{LinkgateURL: o.LinkgateURL}), MixApp: NewMixApp(o.Register), issuer: o.Issuer,
	}
	k.team = Client{ID: "linkgate-" + NotesTeam, Name: "Staffroom's team", Secret: randomSecret(), OnItsOwn: true}
	mux := http.NewServeMux()
	mux.Handle("/vault/", http.StripPrefix("/vault", k.Vault))
	mux.Handle("/amino/", http.StripPrefix("/amino", k.Amino))
	mux.Handle("/photos/", http.StripPrefix("/photos", k.Photos))
	mux.Handle("/v1/oidc/", k.MixApp)
	mux.Handle("/", k.Sunshine)
	k.Handler = mux
	return k
}

// Team is the client of NotesTeam, for Service.Register.
func (k *Kinds) Team() Client { return k.team }

// Apps are the host's cards for Connections.
func (k *Kinds) Apps() []App {
	return []App{
		{ServiceID: "acme", AuthID: VaultKey, Name: "Acme Vault", Description: "A service with an API key. Try " + VaultAdaKey + "."},
		{ServiceID: "acme", AuthID: VaultBasic, Name: "Acme Vault by e-mail", Description: "E-mail and token. Try " + VaultAdaEmail + " and " + VaultAdaToken + "."},
		{ServiceID: "acme", AuthID: AminoMove, Name: "Amino MOVE", Description: "User name and password, at your company's own address. Try acme, " + AminoUser + " and " + AminoPassword + "."},
		PhotosApp(),
		{ServiceID: "acme", AuthID: SunshineAuth, Name: "Sunshine Conversations", Description: "Tokens without an end, and a service that says when its user removes us.", Me: "/v2/tokenInfo"},
		{ServiceID: "acme", AuthID: MixAppOIDC, Name: "MixApp", Description: "OpenID Connect, with a client that Linkgate has registered by itself."},
		{ServiceID: "acme", AuthID: NotesTeam, Name: "Acme Notes for the team", Description: "Client credentials: one account that is the company's, and nobody signs in."},
	}
}

// Connections is what connections.yaml has for them after other connections; address is where they
// are. It holds secrets in the clear.
func (k *Kinds) Connections(address string) string {
	registered := fmt.Sprintf(`  - auth_id: %s
    provider: oidc
    name: MixApp
    issuer: %s
    scopes: [openid, profile, offline_access, notes.read]
    registration: {url: "%s/v1/oidc/acme/registration", dialect: mixapp, initial_access_token: "%s", metadata: {client_name: Staffroom}}
    calls: {base_url: "%[2]s", allow: [GET /api/me]}
`, MixAppOIDC, k.issuer, address, k.MixApp.Token().Reveal())
	team := fmt.Sprintf(`  - auth_id: %s
    provider: client_credentials
    name: Acme Notes for the team
    token_url: %s/oauth/token
    revoke_url: %[2]s/oauth/revoke
    client_id: %[3]s
    client_secret: %[4]s
    scopes: [notes.read]
    calls: {base_url: "%[2]s", allow: [GET /api/me]}
`, NotesTeam, k.issuer, k.team.ID, k.team.Secret.Reveal())
	return formConnections(address) + k.Photos.PhotosConnection(address+"/photos") + k.Sunshine.Connection(address) + registered + team
}

// formConnections are those of Vault and Amino.
func formConnections(address string) string {
	return fmt.Sprintf(`  - auth_id: %[1]s
    provider: api_key
    name: Acme Vault
    fields:
      - {key: api_key, label: API key, help: "In Acme Vault: Settings, API keys.", secret: true, pattern: "vault-[a-z0-9-]+"}
    credential: {header: X-Api-Key}
    identity: {url: "%[4]s/vault/api/me", id: account.id, name: account.display_name}
    calls: {base_url: "%[4]s/vault", allow: [GET /api/me]}
  - auth_id: %[2]s
    provider: basic
    name: Acme Vault
    fields:
      - {key: email, label: E-mail, example: you@example.com}
      - {key: api_token, label: API token, secret: true}
    credential: {username: "{email}/token", password: "{api_token}"}
    identity: {url: "%[4]s/vault/api/me", id: account.id, name: account.display_name}
    calls: {base_url: "%[4]s/vault", allow: [GET /api/me]}
  - auth_id: %[3]s
    provider: password
    name: Amino MOVE
    fields:
      - {key: customer, label: Company, help: The first word of the address at which you use Amino., pattern: "[a-z0-9-]{1,40}", example: acme}
      - {key: username, label: User name}
      - {key: password, label: Password, secret: true}
    login:
      url: "%[4]s/amino/{customer}/api/login"
      params: {username: "{username}", password: "{password}"}
    refresh:
      url: "%[4]s/amino/{customer}/api/token"
      params: {grant_type: refresh_token, refresh_token: "{refresh_token}"}
    paths:
      access_token: data.0.attributes.access_token
      refresh_token: data.0.attributes.refresh_token
      expires_at: data.0.attributes.expires_at_timestamp
      external_id: data.0.attributes.user_id
    calls: {base_url: "%[4]s/amino/{customer}", allow: [GET /api/me]}
`, VaultKey, VaultBasic, AminoMove, address)
}
