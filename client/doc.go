// Package client is a Go client of Linkgate's accounts API (/v1): accounts that users have connected
// at external services, the components that use them, connect sessions, calls in a user's name, and
// what has happened. Its words are those of the API's own document, at /docs of every Linkgate.
//
//	c, err := client.New("https://connect.example.com", os.Getenv("LINKGATE_API_KEY"))
//	…
//	for account, err := range c.Accounts(ctx, client.AccountFilter{UserID: "u-1815"}) {
//
// What Linkgate answers in place of what was asked for is a *[Problem], for errors.As.
//
// Requests that may be repeated are: when Linkgate asks to come back (429, 503) or can't be reached,
// as long as the context lasts and [WithPatience] allows. A POST that changes something is repeated with the
// same Idempotency-Key, which the client draws itself, so that it is done once. PATCH and calls are
// sent once, for nobody knows what it means to do those twice; 429 alone says that nothing was done.
//
// The package needs nothing but the standard library, nothing else of Linkgate, and is safe for
// concurrent use.
package client
