package handlers

import (
	"context"
	"net/http"
	"slices"
	"time"

	"linkgate/appproxy"
	"linkgate/call"
	"linkgate/connect"
	"linkgate/handlers/inbound"
	v1 "linkgate/handlers/v1"
	"linkgate/idempotency"
	"linkgate/linkedaccount"
	"linkgate/oauthstate"
	"linkgate/templates"
)

// meanings is the one place that knows what an error means; the first that fits counts. A new error of
// a package below is a new line here.
func meanings() []meaning {
	return slices.Concat(sessionMeanings(), callMeanings(), backEndMeanings(), []meaning{
		{context.DeadlineExceeded, unavailable()},
		{context.Canceled, unavailable()}, // work of ours; a client that has left is errNobodyThere
	})
}

// sessionMeanings are about what the host and browsers ask for, and what anybody may get wrong.
func sessionMeanings() []meaning {
	return []meaning{
		{errNobodyThere, failure{status: statusNobodyThere}},
		{errNotHost, failure{http.StatusUnauthorized, "UNAUTHORIZED", "The proxy secret is missing or wrong.", templates.Forbidden, 0}},
		{errNoUser, failure{http.StatusBadRequest, "BAD_REQUEST", "Exactly one well-formed blink-auth-userid is needed.", templates.BadRequest, 0}},
		{inbound.ErrMalformed, failure{http.StatusBadRequest, "BAD_REQUEST", "The request is malformed.", templates.BadRequest, 0}},
		{inbound.ErrTooLarge, failure{http.StatusRequestEntityTooLarge, "PAYLOAD_TOO_LARGE", "The body is larger than 1 MiB.", templates.BadRequest, 0}},
		{errAccount, failure{http.StatusBadRequest, "BAD_REQUEST", "linked_account_id and Linkgate-Account may name one account, once each.", templates.BadRequest, 0}},
		{errComponent, failure{http.StatusBadRequest, "BAD_REQUEST", "component_id and Linkgate-Component may name one component, once each.", templates.BadRequest, 0}},
		{errOtherSite, failure{http.StatusForbidden, "FORBIDDEN", "The form was sent by another site.", templates.Forbidden, 0}},
		{connect.ErrUnknownConnection, failure{http.StatusNotFound, "NOT_FOUND", "There is no such auth id.", templates.NotFound, 0}},
		{connect.ErrNotOffered, failure{http.StatusNotFound, "NOT_FOUND", "This connection has no sign-in by code.", templates.NotFound, 0}},
		{connect.ErrNotFound, failure{http.StatusNotFound, "NOT_FOUND", "This user has no such linked account.", templates.NotFound, 0}},
		{connect.ErrExpired, failure{http.StatusGone, "GONE", "The session is over or never was.", templates.Expired, 0}},
		{connect.ErrUsed, failure{http.StatusConflict, "CONFLICT", "The session has been used.", templates.Used, 0}},
		{connect.ErrWrongBrowser, failure{http.StatusForbidden, "FORBIDDEN", "The session belongs to another browser.", templates.WrongBrowser, 0}},
		{connect.ErrWrongUser, failure{http.StatusForbidden, "FORBIDDEN", "The session was started by another user.", templates.Forbidden, 0}},
		{connect.ErrWrongConnection, failure{http.StatusBadRequest, "BAD_REQUEST", "The session belongs to another auth id.", templates.WrongConnection, 0}},
		{connect.ErrTooMany, failure{http.StatusTooManyRequests, "TOO_MANY_REQUESTS", "There were too many attempts by this user.", templates.TooMany, tooManyRetryAfter}},
		{connect.ErrNotService, failure{http.StatusUnauthorized, "UNAUTHORIZED", "The removal secret is missing or wrong.", templates.Forbidden, 0}},
		{connect.ErrTooManyRemovals, failure{http.StatusTooManyRequests, "TOO_MANY_REQUESTS", "There were too many removals at this connection.", templates.TooMany, time.Second}},
		{connect.ErrHostRefuses, failure{http.StatusBadGateway, "HOST_REFUSED", "The host refuses to delete this account; the operator of the app must look.", templates.Internal, 0}},
		{connect.ErrUnavailable, unavailable()},

		{oauthstate.ErrUnavailable, unavailable()},
	}
}

