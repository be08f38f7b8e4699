// Package browser holds what pages of the app's owner load from Linkgate: linkgate.js, which opens
// the window for a session and tells how it ended, and its types. It is written by hand and served as
// it is: no bundler, no dependencies.
package browser

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the files
	"encoding/base64"
	"net/http"
	"time"
)

//go:embed linkgate.js
var script []byte

//go:embed linkgate.d.ts
var types []byte

// File is one of them, made ready to be served.
type File struct {
	content     []byte
	contentType string
	etag        string
}

// Script is linkgate.js.
func Script() File { return newFile(script, "text/javascript; charset=utf-8") }

// Types is linkgate.d.ts.
func Types() File { return newFile(types, "text/plain; charset=utf-8") }

func newFile(content []byte, contentType string) File {
	sum := sha256.Sum256(content)
	return File{content, contentType, `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`}
}

// ServeHTTP answers GET and HEAD, conditional ones too (RFC 9110 §13). Pages of any origin may load
// it, those that demand it of what they load (Cross-Origin-Embedder-Policy) as well: it is public,
// and knows nobody.
func (f File) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", f.contentType)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "public, max-age=3600")
	h.Set("ETag", f.etag)
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.content))
}
