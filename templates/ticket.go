package templates

// Ticket is the page that is shown before anything is granted: who connects what. It is the only
// thing between a forwarded address and somebody else's account, so it names the host user and
// warns (cross-user session fixation, see SECURITY in the README).
type Ticket struct {
	ServiceName string
	UserName    string // may be empty; users may choose theirs, so it proves nothing by itself
	UserID      string // shown as well, below the name
	Scopes      []string
	Action      string // path that Continue posts to
	FormToken   string // sent along with it
}

func (Ticket) template() string { return "ticket" }

// Service is the name to show.
func (t Ticket) Service() string { return displayName(t.ServiceName) }

// User is the name to show; empty when there is none.
func (t Ticket) User() string { return displayName(t.UserName) }

// ID is the id to show.
func (t Ticket) ID() string { return displayName(t.UserID) }

// ServiceInitial is the letter on the service's tile.
func (t Ticket) ServiceInitial() string { return initial(t.Service()) }

// UserInitial is the letter on the user's tile.
func (t Ticket) UserInitial() string {
	if t.User() == "" {
		return initial(t.ID())
	}
	return initial(t.User())
}

// ScopeList is the scopes to show.
func (t Ticket) ScopeList() []string { return displayNames(t.Scopes) }
