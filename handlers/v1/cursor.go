package v1

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/url"
)

// cursor leads to the page after. It names the last row of the page before, not a number of rows, so
// that nothing is missed or told twice when rows come and go.
type cursor struct {
	After  string `json:"a"`
	Filter string `json:"f"` // of what: another list's cursor would skip what was never told
}

// filterOf is what a cursor remembers of the filters of a list.
func filterOf(q url.Values) string {
	rest := url.Values{}
	for name, values := range q {
		if name != "cursor" && name != "limit" {
			rest[name] = values
		}
	}
	sum := sha256.Sum256([]byte(rest.Encode()))
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

// next is the address of the page after, in a list's answer; nil on the last page.
func next(q url.Values, last string, more bool) *string {
	if !more {
		return nil
	}
	text, _ := json.Marshal(cursor{last, filterOf(q)}) // two strings can't fail
	encoded := base64.RawURLEncoding.EncodeToString(text)
	return &encoded
}

// cursor reads where a page begins; empty: at the start.
func (q *query) cursor() (after string) {
	text := q.text("cursor")
	if text == "" {
		return ""
	}
	var c cursor
	decoded, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || json.Unmarshal(decoded, &c) != nil || c.After == "" {
		q.mistake("?cursor", "it is none of ours: take next_cursor of the page before as it is")
		return ""
	}
	if c.Filter != filterOf(q.values) {
		q.mistake("?cursor", "it belongs to a list with other filters: keep them the same from page to page")
		return ""
	}
	return c.After
}
