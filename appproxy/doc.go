// Package appproxy is what stands between the host and the owner's own app: every request that is not
// for Linkgate itself goes on to APP_URL, so that an existing app needs no OAuth code at all. It gets
//
//   - Linkgate-User-Id, the host user who acted, in UTF-8;
//   - for each connection with `app: {inject: true}` one of Linkgate-Token-<auth id>, an access token
//     that is valid for at least a minute where the service grants more, and
//     Linkgate-Token-Error-<auth id>, why there is none: not_connected, reauth_required or unavailable;
//   - webhook-id, webhook-timestamp and webhook-signature, by which it knows that Linkgate says so.
//
// # What a client can't say
//
// Whatever a client sends under names that could be taken for these is removed (names.go), and so are
// the host's own headers, the proxy secret above all, and what proxies say of where a request came
// from. Authorization and Cookie stay: they are between the host's client and the app. Only WebSocket
// may take a connection over, and paths with dot segments are refused, so that nobody leaves the path
// of APP_URL. The address of the app is the operator's own and may be private; how often a user may
// ask it is the app's own business.
//
// # The signature
//
// It is that of Standard Webhooks, made and checked by the project's libraries, which exist for most
// languages: HMAC-SHA256 with the shared secret over webhook-id, webhook-timestamp and a payload,
// joined by dots. As a request has no fixed form that could be signed, the payload is made of what
// matters in it, in lines that are separated by a single line feed (no carriage return, none at the
// end):
//
//	the method:                                    POST
//	the request target, as on the request line:    /cards/7/click?x=1
//	the value of Linkgate-User-Id:                 u_123
//	each Linkgate-Token… header: its name in
//	lower case, a colon, a space, its value;
//	these lines sorted by their bytes:             linkgate-token-7f3c: gho_16C7e42F292c
//	                                               linkgate-token-error-9a1b: not_connected
//
// The example of Proxy checks one. The body is not covered: it passes through as a stream, and its
// end is not known when the headers are sent. A signature is good for the five minutes that the libraries
// allow, and may be copied with its request meanwhile; an app that is reached by others than Linkgate
// remembers each webhook-id for as long. Between Linkgate and an app on another machine stands TLS, or
// a network that both trust: tokens are in these headers.
package appproxy
