package registration

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"linkgate/database"
	"linkgate/provider"
	"linkgate/secret"
)

// client is what a service gave, with what it takes to manage it.
type client struct {
	ID        string
	Secret    secret.Text // empty: a public client
	AuthStyle string      // as the service wants it; empty: it did not say
	Token     secret.Text // registration_access_token, RFC 7592 §3; empty: it can't be managed
	URI       string      // registration_client_uri
	ExpiresAt time.Time   // of the secret; zero: never
}

func (c client) asProvider() provider.Client {
	return provider.Client{ID: c.ID, Secret: c.Secret, AuthStyle: c.AuthStyle}
}

// clientForm is a client in the open: for sealing only.
type clientForm struct {
	ID        string `json:"id"`
	Secret    string `json:"secret,omitempty"`
	AuthStyle string `json:"style,omitempty"`
	Token     string `json:"token,omitempty"`
	URI       string `json:"uri,omitempty"`
}

// row is a connection's registration as SQL has it.
type row struct {
	authID      string
	service     string // where the client is; empty: nowhere yet
	sealed      []byte
	client      client // ID is empty: there is none
	issuedAt    time.Time
	redirectURI string
	fingerprint string
	version     int64
	claimedAt   time.Time
	claimedBy   string
	inDoubt     bool
	removedAt   time.Time
}

func (r row) exists() bool { return r.client.ID != "" }
func (r row) expired(now time.Time) bool {
	return !r.client.ExpiresAt.IsZero() && !now.Before(r.client.ExpiresAt)
}

// store keeps registrations in SQL.
type store struct {
	db      *database.DB
	keyring *secret.Keyring
	fixed   func() time.Time // nil: the time that all replicas share
}

func (s store) now(ctx context.Context) (time.Time, error) {
	if s.fixed != nil {
		return s.fixed(), nil
	}
	return s.db.Now(ctx)
}

const columns = `auth_id, service, credentials, issued_at, secret_expires_at, redirect_uri, fingerprint, version,
	claimed_at, claimed_by, in_doubt, removed_at`

// read reads a row; one that is not there reads as an empty one.
func (s store) read(ctx context.Context, authID string) (row, error) {
	rows, err := s.rows(ctx, s.db, "WHERE auth_id = $1", authID)
	if err != nil {
		return row{}, asUnavailable(err)
	}
	if len(rows) == 0 {
		return row{authID: authID}, nil
	}
	return rows[0], nil
}

// asUnavailable has a database that does not answer wait for better weather; what does not open or
// is not what it should be is passed on.
func asUnavailable(err error) error {
	if err == nil || !database.IsUnavailable(err) {
		return err
	}
	return errors.Join(unavailable(opFind, "the database does not answer"), err)
}

func (s store) rows(ctx context.Context, q database.Querier, where string, args ...any) (all []row, err error) {
	ctx, cancel := database.ForRead(ctx)
	defer cancel()
	all, err = database.Collect(ctx, q, s.scan, "SELECT "+columns+" FROM client_registrations "+where, args...)
	if err != nil {
		return nil, fmt.Errorf("reading client registrations: %w", err)
	}
	return all, nil
}

func (s store) scan(from database.Row) (r row, err error) {
	var issued, expires, claimed, doubt, removed int64
	err = from.Scan(&r.authID, &r.service, &r.sealed, &issued, &expires, &r.redirectURI, &r.fingerprint, &r.version,
		&claimed, &r.claimedBy, &doubt, &removed)
	if err != nil {
		return row{}, err
	}
	if r.sealed != nil {
		if r.client, err = s.open(r); err != nil {
			return row{}, err
		}
	}
	r.client.ExpiresAt, r.issuedAt = database.Time(expires), database.Time(issued)
	r.claimedAt, r.removedAt, r.inDoubt = database.Time(claimed), database.Time(removed), doubt != 0
	return r, nil
}

// place is where a client is sealed for.
func place(authID string) secret.Place {
	return secret.Place{Table: "client_registrations", Connection: authID, Field: "credentials"}
}

func (s store) open(r row) (client, error) {
	plain, err := s.keyring.Open(r.sealed, place(r.authID))
	if err != nil {
		return client{}, fmt.Errorf("opening the client of %s: %w", r.authID, err)
	}
	var form clientForm
	if json.Unmarshal(plain, &form) != nil || form.ID == "" {
		return client{}, fmt.Errorf("reading the client of %s: it is not what was written", r.authID)
	}
	return client{
		ID: form.ID, Secret: secret.New(form.Secret), AuthStyle: form.AuthStyle,
		Token: secret.New(form.Token), URI: form.URI,
	}, nil
}

