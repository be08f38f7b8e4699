package templates

import "github.com/a-h/templ"

// Relay is the page that sends on, from our own site, what a service has posted to us from its own
// (OAuth 2.0 Form Post Response Mode): only then does the browser send our cookie along. It asks
// nothing of the user and leads nowhere but to us.
type Relay struct {
	Action string // path that it posts to
	Fields []RelayField
}

// RelayField is one parameter that is sent on.
type RelayField struct{ Name, Value string }

func (r Relay) in(v view) (templ.Component, error) {
	title, err := v.Plain("relay.title")
	return r.markup(v, title), err
}
