package connect

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"linkgate/host"
	"linkgate/linkedaccount"
	"linkgate/oauthstate"
	"linkgate/retry"
)

// offboardAtOnce is how many accounts of one user are disconnected at a time.
const offboardAtOnce = 8

// OffboardReport says what has been done about all accounts of a user.
type OffboardReport struct {
	HostUserID string
	Accounts   []DisconnectReport // the newest first; those from before too, then records that only the host had
	// HostPending: the host could not be asked whether it has records that are not known here. Nobody
	// goes on with that: off-board again.
	HostPending bool
	Done        bool // nothing is left to do
}

// Offboard disconnects everything that a host user has: each account at the host, at its service and
// here, and what the host alone knows at our auth ids. Sign-ins that are under way link nothing any
// more. What can't be done at once goes on by itself, and the report says so; called again, it tells
// how it stands then. ErrUnavailable (Redis or the database): then not all of it has begun.
func (s *Service) Offboard(ctx context.Context, hostUserID string) (OffboardReport, error) {
	// First the sessions: one that saves an account after this sees that it must not (keep), and what
	// was saved before is found here.
	if err := s.Sessions.EndAll(ctx, hostUserID); err != nil {
		return OffboardReport{}, sessionError(err)
	}
	accounts, err := s.Accounts.OfUser(ctx, hostUserID)
	if err != nil {
		return OffboardReport{}, databaseError(err)
	}
	report := OffboardReport{HostUserID: hostUserID, Accounts: make([]DisconnectReport, len(accounts))}
	var all errgroup.Group // without a context of its own: one that fails stops no other
	all.SetLimit(offboardAtOnce)
	for i, a := range accounts {
		all.Go(func() (err error) {
			report.Accounts[i], err = s.disconnect(ctx, a)
			return err
		})
	}
	if err := all.Wait(); err != nil {
		return OffboardReport{}, err
	}
	unknown, err := s.offboardUnknown(ctx, hostUserID, accounts)
	if err != nil {
		s.Log.WarnContext(ctx, "off-boarding: looking for records that the host alone has", "error", err)
		report.HostPending = true
	}
	report.Accounts = append(report.Accounts, unknown...)
	report.Done = !report.HostPending && !slices.ContainsFunc(report.Accounts, func(r DisconnectReport) bool { return !r.Done })
	s.auditAccount(ctx, "user.offboarded", linkedaccount.Account{HostUserID: hostUserID},
		fmt.Sprintf("%d accounts, done: %t", len(report.Accounts), report.Done))
	return report, nil
}

// offboardUnknown deletes what the host has for a user at our auth ids and none of accounts is.
func (s *Service) offboardUnknown(ctx context.Context, hostUserID string, accounts []linkedaccount.Account) (reports []DisconnectReport, _ error) {
	ctx, cancel := context.WithTimeout(ctx, hostDeadline)
	defer cancel()
	records, err := s.Host.List(ctx, hostUserID)
	if errors.Is(err, host.ErrNotFound) { // the host has forgotten the user
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, record := range records {
		_, ours := s.Connections[record.AuthID]
		isRecord := func(a linkedaccount.Account) bool { return isAbout(a, record) && !a.HostDeleted }
		if !ours || slices.ContainsFunc(accounts, isRecord) { // its own promise deletes it
			continue
		}
		r := DisconnectReport{AuthID: record.AuthID, HostID: record.ID, Status: linkedaccount.Unlinked,
			Host: HostDeleted, Revocation: RevocationUnsupported, Done: true}
		if err := s.Host.Delete(ctx, hostUserID, record.ID); err != nil && !errors.Is(err, host.ErrNotFound) {
			s.Log.WarnContext(ctx, "off-boarding: deleting a record that is not known here", "error", err)
			r.Status, r.Host, r.Done = linkedaccount.Unlinking, HostPending, false
		}
		s.auditAccount(ctx, "disconnect.unknown", linkedaccount.Account{HostUserID: hostUserID, AuthID: record.AuthID}, record.ID)
		reports = append(reports, r)
	}
	return reports, nil
}

// isAbout tells whether the host's record is an account's: by the host's id, or where that is not
// known yet, by whose it is at the service.
func isAbout(a linkedaccount.Account, record host.LinkedAccount) bool {
	if a.HostID != "" {
		return a.HostID == record.ID
	}
	return a.AuthID == record.AuthID && a.Identity.Subject == record.ExternalAccountID
}

// withdrawn tells whether the session's user was off-boarded since it began. Without an answer from
// Redis within endDeadline it says no: then the sessions are gone too, and an off-boarding can't have
// begun since.
func (s *Service) withdrawn(ctx context.Context, session oauthstate.Session) (ended bool) {
	ctx, cancel := aside(ctx)
	defer cancel()
	err := retry.Persist(ctx, func() (err error) {
		ended, err = s.Sessions.Ended(ctx, session)
		return err
	})
	if err != nil {
		s.Log.ErrorContext(ctx, "asking whether the user was off-boarded meanwhile", "auth_id", session.AuthID, "error", err)
	}
	return ended
}

// takeBack disconnects what has been saved for a user who was off-boarded meanwhile.
func (s *Service) takeBack(ctx context.Context, a linkedaccount.Account) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveDeadline)
	defer cancel()
	err := retry.Persist(ctx, func() error {
		_, err := s.disconnect(ctx, a)
		return err
	})
	if err != nil {
		s.Log.ErrorContext(ctx, "disconnecting an account of a user who was off-boarded meanwhile; off-board again", "account", a.ID, "error", err)
	}
}
