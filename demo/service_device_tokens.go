package demo

import (
	"context"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/compose"
	"github.com/ory/fosite/handler/oauth2"
	"github.com/ory/fosite/handler/openid"
)

// deviceTokens trades device codes for tokens, as a handler of fosite's token endpoint: fosite has none
// of its own in this version. Clients, tokens and ID tokens are fosite's.
type deviceTokens struct {
	*oauth2.HandleHelper
	*openid.IDTokenHandleHelper
	refresh  oauth2.RefreshTokenStrategy
	store    oauth2.RefreshTokenStorage
	config   fosite.Configurator
	devices  *devices
	session  func(ServiceUser) *openid.DefaultSession
	lifespan time.Duration // of an ID token
}

var _ fosite.TokenEndpointHandler = (*deviceTokens)(nil)

// deviceFactory makes the handler as compose wants it.
func (s *Service) deviceFactory(config fosite.Configurator, storage, strategy any) any {
	store, _ := storage.(*store)
	strategies, _ := strategy.(*compose.CommonStrategy)
	return &deviceTokens{
		HandleHelper:        &oauth2.HandleHelper{AccessTokenStrategy: strategies, AccessTokenStorage: store, Config: config},
		IDTokenHandleHelper: &openid.IDTokenHandleHelper{IDTokenStrategy: strategies},
		refresh:             strategies, store: store, config: config,
		devices: &s.devices, session: s.newSession, lifespan: time.Hour,
	}
}

// CanSkipClientAuth implements fosite.TokenEndpointHandler.
func (*deviceTokens) CanSkipClientAuth(context.Context, fosite.AccessRequester) bool { return false }

// CanHandleTokenEndpointRequest implements fosite.TokenEndpointHandler.
func (*deviceTokens) CanHandleTokenEndpointRequest(_ context.Context, r fosite.AccessRequester) bool {
	return r.GetGrantTypes().ExactOne(deviceGrant)
}

// HandleTokenEndpointRequest implements fosite.TokenEndpointHandler (RFC 8628 §3.4).
func (h *deviceTokens) HandleTokenEndpointRequest(ctx context.Context, r fosite.AccessRequester) error {
	if !h.CanHandleTokenEndpointRequest(ctx, r) {
		return fosite.ErrUnknownRequest
	}
	if !r.GetClient().GetGrantTypes().Has(deviceGrant) {
		return fosite.ErrUnauthorizedClient
	}
	d, err := h.devices.poll(r.GetRequestForm().Get("device_code"), r.GetClient().GetID())
	if err != nil {
		return err
	}
	session, now := h.session(d.user), time.Now().UTC()
	session.SetExpiresAt(fosite.AccessToken, now.Add(h.Config.GetAccessTokenLifespan(ctx)).Round(time.Second))
	session.SetExpiresAt(fosite.RefreshToken, now.Add(h.Config.GetRefreshTokenLifespan(ctx)).Round(time.Second))
	r.SetSession(session)
	r.SetRequestedScopes(d.scopes)
	for _, name := range d.approved {
		r.GrantScope(name)
	}
	return nil
}

// PopulateTokenEndpointResponse implements fosite.TokenEndpointHandler (RFC 6749 §5.1).
func (h *deviceTokens) PopulateTokenEndpointResponse(ctx context.Context, r fosite.AccessRequester, w fosite.AccessResponder) error {
	if !h.CanHandleTokenEndpointRequest(ctx, r) {
		return fosite.ErrUnknownRequest
	}
	access, err := h.IssueAccessToken(ctx, h.Config.GetAccessTokenLifespan(ctx), r, w)
	if err != nil {
		return err
	}
	if r.GetGrantedScopes().HasOneOf(h.config.GetRefreshTokenScopes(ctx)...) {
		token, signature, err := h.refresh.GenerateRefreshToken(ctx, r)
		if err != nil {
			return err
		}
		if err := h.store.CreateRefreshTokenSession(ctx, signature, access, r); err != nil {
			return err
		}
		w.SetExtra("refresh_token", token)
	}
	session, ok := r.GetSession().(*openid.DefaultSession)
	if !ok || !r.GetGrantedScopes().Has("openid") {
		return nil
	}
	session.IDTokenClaims().AccessTokenHash = h.GetAccessTokenHash(ctx, r, w)
	return h.IssueExplicitIDToken(ctx, h.lifespan, r, w)
}
