// Package v1 is the HTTP in front of the accounts API: what an app's back end asks with an API key.
// routes.go is its whole table, with the scope that each route needs; openapi/openapi.yaml says the
// same to those who call it, and a test holds the two together.
//
// Every request goes the same way (guard.go): the key is proven, its scope and its rate are looked
// at, and a POST with an Idempotency-Key is answered from what was kept of the first (once.go). Then
// the query is read as the route's line has it (params.go), and the id in the path. A handler finds
// both in its request, reads the body (body.go), makes one call, and gives back an answer (answer.go).
// All reading is strict: what is not known is a mistake, and a query's or a body's mistakes are told at once.
//
// Errors are told by the parent package, whose table knows what each means; those in errors.go are of
// this package alone. What is done, and in which order, is in connect.
package v1
