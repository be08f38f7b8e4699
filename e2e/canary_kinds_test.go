package e2e

import (
	"linkgate/demo"
)

// typeSecrets connects by way of our own form, after keys and passwords that are wrong: too long, of
// the wrong kind, refused by the service. Nothing that was typed and is secret may be anywhere.
func (c *canary) typeSecrets() {
	c.t.Helper()
	c.know("key of the vault", demo.VaultAdaKey, demo.VaultGraceKey, demo.VaultAdaToken)
	c.know("password at Amino", demo.AminoPassword)
	for _, kind := range []struct {
		authID, secret string
		values         typing
	}{
		{demo.VaultKey, "api_key", typing{"api_key": demo.VaultGraceKey}},
		{demo.VaultBasic, "api_token", typing{"email": demo.VaultAdaEmail, "api_token": demo.VaultAdaToken}},
		{demo.AminoMove, "password", typing{"customer": "acme", "username": demo.AminoUser, "password": demo.AminoPassword}},
	} {
		user := c.user()
		b, page := c.ticketPage(c.t, user, kind.authID)
		wrong := typing{}
		for key, value := range kind.values {
			wrong[key] = value
		}
		for _, value := range []string{c.mintOdd("secret typed wrong"), "vault-" + c.mintLong(), c.mintOdd("secret typed wrong")} {
			wrong[kind.secret] = value
			if page = typeIn(c.t, b, page, wrong); page.Status != 422 {
				c.t.Errorf("%s: a wrong secret is answered with %d", kind.authID, page.Status)
			}
			c.dump()
		}
		wantState(c.t, typeIn(c.t, b, page, kind.values), "linked")
		c.dump()
		for _, a := range c.accountsAt(user, kind.authID) {
			if err := c.Host.Disconnect(c.t.Context(), user, a.ID); err != nil {
				c.t.Error(err)
			}
		}
	}
}

// signInElsewhere connects at the other kinds of service.
func (c *canary) signInElsewhere() {
	c.t.Helper()
	for _, authID := range []string{demo.PhotosOAuth1, demo.MixAppOIDC, demo.SunshineAuth} {
		user := c.user()
		username := "linus" // who owns one app at Sunshine, and is not asked which
		if authID == demo.PhotosOAuth1 {
			username = "ada"
		}
		page, err := demo.NewBrowser().SignIn(c.t.Context(), c.begun(user, authID), username)
		if err != nil {
			c.t.Fatalf("%s: %v", authID, err)
		}
		wantState(c.t, page, "linked")
		c.dump()
		for _, a := range c.accountsAt(user, authID) {
			if err := c.Host.Disconnect(c.t.Context(), user, a.ID); err != nil {
				c.t.Error(err)
			}
		}
	}
}

// connectTeam connects the account that is the client's own.
func (c *canary) connectTeam() {
	c.t.Helper()
	user := c.user()
	b, page := c.ticketPage(c.t, user, demo.NotesTeam)
	wantState(c.t, typeIn(c.t, b, page, nil), "linked")
	c.dump()
	for _, a := range c.accountsAt(user, demo.NotesTeam) {
		if err := c.Host.Disconnect(c.t.Context(), user, a.ID); err != nil {
			c.t.Error(err)
		}
	}
}

// begun is the address of a new session.
func (c *canary) begun(user, authID string) string {
	c.t.Helper()
	address, err := c.Host.Connect(c.t.Context(), user, authID)
	if err != nil {
		c.t.Fatal(err)
	}
	return address
}

// knowKinds remembers the secrets of the other kinds of service.
func (c *canary) knowKinds() {
	c.know("secret of Photos", c.kinds.Photos.Secrets()...)
	c.know("secret of Sunshine", c.kinds.Sunshine.Secrets()...)
	c.know("secret of MixApp", c.kinds.MixApp.Secrets()...)
}

// mintLong makes a secret that is longer than what is read of a field.
func (c *canary) mintLong() string {
	s := c.mint("secret that is too long")
	for len(s) < 5000 {
		s += s
	}
	return s
}
