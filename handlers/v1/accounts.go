package v1

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"linkgate/linkedaccount"
)

type page[T any] struct {
	Data       []T     `json:"data"`
	NextCursor *string `json:"next_cursor"`
}

func (a *API) listAccounts(r *request) (answer, error) {
	filter, limit := r.query.filter, r.query.limit
	filter.After, filter.Limit = r.query.cursor, limit+1 // tells whether there is a page after
	found, err := a.Accounts.List(r.Request().Context(), filter)
	if err != nil {
		return answer{}, err
	}
	more := len(found) > limit
	found = found[:min(limit, len(found))]
	told := make([]account, 0, len(found))
	for _, one := range found {
		told = append(told, a.accountOf(one))
	}
	if component := r.query.forComponent; component != "" {
		if err := a.markBound(r, told, component); err != nil {
			return answer{}, err
		}
	}
	list := page[account]{Data: told}
	if more {
		list.NextCursor = next(r.QueryParams(), found[limit-1].ID, more)
	}
	return ok(list)
}

// markBound tells of each account whether the component uses it.
func (a *API) markBound(r *request, told []account, componentID string) error {
	bound, err := a.Accounts.BoundAccount(r.Request().Context(), componentID)
	if err != nil && !errors.Is(err, linkedaccount.ErrNotFound) {
		return err
	}
	for i := range told {
		isBound := told[i].ID == bound.AccountID
		told[i].Bound = &isBound
	}
	return nil
}

func (a *API) getAccount(r *request) (answer, error) {
	found, err := a.Accounts.ByID(r.Request().Context(), r.id)
	if err != nil {
		return answer{}, err
	}
	etag := etagOf(found.Version)
	for _, have := range splitETags(r.Request().Header["If-None-Match"]) {
		if have == "*" || strings.TrimPrefix(have, "W/") == etag {
			return answer{status: http.StatusNotModified, etag: etag}, nil
		}
	}
	return answer{status: http.StatusOK, body: a.accountOf(found), etag: etag}, nil
}

// accountUpdate is what may be changed of an account.
type accountUpdate struct {
	DisplayName *string          `json:"display_name"`
	Metadata    *json.RawMessage `json:"metadata"`
}

func (a *API) updateAccount(r *request) (answer, error) {
	var update accountUpdate
	if err := decode(r, &update); err != nil {
		return answer{}, err
	}
	version, err := ifMatch(r.Request().Header["If-Match"])
	if err != nil {
		return answer{}, err
	}
	if update.DisplayName == nil && update.Metadata == nil {
		return answer{}, invalid("", "display_name or metadata is needed")
	}
	changed, err := a.Accounts.Patch(r.Request().Context(), r.id, version, update.apply)
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusOK, body: a.accountOf(changed), etag: etagOf(changed.Version)}, nil
}

const longestName = 200 // characters

func (u accountUpdate) apply(d *linkedaccount.Details) error {
	var f form
	if u.DisplayName != nil {
		f.short("display_name", *u.DisplayName, longestName)
		d.DisplayName = *u.DisplayName
	}
	if u.Metadata != nil {
		if err := d.MergeMetadata(*u.Metadata); err != nil {
			f.mistake("metadata", "it must be an object, and may have 16 KiB in all")
		}
	}
	return f.err()
}

// ifMatch is the version that the caller has seen; 0: any will do (RFC 9110 §13.1.1).
func ifMatch(values []string) (int64, error) {
	tags := splitETags(values)
	switch {
	case len(tags) == 0, len(tags) == 1 && tags[0] == "*":
		return 0, nil
	case len(tags) > 1:
		return 0, invalid("If-Match", "one ETag is needed, as the answer had it that told of the account")
	}
	version, err := strconv.ParseInt(strings.Trim(tags[0], `"`), 10, 64)
	if err != nil || version < 1 || etagOf(version) != tags[0] {
		return 0, linkedaccount.ErrStale // of whatever it is, it is not what we would say now
	}
	return version, nil
}

func splitETags(values []string) []string {
	var tags []string
	for _, value := range values {
		for tag := range strings.SplitSeq(value, ",") {
			if tag = strings.TrimSpace(tag); tag != "" {
				tags = append(tags, tag)
			}
		}
	}
	return tags
}

func (a *API) testAccount(r *request) (answer, error) {
	found, err := a.Accounts.ByID(r.Request().Context(), r.id)
	if err != nil {
		return answer{}, err
	}
	report, err := a.Connect.Test(r.Request().Context(), found.ID)
	if err != nil {
		return answer{}, err
	}
	return ok(struct {
		Result        string   `json:"result"`
		LatencyMS     int64    `json:"latency_ms"`
		MissingScopes []string `json:"missing_scopes"`
		Verified      bool     `json:"verified"`
	}{string(report.Result), report.Latency.Milliseconds(), listed(report.MissingScopes), report.Verified})
}

// Bounds of how long a token is to last.
const (
	leastValidDefault = 60 * time.Second
	leastValidMost    = 24 * time.Hour
)

func (a *API) getToken(r *request) (answer, error) {
	found, err := a.Accounts.ByID(r.Request().Context(), r.id)
	if err != nil {
		return answer{}, err
	}
	var wanted struct {
		MinValidSeconds *int64 `json:"min_valid_seconds"`
	}
	if len(r.body) > 0 {
		if err := decode(r, &wanted); err != nil {
			return answer{}, err
		}
	}
	valid := leastValidDefault
	if s := wanted.MinValidSeconds; s != nil {
		if *s < 0 || *s > int64(leastValidMost/time.Second) {
			return answer{}, invalid("/min_valid_seconds", "it must be from 0 to %d", leastValidMost/time.Second)
		}
		valid = time.Duration(*s) * time.Second
	}
	opened, err := a.Connect.Token(r.Request().Context(), found.ID, valid)
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusOK, body: a.tokenOf(opened), unkept: true}, nil
}

// token is a credential in the open: the one answer with a secret in it.
type token struct {
	AccessToken string     `json:"access_token"`
	TokenType   string     `json:"token_type"`
	TokenSecret string     `json:"token_secret,omitempty"`
	ExpiresAt   *time.Time `json:"expires_at"`
	Scopes      []string   `json:"scopes"`
}

func (a *API) tokenOf(o *linkedaccount.Opened) token {
	return token{
		AccessToken: o.Credential.AccessToken.Reveal(), TokenType: a.tokenType(o),
		TokenSecret: o.Credential.TokenSecret.Reveal(), ExpiresAt: known(o.Credential.ExpiresAt), Scopes: listed(o.Scopes),
	}
}

// tokenType is the service's word for the token (RFC 6749 §7.1), or the protocol's name for what is
// none of OAuth's.
func (a *API) tokenType(o *linkedaccount.Opened) string {
	if o.Credential.TokenType != "" {
		return o.Credential.TokenType
	}
	if p, ok := a.Connections[o.AuthID]; ok {
		switch protocol := protocolOf(p.Connection); protocol {
		case "api_key", "basic":
			return protocol
		}
	}
	return "bearer"
}
