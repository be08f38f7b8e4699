package demo

import (
	"fmt"
	"net/http"
	"time"
)

// Kinds are simulated services of the kinds that ask for something typed, at one address: a Vault
// below /vault and an Amino below /amino.
type Kinds struct {
	Vault *Vault
	Amino *Amino
	http.Handler
}

// NewKinds makes them; Amino's access tokens live so long.
func NewKinds(tokenLifetime time.Duration) *Kinds {
	k := &Kinds{Vault: new(Vault), Amino: NewAmino(tokenLifetime)}
	mux := http.NewServeMux()
	mux.Handle("/vault/", http.StripPrefix("/vault", k.Vault))
	mux.Handle("/amino/", http.StripPrefix("/amino", k.Amino))
	k.Handler = mux
	return k
}

// KindApps are the host's cards for KindConnections.
func KindApps() []App {
	return []App{
		{ServiceID: "acme", AuthID: VaultKey, Name: "Acme Vault", Description: "A service with an API key. Try " + VaultAdaKey + "."},
		{ServiceID: "acme", AuthID: VaultBasic, Name: "Acme Vault by e-mail", Description: "E-mail and token. Try " + VaultAdaEmail + " and " + VaultAdaToken + "."},
		{ServiceID: "acme", AuthID: AminoMove, Name: "Amino MOVE", Description: "User name and password, at your company's own address. Try acme, " + AminoUser + " and " + AminoPassword + "."},
	}
}

// KindConnections is what connections.yaml has for them after other connections; address is where
// they are.
func KindConnections(address string) string {
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
