package connect

import (
	"context"
	"errors"
	"slices"

	"linkgate/host"
	"linkgate/linkedaccount"
)

// usersAtOnce is how many users are read from the database at a time.
const usersAtOnce = 200

// DifferenceKind says how our accounts and the host's differ.
type DifferenceKind string

// The kinds.
const (
	MissingAtHost DifferenceKind = "missing_at_host"   // the host has no record of a live account
	UnknownHere   DifferenceKind = "unknown_here"      // the host has a record at an auth id of ours, and no live account is behind it
	OutOfStep     DifferenceKind = "out_of_step"       // the record says something else than the account
	UserNotAtHost DifferenceKind = "user_not_at_host"  // the host does not know the user of live accounts any more
	InFlux        DifferenceKind = "changed_meanwhile" // it was to be repaired, and has changed since it was compared
)

// Difference is one between our accounts and the host's.
type Difference struct {
	Kind       DifferenceKind
	HostUserID string
	AuthID     string
	AccountID  string // empty: none of ours
	HostID     string // the host's id of its record; empty: none
	Detail     string // what differs, for people
	Repaired   bool   // deleted at the host, or promised to be brought in line by the outbox
}

// Repairable tells whether Reconcile can do something about it.
func (d Difference) Repairable() bool {
	return d.Kind == MissingAtHost || d.Kind == UnknownHere || d.Kind == OutOfStep
}

// Summary counts what a comparison has found.
type Summary struct {
	Users       int
	Accounts    int // live ones of ours
	Pending     int // accounts left alone, because the host is yet to be told something about them anyway
	Differences int
	Repaired    int
}

// ReconcileOptions are what a comparison does beside comparing.
type ReconcileOptions struct {
	Found func(Difference)      // is told each difference, after its repair if there is one
	Fix   func(Difference) bool // whether to repair a difference, as it was found; nil: nothing is changed
	Done  func(Summary)         // is told how far it is, after each user; nil: nobody is
}

// reconciling is one comparison.
type reconciling struct {
	*Service
	ReconcileOptions
	summary Summary
}

// Reconcile compares the accounts of every user known here with the host's records of them, and tells
// each difference as it is found. Without Fix nothing is changed. Where it says so, the host is told anew
// of what it lacks or has wrong, by the outbox, and records at our auth ids that no live account is behind
// are deleted there. An account about which something is owed anyway is left to that. An error ends the
// comparison; the summary has what came before. ErrUnavailable, ErrHostRefuses (it does not take our
// API key).
func (s *Service) Reconcile(ctx context.Context, o ReconcileOptions) (Summary, error) {
	r := &reconciling{Service: s, ReconcileOptions: o}
	for after := ""; ; {
		users, err := s.Accounts.Users(ctx, after, usersAtOnce)
		if err != nil {
			return r.summary, databaseError(err)
		}
		for _, user := range users {
			if err := r.user(ctx, user); err != nil {
				return r.summary, err
			}
			r.summary.Users++
			if r.Done != nil {
				r.Done(r.summary)
			}
		}
		if len(users) < usersAtOnce {
			return r.summary, nil
		}
		after = users[len(users)-1]
	}
}

// user compares one user's. The host is read first: what is there by then and not here afterwards has
// not just been linked.
func (r *reconciling) user(ctx context.Context, user string) error {
	records, err := r.Host.List(ctx, user)
	unknownUser := errors.Is(err, host.ErrNotFound)
	if err != nil && !unknownUser {
		return hostAnswer(err)
	}
	accounts, err := r.Accounts.OfUser(ctx, user)
	if err != nil {
		return databaseError(err)
	}
	for _, a := range accounts {
		if !a.Live() {
			continue
		}
		r.summary.Accounts++
		if err := r.account(ctx, a, records, unknownUser); err != nil {
			return err
		}
	}
	for _, record := range records {
		if err := r.record(ctx, user, record, accounts); err != nil {
			return err
		}
	}
	return nil
}

// account compares a live account with its record.
func (r *reconciling) account(ctx context.Context, a linkedaccount.Account, records []host.LinkedAccount, unknownUser bool) error {
	if owed, err := r.pending(ctx, a.ID); err != nil || owed {
		return err
	}
	d := Difference{HostUserID: a.HostUserID, AuthID: a.AuthID, AccountID: a.ID, HostID: a.HostID}
	if unknownUser {
		d.Kind, d.Detail = UserNotAtHost, "the host does not know the user; off-board them if that is right"
		r.found(d)
		return nil
	}
	i := slices.IndexFunc(records, func(record host.LinkedAccount) bool { return a.HostID != "" && record.ID == a.HostID })
	if i >= 0 && outOfStep(a, records[i]) == "" {
		return nil
	}
	return r.lookAgain(ctx, a.ID)
}

// pending tells whether something is owed about an account, and counts it then.
func (r *reconciling) pending(ctx context.Context, id string) (bool, error) {
	owed, err := r.Accounts.Owed(ctx, id)
	if err != nil {
		return false, databaseError(err)
	}
	if owed {
		r.summary.Pending++
	}
	return owed, nil
}