// callMeanings are about what passes through: calls, and requests for the owner's app.
func callMeanings() []meaning {
	return []meaning{
		{call.ErrUnknownConnection, failure{http.StatusNotFound, "NOT_FOUND", "There is no such auth id.", templates.NotFound, 0}},
		{call.ErrNotConnected, failure{http.StatusNotFound, "NOT_CONNECTED", "This user has no such account at this connection.", templates.NotFound, 0}},
		{call.ErrReauthRequired, failure{http.StatusConflict, "REAUTH_REQUIRED", "The user must sign in at the service again.", templates.Internal, 0}},
		{call.ErrBadPath, badPath()},
		{call.ErrBadBody, badBody()},
		{call.ErrFormTooLong, failure{http.StatusRequestEntityTooLarge, "PAYLOAD_TOO_LARGE", "Forms are signed for this service, and may have 64 KiB. Send less, or another content type that the service takes.", templates.BadRequest, 0}},
		{call.ErrNoTarget, failure{http.StatusConflict, "NO_TARGET", "The account lacks a value that calls.base_url or calls.headers need, or has one that does not fit.", templates.Internal, 0}},
		{call.ErrNotAllowed, failure{http.StatusForbidden, "NOT_ALLOWED", "The connection does not allow this call.", templates.Forbidden, 0}},
		{call.ErrTooMany, failure{http.StatusTooManyRequests, "TOO_MANY_REQUESTS", "There were too many calls by this user.", templates.TooMany, time.Second}},
		{call.ErrRefused, failure{http.StatusBadGateway, "SERVICE_REFUSED", "The service refuses Linkgate's client; the operator of the app must look.", templates.Internal, 0}},
		{call.ErrTimeout, failure{http.StatusGatewayTimeout, "TIMEOUT", "The service did not begin to answer in time.", templates.Unavailable, 0}},
		{call.ErrBroken, failure{http.StatusBadGateway, "BAD_GATEWAY", "The service broke the connection off.", templates.Unavailable, 0}},
		{call.ErrUnavailable, unavailable()},

		{appproxy.ErrBadPath, badPath()},
		{appproxy.ErrBadRequest, badBody()},
		{appproxy.ErrMethod, failure{http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED", "This method is not allowed here.", templates.MethodNotAllowed, 0}},
		{appproxy.ErrTimeout, failure{http.StatusGatewayTimeout, "APP_TIMEOUT", "The app did not begin to answer in time.", templates.Unavailable, 0}},
		{appproxy.ErrUnavailable, failure{http.StatusBadGateway, "APP_UNAVAILABLE", "The app does not answer.", templates.Unavailable, defaultRetryAfter}},
	}
}

// backEndMeanings are about the accounts API.
func backEndMeanings() []meaning {
	return []meaning{
		{v1.ErrUnauthorized, failure{http.StatusUnauthorized, "UNAUTHORIZED", "An API key is needed: Authorization: Bearer lg_... It is missing, doubled, not known, or was revoked.", templates.Forbidden, 0}},
		{v1.ErrScope, failure{http.StatusForbidden, "INSUFFICIENT_SCOPE", "The API key lacks a scope.", templates.Forbidden, 0}},
		{v1.ErrTooMany, failure{http.StatusTooManyRequests, "TOO_MANY_REQUESTS", "There were too many requests with this API key; see API_RATE.", templates.TooMany, time.Second}},
		{v1.ErrInvalid, failure{http.StatusBadRequest, "INVALID_REQUEST", "The request has mistakes in it.", templates.BadRequest, 0}},
		{v1.ErrMediaType, failure{http.StatusUnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE", "The body must be JSON, with Content-Type: application/json.", templates.BadRequest, 0}},
		{connect.ErrOriginNotAllowed, failure{http.StatusBadRequest, "ORIGIN_NOT_ALLOWED", "origin and return_url must be at an origin of SESSION_ORIGINS, spelt alike.", templates.BadRequest, 0}},
		{connect.ErrScopes, failure{http.StatusBadRequest, "BAD_SCOPES", "The connection can't ask for these scopes.", templates.BadRequest, 0}},
		{connect.ErrUnknownUser, failure{http.StatusNotFound, "UNKNOWN_USER", "The host has no such user.", templates.NotFound, 0}},
		{connect.ErrCredentialShape, failure{http.StatusBadRequest, "INVALID_REQUEST", "The credential does not fit the connection.", templates.BadRequest, 0}},
		{connect.ErrCredentialRejected, failure{http.StatusUnprocessableEntity, "CREDENTIAL_REJECTED", "The service does not take the credential.", templates.BadRequest, 0}},
		{connect.ErrScopesMissing, failure{http.StatusUnprocessableEntity, "SCOPES_MISSING", "The credential lacks scopes of the connection; with validate_scope=false it is taken all the same.", templates.BadRequest, 0}},
		{connect.ErrProfileNeeded, failure{http.StatusUnprocessableEntity, "PROFILE_NEEDED", "Nobody tells whose the credential is: send profile with external_account_id.", templates.BadRequest, 0}},
		{connect.ErrOtherProfile, failure{http.StatusUnprocessableEntity, "OTHER_PROFILE", "The credential is another account's than profile says.", templates.BadRequest, 0}},
		{connect.ErrReauthRequired, failure{http.StatusConflict, "REAUTH_REQUIRED", "The user must sign in at the service again.", templates.Internal, 0}},
		{connect.ErrServiceRefuses, failure{http.StatusBadGateway, "SERVICE_REFUSED", "The service refuses Linkgate's client; the operator of the app must look.", templates.Internal, 0}},
		{linkedaccount.ErrComponentID, failure{http.StatusBadRequest, "INVALID_REQUEST", "The component's id can't be one.", templates.BadRequest, 0}},
		{linkedaccount.ErrStale, failure{http.StatusPreconditionFailed, "STALE", "The account has changed since: read it again, and decide anew.", templates.Used, 0}},
		{linkedaccount.ErrNotFound, failure{http.StatusNotFound, "NOT_FOUND", "There is no such account.", templates.NotFound, 0}},
		{idempotency.ErrConflict, failure{http.StatusConflict, "IDEMPOTENCY_CONFLICT", "This Idempotency-Key came with another request before: take a new one for each.", templates.Used, 0}},
		{idempotency.ErrNoAnswer, failure{http.StatusConflict, "NO_ANSWER", "The request with this Idempotency-Key was done, and its answer was not kept: look what has become of it.", templates.Used, 0}},
		{idempotency.ErrInProgress, failure{http.StatusConflict, "IN_PROGRESS", "The first request with this Idempotency-Key is still being worked on.", templates.Used, time.Second}},
	}
}

type meaning struct {
	err     error
	failure failure
}

func unavailable() failure {
	return failure{http.StatusServiceUnavailable, "UNAVAILABLE", "A system we depend on does not answer.", templates.Unavailable, defaultRetryAfter}
}

func badPath() failure {
	return failure{http.StatusBadRequest, "BAD_PATH", "The path can be read in more than one way.", templates.BadRequest, 0}
}

func badBody() failure {
	return failure{http.StatusBadRequest, "BAD_REQUEST", "The request can't be passed on: it is malformed, or its body did not come whole.", templates.BadRequest, 0}
}
