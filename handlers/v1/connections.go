package v1

import (
	"cmp"

	"linkgate/provider"
)

// connection is a service that users can connect.
type connection struct {
	AuthID   string   `json:"auth_id"`
	Provider string   `json:"provider"`
	Protocol string   `json:"protocol"`
	Name     string   `json:"name"`
	Fields   []field  `json:"fields"`
	Scopes   []string `json:"scopes"`
	Calls    bool     `json:"calls"`
}

// field is one thing that is asked of the user, and that an import brings.
type field struct {
	Key    string `json:"key"`
	Label  string `json:"label"`
	Secret bool   `json:"secret"`
}

func connectionOf(c provider.Connection) connection {
	told := connection{
		AuthID: c.AuthID, Provider: c.Provider, Protocol: protocolOf(c), Name: c.Name, Fields: []field{},
		Scopes: listed(c.Scopes), Calls: len(c.Calls.Allow) > 0,
	}
	for _, f := range c.Fields {
		told.Fields = append(told.Fields, field{f.Key, f.Label, f.Secret})
	}
	return told
}

// protocolOf is how a service is spoken to, by a preset or without.
func protocolOf(c provider.Connection) string { return cmp.Or(c.Protocol, c.Provider) }

func (a *API) listConnections(*request) (answer, error) {
	told := []connection{}
	for _, authID := range a.Order {
		told = append(told, connectionOf(a.Connections[authID].Connection))
	}
	return ok(struct {
		Data []connection `json:"data"`
	}{told})
}
