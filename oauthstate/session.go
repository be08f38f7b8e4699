// Package oauthstate keeps sessions: one attempt of one host user to connect an account, from the
// click to its result. A session lives in Redis for minutes and may be lost; it is found by its
// ticket (the browser's address) or by the state parameter (the service's callback), of which
// Redis has only hashes, and what must not be read there (verifier, nonce, code) is sealed.
//
// Every change of a session is computed in Go from the value that was read and stored by one
// compare-and-swap, so that of many who try the same change exactly one succeeds.
package oauthstate

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"time"

	"linkgate/secret"
)

// How long a session lives.
const (
	UnopenedLife = 2 * time.Minute  // until its page is opened
	OpenedLife   = 10 * time.Minute // from then on, anew with every step
	LongestLife  = 30 * time.Minute // in all
)

// Phase is how far a session has come.
type Phase string

// The phases: new → open → sent → taken → done; with HOST_FINISH taken → relaying → finishing →
// done. A sign-in by code waits in place of being sent, until the service says that the code has been
// typed: open → waiting → asking → waiting → asking → … → done. A failed session that is done may be sent again by its browser.
const (
	New       Phase = "new"       // nobody has opened its page
	Opened    Phase = "open"      // bound to a browser
	Sent      Phase = "sent"      // the browser is at the service
	Waiting   Phase = "waiting"   // the user is to type a code at the service, in another window
	Asking    Phase = "asking"    // one look at the code has the service asked
	Taken     Phase = "taken"     // one callback is being worked on
	Relaying  Phase = "relaying"  // the host must relay the finish token
	Finishing Phase = "finishing" // one finish is being worked on
	Done      Phase = "done"      // Result tells
)

// Session is one attempt to connect. Its JSON form is what Redis holds.
type Session struct {
	ID         string    `json:"id"` // hash of the ticket; names the key
	AuthID     string    `json:"auth_id"`
	HostUserID string    `json:"user_id"`
	Phase      Phase     `json:"phase"`
	CreatedAt  time.Time `json:"created_at"`

	// What whoever opened it has asked for; all empty for a host's click.
	ComponentID string   `json:"component,omitempty"`  // is to use the account
	Scopes      []string `json:"scopes,omitempty"`     // in place of the connection's
	Origin      string   `json:"origin,omitempty"`     // of the page that is told; empty: the host's
	ReturnURL   string   `json:"return_url,omitempty"` // where a window goes that nobody opened
	By          string   `json:"by,omitempty"`         // id of the API key that opened it; empty: the host did

	HostUserName string   `json:"user_name,omitempty"` // as the host told it
	Attempts     int      `json:"attempts,omitempty"`  // sign-ins begun
	Noted        []string `json:"noted,omitempty"`     // what the audit trail has about it already

	BrowserHash string    `json:"browser,omitempty"`   // of the cookie of the browser it is bound to
	StateHash   string    `json:"state,omitempty"`     // of the current attempt's state parameter
	FinishHash  string    `json:"finish,omitempty"`    // of the finish token
	Sealed      []byte    `json:"sealed,omitempty"`    // what the current attempt must remember
	WorkSince   time.Time `json:"work_since,omitzero"` // by the clock of Redis
	Worker      string    `json:"worker,omitempty"`    // who took it; makes the swap unique

	Result *Result `json:"result,omitempty"` // of Done; of Taken, Asking and Finishing, what is certain already
}

// Result is how a session ended. Its words are connect's.
type Result struct {
	State   string   `json:"state"`
	Reason  string   `json:"reason,omitempty"`
	Name    string   `json:"name,omitempty"`
	Missing []string `json:"missing,omitempty"`

	AccountID   string `json:"account,omitempty"`   // of what is linked
	ComponentID string `json:"component,omitempty"` // that uses it now
}

const (
	ticketBytes = 32
	idBytes     = 16
	tokenBytes  = 32 // 256 random bits behind the id; RFC 9700 asks for 128
)

// NewTicket makes a ticket: 32 random bytes, base64url. Who has it can open the session.
func NewTicket() string { return randomText(ticketBytes) }

// IDOf is the id of the session that a ticket opens.
func IDOf(ticket string) string {
	sum := sha256.Sum256([]byte("ticket:" + ticket))
	return hex.EncodeToString(sum[:idBytes])
}

// NewToken makes a token that leads back to session id: the id and 32 random bytes. The state
// parameter and the finish token are such tokens; they do not reveal the ticket.
func NewToken(id string) secret.Text {
	raw, err := hex.DecodeString(id)
	if err != nil || len(raw) != idBytes {
		panic("oauthstate: not a session id")
	}
	random := make([]byte, tokenBytes)
	rand.Read(random) // never fails
	return secret.New(base64.RawURLEncoding.EncodeToString(append(raw, random...)))
}

// SessionOf is the id of the session a token leads to; ok is false when it is no token at all.
func SessionOf(token string) (id string, ok bool) {
	if len(token) != base64.RawURLEncoding.EncodedLen(idBytes+tokenBytes) {
		return "", false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil {
		return "", false
	}
	return hex.EncodeToString(raw[:idBytes]), true
}

// Hash is what a session keeps of a token or cookie.
func Hash(value string) string {
	sum := sha256.Sum256([]byte(value))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Matches tells whether value is the one that hash was made of. No hash matches nothing.
func Matches(hash, value string) bool {
	return hash != "" && subtle.ConstantTimeCompare([]byte(hash), []byte(Hash(value))) == 1
}

// Life is how long a session in this phase is kept from now on: at least a second, whatever the
// clocks of two replicas think of each other.
func (s Session) Life(now time.Time) time.Duration {
	if s.Phase == New {
		return UnopenedLife
	}
	left := s.CreatedAt.Add(LongestLife).Sub(now)
	return max(time.Second, min(left, OpenedLife))
}

func randomText(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}
