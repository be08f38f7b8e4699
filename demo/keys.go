package demo

import (
	"fmt"
	"net/http"
	"sync"
)

// The auth ids of the connections of Kinds, one for each kind of service that asks for something
// typed.
const (
	VaultKey   = "vault-key"   // provider api_key
	VaultBasic = "vault-basic" // provider basic
	AminoMove  = "amino"       // provider password, with an address of each customer's own
)

// Vault is a simulated service without OAuth, "Acme Vault": its API takes a key in X-Api-Key, or an
// e-mail address and a token by HTTP Basic. The zero value works.
type Vault struct {
	mu    sync.Mutex
	asked map[string]int // by user name; "" counts who was turned away
}

// The one key of each of the Vault's users, and the one way in by Basic.
const (
	VaultAdaKey     = "vault-ada-5f1c9b7e"
	VaultGraceKey   = "vault-grace-8d20aa43"
	VaultAdaEmail   = "ada@example.com"
	VaultAdaToken   = "token-ada-77e0c2d4"
	vaultAdaID      = 1815
	vaultGraceID    = 1906
	vaultAnswerForm = `{"account":{"id":%d,"display_name":%q}}`
)

// ServeHTTP answers GET /api/me.
func (v *Vault) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	user, password, _ := r.BasicAuth()
	id, name := 0, ""
	switch {
	case r.Header.Get("X-Api-Key") == VaultAdaKey, user == VaultAdaEmail+"/token" && password == VaultAdaToken:
		id, name = vaultAdaID, "Ada Lovelace"
	case r.Header.Get("X-Api-Key") == VaultGraceKey:
		id, name = vaultGraceID, "Grace Hopper"
	}
	v.count(name)
	w.Header().Set("Content-Type", "application/json")
	switch {
	case id == 0:
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"error":{"message":"unknown key"}}`)
	case r.Method != http.MethodGet || r.URL.Path != "/api/me":
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"error":{"message":"not found"}}`)
	default:
		fmt.Fprintf(w, vaultAnswerForm, id, name)
	}
}

func (v *Vault) count(name string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.asked == nil {
		v.asked = map[string]int{}
	}
	v.asked[name]++
}

// Asked is how many requests it has had from a user, or with "" from nobody it knows.
func (v *Vault) Asked(name string) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.asked[name]
}
