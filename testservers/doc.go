// Package testservers gives tests the real servers that Linkgate runs on, each private to the
// test that asked: a redis-server of its own, a fresh database on the Postgres that `make test`
// starts, and a TCP proxy that puts an outage between Linkgate and either of them.
//
// A server that can't be had fails the test; nothing here ever skips one. What is started listens
// on a free loopback port, and goes away with the test, even when the test process is killed.
package testservers
