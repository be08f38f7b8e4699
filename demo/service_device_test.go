package demo_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"linkgate/demo"
)

// device is the configuration of a client that signs users in by code.
func (p *party) device(authID string) *oauth2.Config {
	c := p.config(authID)
	c.Endpoint.DeviceAuthURL = p.issuer + "/oauth/device"
	return c
}

// TestDevice: a client of other make, golang.org/x/oauth2, gets tokens for a code that is typed in a
// browser, after it was told to wait.
func TestDevice(t *testing.T) {
	for _, authID := range []string{demo.NotesOIDC, demo.NotesOAuth2} {
		t.Run(authID, func(t *testing.T) {
			p := newParty(t, demo.ServiceOptions{DevicePause: time.Second})
			c := p.device(authID)
			d, err := c.DeviceAuth(t.Context(), oauth2.SetAuthURLParam("client_secret", c.ClientSecret))
			if err != nil {
				t.Fatal(err)
			}
			if code := p.poll(t, c, d.DeviceCode); code != "authorization_pending" {
				t.Errorf("before it is typed: %q", code)
			}
			if code := p.poll(t, c, d.DeviceCode); code != "slow_down" {
				t.Errorf("at once again: %q", code)
			}
			b := demo.NewBrowser()
			if page, err := b.Activate(t.Context(), d.VerificationURI, "wrong", "ada", "allow"); err != nil || !strings.Contains(page.Body, `class="mistake"`) {
				t.Errorf("a wrong code: %v\n%s", err, page.Body)
			}
			typed := strings.ToLower(strings.ReplaceAll(d.UserCode, "-", " "))
			page, err := b.Activate(t.Context(), d.VerificationURI, typed, "ada", "allow")
			if err != nil || !strings.Contains(page.Body, `id="done"`) {
				t.Fatalf("typing the code: %v\n%s", err, page.Body)
			}
			token, err := c.DeviceAccessToken(t.Context(), d)
			if err != nil || token.RefreshToken == "" || !p.service.Active(token.AccessToken) {
				t.Fatalf("the tokens: %+v, %v", token, err)
			}
			idToken, _ := token.Extra("id_token").(string)
			if (idToken != "") != (authID == demo.NotesOIDC) {
				t.Errorf("an ID token for %s: %q", authID, idToken)
			}
			if code := p.poll(t, c, d.DeviceCode); code != "invalid_grant" {
				t.Errorf("once more: %q", code)
			}
			next, err := c.TokenSource(t.Context(), &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
			if err != nil || next.RefreshToken == token.RefreshToken || p.service.Active(token.AccessToken) {
				t.Errorf("refreshing: %+v, %v", next, err)
			}
		})
	}
}

// TestDeviceEnds: by the user, by time, and never for another client.
func TestDeviceEnds(t *testing.T) {
	p := newParty(t, demo.ServiceOptions{})
	c := p.device(demo.NotesOAuth2)
	d, err := c.DeviceAuth(t.Context(), oauth2.SetAuthURLParam("client_secret", c.ClientSecret))
	if err != nil {
		t.Fatal(err)
	}
	if code := p.poll(t, p.device(demo.NotesOIDC), d.DeviceCode); code != "invalid_grant" {
		t.Errorf("another client: %q", code)
	}
	page, err := demo.NewBrowser().Activate(t.Context(), d.VerificationURIComplete, "", "ada", "deny")
	if err != nil || !strings.Contains(page.Body, `id="done"`) {
		t.Fatalf("saying no: %v\n%s", err, page.Body)
	}
	if code := p.poll(t, c, d.DeviceCode); code != "access_denied" {
		t.Errorf("denied: %q", code)
	}
	if d, err = c.DeviceAuth(t.Context(), oauth2.SetAuthURLParam("client_secret", c.ClientSecret)); err != nil {
		t.Fatal(err)
	}
	p.service.ExpireDevices()
	if code := p.poll(t, c, d.DeviceCode); code != "expired_token" {
		t.Errorf("too late: %q", code)
	}
	if page, err := demo.NewBrowser().Activate(t.Context(), d.VerificationURIComplete, "", "ada", "allow"); err != nil || strings.Contains(page.Body, `value="allow"`) {
		t.Errorf("typed too late: %v\n%s", err, page.Body)
	}
}

// TestDeviceRefuses whoever is no client, and scopes that nobody has.
func TestDeviceRefuses(t *testing.T) {
	p := newParty(t, demo.ServiceOptions{})
	c := p.device(demo.NotesOAuth2)
	for what, params := range map[string][]oauth2.AuthCodeOption{
		"no secret":     nil,
		"wrong secret":  {oauth2.SetAuthURLParam("client_secret", "guess")},
		"unknown scope": {oauth2.SetAuthURLParam("client_secret", c.ClientSecret), oauth2.SetAuthURLParam("scope", "admin")},
	} {
		if d, err := c.DeviceAuth(t.Context(), params...); err == nil {
			t.Errorf("%s: got %+v", what, d)
		}
	}
}

// poll asks once and tells the error code.
func (p *party) poll(t *testing.T, c *oauth2.Config, deviceCode string) string {
	t.Helper()
	_, err := c.Exchange(t.Context(), "", oauth2.SetAuthURLParam("grant_type", "urn:ietf:params:oauth:grant-type:device_code"), oauth2.SetAuthURLParam("device_code", deviceCode))
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) || refused.Response.StatusCode < http.StatusBadRequest {
		t.Fatalf("polling: %v", err)
	}
	return refused.ErrorCode
}
