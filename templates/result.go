package templates

import "github.com/a-h/templ"

// Result is the page that says how it ended, or that it has not ended yet. It has no form: who
// comes upon it has not necessarily seen in whose name it all happens.
type Result struct {
	State       string // working, relaying, linked, pending, failed
	Reason      string // of failed
	Stalled     bool   // of relaying: the host was told long ago and has not answered
	ServiceName string
	AccountName string   // may be empty
	Missing     []string // scopes that were asked for and not granted

	TryAgain string // path of the ticket page: every attempt begins there, with its warning; empty: not offered
	Refresh  string // address to look again at, for working and relaying

	Return string // address of the app that the user came from, if it is to be offered; empty: it is not
	Window bool   // the page is in a window of its own, which may close itself even if nobody seems to have opened it

	Message string // for the window that opened this one; empty: nothing is posted
	Origin  string // the one origin that may read it; empty: nothing is posted
}

func (r Result) in(v view) (templ.Component, error) {
	service, err := v.service(r.Service())
	if err != nil {
		return nil, err
	}
	title, err := v.Plain(r.Title(), "service", service)
	return r.markup(v, title, service), err
}

// Service is the name to show.
func (r Result) Service() string { return displayName(r.ServiceName) }

// Account is the name to show; empty when there is none.
func (r Result) Account() string { return displayName(r.AccountName) }

// ServiceInitial is the letter on the service's tile.
func (r Result) ServiceInitial() string { return initial(r.Service()) }

// MissingList is the scopes to show.
func (r Result) MissingList() []string { return displayNames(r.Missing) }

// Title is the key of the page's title.
func (r Result) Title() string { return "result." + r.scene() + ".title" }

// Heading is the key of the page's heading.
func (r Result) Heading() string { return "result." + r.scene() + ".heading" }

// Text is the key of the sentence that says what happened.
func (r Result) Text() string {
	if r.State != "failed" {
		return "result." + r.scene() + ".text"
	}
	switch r.Reason {
	case "denied", "service_unavailable", "service_refused", "not_verified", "changed",
		"host_refused", "interrupted", "code_expired", "finished_by_other", "withdrawn":
		return "result.failed." + r.Reason
	}
	return "result.failed.unknown"
}

// scene is the part of the messages' keys that says what the page is about.
func (r Result) scene() string {
	if r.GivenUp() {
		return "stalled"
	}
	return r.State
}

// isOver tells of a failure after which nothing more can be begun in this session.
func (r Result) isOver() bool { return r.Reason == "finished_by_other" || r.Reason == "withdrawn" }

// GivenUp tells whether the page waits no longer although nothing has ended.
func (r Result) GivenUp() bool { return r.State == "relaying" && r.Stalled }

// Done tells whether the page tells good news.
func (r Result) Done() bool { return r.State == "linked" || r.State == "pending" }

// Waiting tells whether the page has to be looked at again.
func (r Result) Waiting() bool {
	return r.State == "working" || r.State == "relaying" && !r.Stalled
}

// again is the address to look again at; empty: the page stays.
func (r Result) again() string {
	if !r.Waiting() {
		return ""
	}
	return r.Refresh
}

// CanRetry tells whether Try again is offered. Whoever holds a window that somebody else started
// gains nothing by trying again there.
func (r Result) CanRetry() bool {
	return r.TryAgain != "" && (r.GivenUp() || r.State == "failed" && !r.isOver() || r.short())
}

// short tells that an account is connected, though with less than was asked for.
func (r Result) short() bool { return r.Done() && len(r.Missing) > 0 }

// retry is the key of what the button for it says.
func (r Result) retry() string {
	if r.short() {
		return "result.again"
	}
	return "result.retry"
}

// Leave is after how many milliseconds the window closes itself: late enough to be read, and not
// at all when there is more to read or to decide. Empty means never.
func (r Result) Leave() string {
	switch {
	case r.State == "linked" && len(r.Missing) == 0:
		return "2500"
	case r.State == "pending" && len(r.Missing) == 0:
		return "4500"
	}
	return ""
}

// back is the address of Return, safe to be led to.
func (r Result) back() string {
	if r.Return == "" {
		return ""
	}
	return string(address(r.Return))
}

// GoesBack tells whether a page that nobody has opened leads back by itself: not out of a window of its
// own, whose page waits elsewhere, and not where there is more to read or to decide. Who has said no at
// the service knows what happened.
func (r Result) GoesBack() bool {
	said := r.State == "failed" && r.Reason == "denied"
	return r.Return != "" && !r.Window && (said || r.Leave() != "")
}

// goBack is after how many milliseconds it does.
func (r Result) goBack() string {
	if !r.GoesBack() {
		return ""
	}
	return "1500"
}

// returnClass makes the way back the page's button, unless there is a better one.
func (r Result) returnClass() string {
	if r.CanRetry() || r.Window {
		return "button quiet"
	}
	return "button"
}

// own is set in a window of its own.
func (r Result) own() string {
	if r.Window {
		return "yes"
	}
	return ""
}

// mood is the class that colours the joint between service and user.
func (r Result) mood() string {
	switch {
	case r.State == "linked":
		return "good"
	case r.State == "failed":
		return "bad"
	case r.Waiting():
		return "busy"
	}
	return "wait"
}

// role is how assistive technology tells of it (WAI-ARIA 1.2).
func (r Result) role() string {
	if r.State == "failed" {
		return "alert"
	}
	return "status"
}

// CanClose tells whether a button to close the window is offered where that is possible.
func (r Result) CanClose() bool { return r.Done() || r.GivenUp() || r.State == "failed" }