func (s store) seal(authID string, c client) ([]byte, error) {
	plain, err := json.Marshal(clientForm{
		ID: c.ID, Secret: c.Secret.Reveal(), AuthStyle: c.AuthStyle, Token: c.Token.Reveal(), URI: c.URI,
	})
	if err != nil {
		return nil, fmt.Errorf("encoding a client: %w", err)
	}
	sealed, err := s.keyring.Seal(plain, place(authID))
	if err != nil {
		return nil, fmt.Errorf("sealing a client: %w", err)
	}
	return sealed, nil
}

// claim notes that by is about to ask the service, unless somebody else has asked it after takeOver
// and has not said what came of it. It returns the row as it was before.
func (s store) claim(ctx context.Context, authID, by string) (before row, claimed bool, err error) {
	now, err := s.now(ctx)
	if err != nil {
		return row{}, false, asUnavailable(err)
	}
	err = s.db.InTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		claimed = false
		_, err := tx.ExecContext(ctx, "INSERT INTO client_registrations ("+columns+`)
			VALUES ($1, '', NULL, 0, 0, '', '', 1, 0, '', 0, 0) ON CONFLICT (auth_id) DO NOTHING`, authID)
		if err != nil {
			return err
		}
		rows, err := s.rows(ctx, tx, "WHERE auth_id = $1"+s.db.ForUpdate(), authID)
		if err != nil {
			return err
		}
		before = rows[0]
		if before.claimedBy != "" && !before.claimedAt.Before(now.Add(-takeOver)) {
			return nil
		}
		claimed = true
		_, err = tx.ExecContext(ctx, `UPDATE client_registrations SET claimed_at = $1, claimed_by = $2, in_doubt = 1
			WHERE auth_id = $3`, database.Millis(now), by, authID)
		return err
	})
	if err != nil {
		return row{}, false, asUnavailable(fmt.Errorf("claiming a registration: %w", err))
	}
	return before, claimed, nil
}

// unclaim says that by has done what it claimed the row for. What is in doubt stays so, unless it
// is known.
func (s store) unclaim(ctx context.Context, authID, by string, inDoubt bool) error {
	doubt := 0
	if inDoubt {
		doubt = 1
	}
	return s.exec(ctx, "giving a registration back", `UPDATE client_registrations SET claimed_at = 0, claimed_by = '', in_doubt = $1
		WHERE auth_id = $2 AND claimed_by = $3`, doubt, authID, by)
}

// save puts what the service gave into the row that by has claimed, and gives it back. errOvertaken.
func (s store) save(ctx context.Context, r row, by string) error {
	sealed, err := s.seal(r.authID, r.client)
	if err != nil {
		return err
	}
	return s.exec(ctx, "saving a registration", `UPDATE client_registrations SET service = $1, credentials = $2, issued_at = $3,
		secret_expires_at = $4, redirect_uri = $5, fingerprint = $6, version = version + 1,
		claimed_at = 0, claimed_by = '', in_doubt = 0, removed_at = 0
		WHERE auth_id = $7 AND version = $8 AND claimed_by = $9`, r.service, sealed, database.Millis(r.issuedAt),
		database.Millis(r.client.ExpiresAt), r.redirectURI, r.fingerprint, r.authID, r.version, by)
}

// remove wipes the client and gives the row back. It stays, so that no replica registers another.
func (s store) remove(ctx context.Context, r row, by string) error {
	now, err := s.now(ctx)
	if err != nil {
		return err
	}
	return s.exec(ctx, "removing a registration", `UPDATE client_registrations SET service = '', credentials = NULL, issued_at = 0,
		secret_expires_at = 0, redirect_uri = '', fingerprint = '', version = version + 1,
		claimed_at = 0, claimed_by = '', in_doubt = 0, removed_at = $1
		WHERE auth_id = $2 AND version = $3 AND claimed_by = $4`, database.Millis(now), r.authID, r.version, by)
}

// reseal seals the row's client with the primary key, if another one has sealed it.
func (s store) reseal(ctx context.Context, r row) error {
	if !r.exists() || !s.keyring.Stale(r.sealed) {
		return nil
	}
	sealed, err := s.seal(r.authID, r.client)
	if err != nil {
		return err
	}
	err = s.exec(ctx, "sealing a registration anew", `UPDATE client_registrations SET credentials = $1
		WHERE auth_id = $2 AND version = $3`, sealed, r.authID, r.version)
	if errors.Is(err, errOvertaken) {
		return nil // and sealed anew by that
	}
	return err
}

// exec changes one row, or none: errOvertaken.
func (s store) exec(ctx context.Context, doing, statement string, args ...any) error {
	err := s.db.InTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, statement, args...)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, errOvertaken)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}