// lookAgain compares an account that seems to differ by itself, and the host after it: the outbox may
// have brought it in line between the readings.
func (r *reconciling) lookAgain(ctx context.Context, id string) error {
	a, err := r.Accounts.ByID(ctx, id)
	if errors.Is(err, linkedaccount.ErrNotFound) || err == nil && !a.Live() {
		return nil
	}
	if err != nil {
		return databaseError(err)
	}
	if owed, err := r.pending(ctx, id); err != nil || owed {
		return err
	}
	d := Difference{HostUserID: a.HostUserID, AuthID: a.AuthID, AccountID: a.ID, HostID: a.HostID}
	record, err := r.get(ctx, a.HostUserID, a.HostID)
	switch {
	case errors.Is(err, host.ErrNotFound):
		d.Kind, d.Detail = MissingAtHost, "the host has no record of it"
		return r.repair(ctx, d, a, linkedaccount.HostAdd)
	case err != nil:
		return hostAnswer(err)
	}
	if d.Detail = outOfStep(a, record); d.Detail == "" {
		return nil
	}
	d.Kind = OutOfStep
	return r.repair(ctx, d, a, linkedaccount.HostUpdate)
}

// get reads a record; host.ErrNotFound, for one whose id is not known too.
func (r *reconciling) get(ctx context.Context, user, hostID string) (host.LinkedAccount, error) {
	if hostID == "" {
		return host.LinkedAccount{}, host.ErrNotFound
	}
	return r.Host.Get(ctx, user, hostID)
}

// outOfStep says what a record has wrong; empty: nothing.
func outOfStep(a linkedaccount.Account, record host.LinkedAccount) string {
	mustSignIn := a.Status == linkedaccount.ReauthRequired
	switch {
	case record.AuthID != a.AuthID:
		return "the record is at another auth id"
	case record.ExternalAccountID != a.Identity.Subject:
		return "the record has another external account id"
	case record.RequiresReauth && !mustSignIn:
		return "the record says that the user must sign in again"
	case !record.RequiresReauth && mustSignIn:
		return "the record does not say that the user must sign in again"
	}
	return ""
}

func (r *reconciling) repair(ctx context.Context, d Difference, a linkedaccount.Account, kind string) error {
	if r.fixes(d) {
		var err error
		if d.Repaired, err = r.Accounts.Repair(ctx, a, kind); err != nil {
			return databaseError(err)
		}
		if !d.Repaired {
			d.Kind = InFlux
		}
	}
	r.found(d)
	return nil
}

// record finds out whether a record at one of our auth ids has a live account behind it.
func (r *reconciling) record(ctx context.Context, user string, record host.LinkedAccount, accounts []linkedaccount.Account) error {
	if _, ours := r.Connections[record.AuthID]; !ours {
		return nil
	}
	for _, a := range accounts {
		if a.Live() && a.HostID == record.ID {
			return nil
		}
		if !isAbout(a, record) && (a.AuthID != record.AuthID || a.Identity.Subject != record.ExternalAccountID) {
			continue
		}
		if owed, err := r.Accounts.Owed(ctx, a.ID); err != nil || owed { // what is owed may be to delete it
			return databaseError(err)
		}
	}
	if unknown, err := r.isUnknown(ctx, user, record.ID); !unknown || err != nil {
		return err
	}
	d := Difference{
		Kind: UnknownHere, HostUserID: user, AuthID: record.AuthID, HostID: record.ID, Detail: "no account is behind the record",
	}
	if !r.fixes(d) {
		r.found(d)
		return nil
	}
	return r.deleteUnknown(ctx, d)
}

// isUnknown looks once more: the record may have been deleted since it was read, or its account have
// heard of it.
func (r *reconciling) isUnknown(ctx context.Context, user, hostID string) (bool, error) {
	_, err := r.get(ctx, user, hostID)
	if errors.Is(err, host.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, hostAnswer(err)
	}
	a, _, err := r.Accounts.ByHostID(ctx, user, hostID)
	if errors.Is(err, linkedaccount.ErrNotFound) {
		return true, nil
	}
	return !a.Live(), databaseError(err)
}

func (r *reconciling) deleteUnknown(ctx context.Context, d Difference) error {
	err := r.Host.Delete(ctx, d.HostUserID, d.HostID)
	if err != nil && !errors.Is(err, host.ErrNotFound) {
		return hostAnswer(err)
	}
	d.Repaired = true
	r.auditAccount(ctx, "disconnect.unknown", linkedaccount.Account{HostUserID: d.HostUserID, AuthID: d.AuthID}, d.HostID)
	r.found(d)
	return nil
}

func (r *reconciling) fixes(d Difference) bool { return r.Fix != nil && r.Fix(d) }

func (r *reconciling) found(d Difference) {
	r.summary.Differences++
	if d.Repaired {
		r.summary.Repaired++
	}
	r.Found(d)
}
