package templates

import "github.com/a-h/templ"

// ProblemKind is what is wrong when there is no session to speak of.
type ProblemKind string

// The kinds; each has a title and a text in messages/.
const (
	Expired          ProblemKind = "expired"
	Used             ProblemKind = "used"
	WrongBrowser     ProblemKind = "wrong_browser"
	WrongConnection  ProblemKind = "wrong_connection"
	Forbidden        ProblemKind = "forbidden" // a form that another site sent
	BadRequest       ProblemKind = "bad_request"
	NotFound         ProblemKind = "not_found"
	MethodNotAllowed ProblemKind = "method_not_allowed"
	TooMany          ProblemKind = "too_many"
	Unavailable      ProblemKind = "unavailable"
	Internal         ProblemKind = "internal"
)

// Problem is an error page.
type Problem struct {
	Kind      ProblemKind
	RequestID string // to quote to support; empty: not shown
}

func (p Problem) in(v view) (templ.Component, error) {
	title, err := v.Plain(p.Title())
	return p.markup(v, title), err
}

// Title is the key of title and heading.
func (p Problem) Title() string { return "problem." + string(p.Kind) + ".title" }

// Text is the key of the sentence that says what to do.
func (p Problem) Text() string { return "problem." + string(p.Kind) + ".text" }
