package v1

// connection is a service that users can connect.
type connection struct {
	AuthID   string   `json:"auth_id"`
	Provider string   `json:"provider"`
	Name     string   `json:"name"`
	Scopes   []string `json:"scopes"`
	Calls    bool     `json:"calls"`
}

func (a *API) listConnections(r *request) (answer, error) {
	if err := noQuery(r); err != nil {
		return answer{}, err
	}
	told := []connection{}
	for _, authID := range a.Order {
		c := a.Connections[authID].Connection
		told = append(told, connection{authID, c.Provider, c.Name, listed(c.Scopes), len(c.Calls.Allow) > 0})
	}
	return ok(struct {
		Data []connection `json:"data"`
	}{told})
}
