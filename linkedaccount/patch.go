package linkedaccount

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"linkgate/event"
)

// Details are what the app's owner calls an account and keeps with it. Nothing here reads them.
type Details struct {
	DisplayName string          // at most MaxDisplayName characters; empty: it goes by Identity.Name
	Metadata    json.RawMessage // an object of at most MaxMetadata bytes; nil: the empty one
}

// Bounds of Details.
const (
	MaxDisplayName = 200      // characters
	MaxMetadata    = 16 << 10 // bytes, without insignificant blanks

	noMetadata = "{}"
)

var (
	// ErrStale: the account is not at the version any more that the change was made for.
	ErrStale = errors.New("the account has changed meanwhile")
	// ErrDisplayName: too long, or not plain text in one line.
	ErrDisplayName = fmt.Errorf("a display name is plain text in one line, of %d characters at most", MaxDisplayName)
	// ErrMetadata: not a JSON object, or too large.
	ErrMetadata = fmt.Errorf("metadata is a JSON object of %d bytes at most", MaxMetadata)
)

// Patch has fn change the details of a live account, whose row nobody else changes meanwhile. With a
// version other than 0 the account must be at that one. What fn leaves as it is, is not written, and
// the version stays. fn may be called again; its error is returned as it is. ErrNotFound,
// ErrStale, ErrDisplayName, ErrMetadata.
func (s *Store) Patch(ctx context.Context, id string, version int64, fn func(*Details) error) (a Account, err error) {
	var invalid error // fn's or of what fn has made; it says enough
	err = s.change(ctx, id, func(ctx context.Context, tx *tx, r record) error {
		invalid = nil
		switch {
		case !r.live():
			return ErrNotFound
		case version != 0 && version != r.Version:
			return ErrStale
		}
		before := r.Details
		r.Metadata = bytes.Clone(before.Metadata)
		if invalid = fn(&r.Details); invalid != nil {
			return invalid
		}
		if r.Details, invalid = r.Details.checked(); invalid != nil {
			return invalid
		}
		if a = r.Account; before.equal(r.Details) {
			return nil
		}
		r, err := s.update(ctx, tx, r)
		a = r.Account
		tx.emit(event.AccountUpdated, a, nil)
		return err
	})
	switch {
	case invalid != nil:
		return Account{}, invalid
	case err != nil:
		return Account{}, fmt.Errorf("changing the details of an account: %w", err)
	}
	return a, nil
}

func (d Details) equal(other Details) bool {
	return d.DisplayName == other.DisplayName && bytes.Equal(d.Metadata, other.Metadata)
}

// checked is d as it is stored. Details may come from anywhere, and both databases must take them.
func (d Details) checked() (Details, error) {
	if !utf8.ValidString(d.DisplayName) || utf8.RuneCountInString(d.DisplayName) > MaxDisplayName ||
		strings.ContainsFunc(d.DisplayName, unicode.IsControl) {
		return Details{}, ErrDisplayName
	}
	if d.Metadata == nil {
		d.Metadata = json.RawMessage(noMetadata)
	}
	object, err := readObject(d.Metadata)
	if err != nil {
		return Details{}, err
	}
	if d.Metadata, err = write(object); err != nil || len(d.Metadata) > MaxMetadata {
		return Details{}, ErrMetadata
	}
	return d, nil
}

// MergeMetadata applies a JSON merge patch (RFC 7396), an object: null removes a member, objects are
// merged, anything else takes the place of what was there. ErrMetadata.
func (d *Details) MergeMetadata(patch json.RawMessage) error {
	changes, err := readObject(patch)
	if err != nil {
		return err
	}
	now := map[string]any{}
	if d.Metadata != nil {
		if now, err = readObject(d.Metadata); err != nil {
			return err
		}
	}
	merged, err := write(mergePatch(now, changes))
	if err != nil {
		return ErrMetadata
	}
	d.Metadata = merged
	return nil
}

// mergePatch is MergePatch of RFC 7396 §2, for a patch that is an object.
func mergePatch(target, patch map[string]any) map[string]any {
	for name, value := range patch {
		object, isObject := value.(map[string]any)
		switch {
		case value == nil:
			delete(target, name)
		case isObject:
			inner, _ := target[name].(map[string]any)
			if inner == nil {
				inner = map[string]any{}
			}
			target[name] = mergePatch(inner, object)
		default:
			target[name] = value
		}
	}
	return target
}

// readObject reads an object, and nothing after it, with its numbers as they are written.
func readObject(text json.RawMessage) (object map[string]any, err error) {
	if len(text) > patchLimit || !utf8.Valid(text) || !json.Valid(text) {
		return nil, ErrMetadata
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&object); err != nil || object == nil {
		return nil, ErrMetadata
	}
	return object, nil
}

// patchLimit bounds what is read: a patch may say more than what comes of it, or have blanks in it.
const patchLimit = 4 * MaxMetadata

// write encodes with its members in order, so that what is equal looks equal.
func write(object map[string]any) (json.RawMessage, error) {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false) // < is one byte in the owner's count, too
	if err := e.Encode(object); err != nil {
		return nil, fmt.Errorf("encoding metadata: %w", err)
	}
	return bytes.TrimRight(text.Bytes(), "\n"), nil
}
