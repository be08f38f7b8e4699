// Package demo simulates the world around Linkgate: a host whose users connect accounts (Host),
// and an external service whose accounts they are (Service). `linkgate demo` shows them to a
// person; the end-to-end tests run against the very same two and make them misbehave with a
// Script. Browser is a scripted user for tests that need no real browser.
//
// All three know Linkgate from outside only, by its HTTP contract. Wiring them together takes
// three addresses:
//
//	clients := demo.Clients(linkgateURL)
//	service := demo.NewService(demo.ServiceOptions{Issuer: serviceURL, Clients: clients})
//	host := demo.NewHost(demo.HostOptions{LinkgateURL: linkgateURL})
//	yaml := demo.Connections(serviceURL, clients)
//
// with host.APIKey(), host.ProxySecret() and the host's address in Linkgate's environment. Both
// servers keep everything in memory, make their secrets anew at each start, and are safe for
// use by many goroutines.
package demo
