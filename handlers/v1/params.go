package v1

import (
	"math"
	"time"

	"linkgate/linkedaccount"
)

// params are what routes take in their queries. Each line of the table has one of the functions below,
// which name its parameters and how they are read; the fields of the others stay empty.
type params struct {
	filter         linkedaccount.Filter // but for the page of it
	cursor         string               // where the page before has ended
	limit          int
	forComponent   string
	after          int64 // the sequence of an event
	wait           time.Duration
	validateScope  bool
	requestProfile bool
}

const (
	pageDefault   = 50
	pageMost      = 200
	eventsDefault = 100
	eventsMost    = 1000
	longestWait   = time.Minute
)

func none(*query) params { return params{} }

func accountFilter(q *query) params {
	return params{
		filter: linkedaccount.Filter{
			HostUserID: q.text("user_id"), AuthID: q.text("auth_id"), Subject: q.text("external_account_id"),
			ComponentID: q.text("component_id"), Statuses: q.statuses(),
		},
		cursor:       q.cursor(),
		limit:        int(q.number("limit", 1, pageMost, pageDefault)),
		forComponent: q.text("for_component"),
	}
}

func paging(q *query) params {
	return params{cursor: q.cursor(), limit: int(q.number("limit", 1, pageMost, pageDefault))}
}

func eventPaging(q *query) params {
	return params{after: q.number("after", 0, math.MaxInt64, 0), limit: int(q.number("limit", 1, eventsMost, eventsDefault))}
}

func importFlags(q *query) params {
	return params{validateScope: q.flag("validate_scope", true), requestProfile: q.flag("request_profile", true)}
}

func longPoll(q *query) params { return params{wait: q.duration("wait", longestWait)} }

// statuses are those that are asked for.
func (q *query) statuses() []linkedaccount.Status {
	var statuses []linkedaccount.Status
	for _, text := range q.many("status") {
		switch status := linkedaccount.Status(text); status {
		case linkedaccount.Linking, linkedaccount.Linked, linkedaccount.ReauthRequired, linkedaccount.Refused,
			linkedaccount.Unlinking, linkedaccount.Unlinked:
			statuses = append(statuses, status)
		default:
			q.mistake("?status", "there are linking, linked, reauth_required, refused, unlinking and unlinked")
			return nil
		}
	}
	return statuses
}
