package apikey

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"

	"golang.org/x/sync/singleflight"

	"linkgate/database"
	"linkgate/secret"
)

// Store keeps keys in SQL, as hashes. It is safe for concurrent use, and must not be copied.
type Store struct {
	DB     *database.DB
	Static []Key            // of API_KEYS
	Limit  Limiter          // of requests for each key; nil: none
	Log    *slog.Logger     // nil: silent
	Now    func() time.Time // nil: time.Now

	known   atomic.Pointer[snapshot]
	reading singleflight.Group
	reads   atomic.Int64 // of all keys, ever

	touched sync.Map // id → *atomic.Int64: the unix time of the minute that was noted last
	writing sync.WaitGroup
}

func (s *Store) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

// maxName is how long a name may be, in bytes.
const maxName = 200

// ErrName: a name that can't be shown in a list.
var ErrName = fmt.Errorf("a name is 1 to %d bytes long, without control characters", maxName)

// New makes a key. The secret is returned this once, and can't be had again. ErrName, ErrScope.
func (s *Store) New(ctx context.Context, name string, scopes []Scope) (Key, secret.Text, error) {
	name = strings.TrimSpace(name)
	if name == "" || len(name) > maxName || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return Key{}, secret.Text{}, ErrName
	}
	scopes, err := ParseScopes(strings.Split(Words(scopes, " "), " "))
	if err != nil {
		return Key{}, secret.Text{}, err
	}
	id, whole, err := generate()
	if err != nil {
		return Key{}, secret.Text{}, err
	}
	k := Key{ID: id, Name: name, Scopes: scopes, CreatedAt: database.Time(database.Millis(s.now())), hash: sha256.Sum256([]byte(whole.Reveal()))}
	list, err := json.Marshal(scopes)
	if err != nil {
		return Key{}, secret.Text{}, fmt.Errorf("writing scopes: %w", err)
	}
	err = s.DB.InTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO api_keys ("+columns+") VALUES ($1, $2, $3, $4, $5, 0, 0)",
			k.ID, k.Name, string(list), k.hash[:], database.Millis(k.CreatedAt))
		return err
	})
	if err != nil {
		return Key{}, secret.Text{}, fmt.Errorf("saving an API key: %w", err)
	}
	return k, whole, nil
}

// Revoke ends a key for good; twice is the same as once. ErrNotFound. This process refuses it from
// now on, others within memoryTime.
func (s *Store) Revoke(ctx context.Context, id string) error {
	err := s.DB.InTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `UPDATE api_keys SET revoked_at = CASE revoked_at WHEN 0 THEN $1 ELSE revoked_at END
			WHERE id = $2`, database.Millis(s.now()), id)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, ErrNotFound)
		}
		return nil
	})
	s.known.Store(nil)
	if err != nil {
		return fmt.Errorf("revoking an API key: %w", err)
	}
	return nil
}

// List is every key, those of API_KEYS first, then by age; revoked ones too.
func (s *Store) List(ctx context.Context) ([]Key, error) {
	kept, err := s.query(ctx, "ORDER BY created_at, id")
	if err != nil {
		return nil, err
	}
	return append(append([]Key{}, s.Static...), kept...), nil
}

const columns = "id, name, scopes, hash, created_at, used_at, revoked_at"

func (s *Store) query(ctx context.Context, rest string) (all []Key, err error) {
	ctx, cancel := database.ForRead(ctx)
	defer cancel()
	all, err = database.Collect(ctx, s.DB, scan, "SELECT "+columns+" FROM api_keys "+rest)
	if err != nil {
		return nil, fmt.Errorf("reading API keys: %w", err)
	}
	return all, nil
}

func scan(from database.Row) (k Key, err error) {
	var scopes string
	var hash []byte
	var created, used, revoked int64
	if err := from.Scan(&k.ID, &k.Name, &scopes, &hash, &created, &used, &revoked); err != nil {
		return Key{}, err
	}
	if err := json.Unmarshal([]byte(scopes), &k.Scopes); err != nil {
		return Key{}, fmt.Errorf("the scopes of %s: %w", k.ID, err)
	}
	if copy(k.hash[:], hash) != sha256.Size || len(hash) != sha256.Size {
		return Key{}, fmt.Errorf("the hash of %s has %d bytes", k.ID, len(hash))
	}
	k.CreatedAt, k.LastUsedAt, k.RevokedAt = database.Time(created), database.Time(used), database.Time(revoked)
	return k, nil
}
