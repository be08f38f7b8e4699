// Package demo simulates the world around Linkgate: a host whose users connect accounts (Host), an
// external service whose accounts they are (Service), with an API to call as them, and an owner's
// own app (OwnerApp). `linkgate demo` shows them to a person; the end-to-end tests run against the
// very same, make host and service misbehave with a Script, and ask them what they have seen.
// Browser is a scripted user for tests that need no real browser.
//
// All of them know Linkgate from outside only, by its HTTP contract. Wiring them together takes
// three addresses:
//
//	clients := demo.Clients(linkgateURL)
//	service := demo.NewService(demo.ServiceOptions{Issuer: serviceURL, Clients: clients})
//	host := demo.NewHost(demo.HostOptions{LinkgateURL: linkgateURL})
//	yaml := demo.Connections(serviceURL, clients)
//
// with host.APIKey(), host.ProxySecret() and the host's address in Linkgate's environment, and with
// the app's address and app.Secret() if there is one. The servers keep everything in memory, make
// their secrets anew at each start, and are safe for use by many goroutines.
package demo
