package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"linkgate/provider"
)

// presetPage is all there is to say about a preset.
type presetPage struct {
	Name        string          `json:"name"` // what to write under provider
	Service     string          `json:"service"`
	Protocol    string          `json:"protocol"`
	Addresses   []presetAddress `json:"addresses"`
	Scopes      []string        `json:"scopes"`
	Asked       []askedField    `json:"asked"`  // what each user is asked for
	Habits      []string        `json:"habits"` // sentences
	Remarks     []string        `json:"remarks"`
	Unverified  []string        `json:"unverified"` // keys that hold a value which nobody has confirmed
	Console     string          `json:"console,omitempty"`
	Steps       []string        `json:"steps"`
	RedirectURI string          `json:"redirect_uri,omitempty"` // none: nobody is sent to the service
	Entry       string          `json:"entry"`                  // for the list in connections.yaml
	Sources     []presetSource  `json:"sources"`
}

type presetAddress struct {
	Key string `json:"key"`
	URL string `json:"url"`
}

type askedField struct {
	Key     string `json:"key"`
	Label   string `json:"label"`
	Secret  bool   `json:"secret"`
	Example string `json:"example,omitempty"`
}

type presetSource struct {
	URL        string   `json:"url,omitempty"`
	For        []string `json:"for"`
	Unverified bool     `json:"unverified"`
}

func newPresetPage(name string, p provider.PresetFile, redirectURI, authID string) presetPage {
	c := p.Connection
	page := presetPage{
		Name: name, Service: c.Name, Protocol: c.Protocol,
		Addresses: addressesOf(c), Scopes: append([]string{}, c.Scopes...), Asked: []askedField{},
		Habits: habits(c), Remarks: []string{}, Unverified: append([]string{}, p.Unverified()...),
		Console: p.Setup.Console, Steps: []string{}, Entry: entryFor(name, authID, c), Sources: []presetSource{},
	}
	if c.Redirects() {
		page.RedirectURI = redirectURI
	}
	for _, f := range c.Fields {
		page.Asked = append(page.Asked, askedField{f.Key, f.Label, f.Secret, f.Example})
	}
	for _, r := range p.Remarks {
		if r.Key != "" {
			r.Text = r.Key + ": " + r.Text
		}
		page.Remarks = append(page.Remarks, r.Text)
	}
	for _, step := range p.Setup.Steps {
		page.Steps = append(page.Steps, strings.ReplaceAll(step, provider.RedirectURIPlaceholder, redirectURI))
	}
	for _, s := range p.Sources {
		page.Sources = append(page.Sources, presetSource{s.URL, s.For, s.Unverified})
	}
	return page
}

func addressesOf(c provider.Connection) []presetAddress {
	addresses := []presetAddress{
		{"issuer", c.Issuer}, {"request_token_url", c.RequestTokenURL}, {"authorize_url", c.AuthorizeURL},
		{"access_token_url", c.AccessTokenURL}, {"token_url", c.TokenURL}, {"refresh_url", c.RefreshURL}, {"revoke_url", c.RevokeURL},
		{"login.url", c.Login.URL}, {"refresh.url", c.Refresh.URL},
		{"identity.url", c.Identity.URL}, {"verify.url", c.Verify.URL}, {"calls.base_url", c.Calls.BaseURL},
	}
	return slices.DeleteFunc(addresses, func(a presetAddress) bool { return a.URL == "" })
}

// habits says in words what is known of the service's ways.
func habits(c provider.Connection) []string {
	all := []string{signInHabit(c)}
	all = append(all, "Whose account it is: "+identityHabit(c))
	if c.Protocol == "oauth2" || c.Protocol == "oidc" {
		all = append(all, tokenHabits(c)...)
	}
	if c.Protocol == "oauth1" {
		all = append(all, "Calls are signed ("+cmp.Or(c.SignatureMethod, provider.HMACSHA1)+"). There is nothing to refresh.")
	}
	if place := credentialHabit(c.Credential); place != "" {
		all = append(all, place)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Calls.Headers)) {
		all = append(all, "Calls carry the header "+name+": "+c.Calls.Headers[name]+".")
	}
	return append(all, revocationHabit(c))
}

// credentialHabit says where calls carry the credential, if not as RFC 6750 has it.
func credentialHabit(place provider.CredentialPlace) string {
	switch {
	case place.Username != "" || place.Password != "":
		return fmt.Sprintf("Calls carry it as HTTP Basic (RFC 7617), with %s as user name and %s as password.", place.Username, place.Password)
	case place.Query != "":
		return "Calls carry it in the query, as " + place.Query + "."
	case place.Header != "" || place.Prefix != "":
		habit := "Calls carry it in the header " + cmp.Or(place.Header, "Authorization")
		if place.Prefix != "" {
			habit += ", after the word " + place.Prefix
		}
		return habit + "."
	}
	return ""
}

func signInHabit(c provider.Connection) string {
	switch {
	case !c.Redirects():
		return "Users type their credential at Linkgate's own page; it is tried before anything is saved."
	case len(c.Fields) > 0:
		return "Users say where they are at Linkgate's own page, and then sign in at the service."
	case c.PKCE == provider.PKCENone:
		return "Users sign in at the service. PKCE is left out, for the service fails on it."
	}
	return "Users sign in at the service."
}

func identityHabit(c provider.Connection) string {
	where := "the answer of identity.url has its id at "
	switch {
	case c.Protocol == "oidc":
		return "the ID token says so (sub)."
	case c.Identity.ID == "" && c.Paths.ExternalID != "":
		return "the answer to the sign-in has its id at " + c.Paths.ExternalID + "."
	case c.Identity.ID == "":
		return "the service does not say; a fingerprint of the credential stands for it."
	case c.Identity.URL == "token":
		where = "the token answer has its id at "
	case c.Identity.URL == "":
		where = "its id is what was typed, "
	}
	habit := where + c.Identity.ID
	if c.Identity.Name != "" {
		habit += ", and a name for people at " + c.Identity.Name
	}
	return habit + "."
}

func tokenHabits(c provider.Connection) []string {
	var all []string
	switch c.Rotation {
	case provider.RotationNone:
		all = append(all, "Rotation: none. A refresh leaves the refresh token as it is.")
	case provider.RotationAlways:
		all = append(all, "Rotation: a refresh may bring a new refresh token, which takes the old one's place.")
	default:
		all = append(all, "Rotation: not known, so taken as if a refresh brought a new refresh token each time.")
	}
	lifetime := "Lifetime: an access token lives as long as the token answer says; where it says nothing, until the service refuses it."
	if c.Lifetime > 0 {
		lifetime = fmt.Sprintf("Lifetime: an access token is taken to live %s where the token answer says nothing.", inDays(c.Lifetime))
	}
	keepAlive := "Keep-alive: that an unused refresh token dies is not known."
	if c.KeepAlive > 0 {
		keepAlive = fmt.Sprintf("Keep-alive: a refresh token that is unused for %s dies; Linkgate uses it before.", inDays(c.KeepAlive))
	}
	return append(all, lifetime, keepAlive)
}

func revocationHabit(c provider.Connection) string {
	switch {
	case c.RevokeURL != "" && c.RevokeMethod == provider.RevokeDelete:
		return "Revocation: at disconnect Linkgate has the token revoked, by DELETE."
	case c.RevokeURL != "":
		return "Revocation: at disconnect Linkgate has the token revoked (RFC 7009)."
	case c.Protocol == "oidc":
		return "Revocation: at disconnect Linkgate has the token revoked, if the service's discovery document names an address for it."
	case c.Redirects():
		return "Revocation: unsupported. At disconnect Linkgate forgets the token; the user can remove the access at the service."
	}
	return "Revocation: unsupported. At disconnect Linkgate forgets the credential; the user can make it useless at the service."
}

// inDays is a duration in the unit that people think in.
func inDays(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= 2*day && d%day == 0 {
		return fmt.Sprintf("%d days", d/day)
	}
	s := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, zero) {
			s = s[:len(s)-2]
		}
	}
	return s
}

// entryFor is an entry for the list in connections.yaml that works as it is, once its variables are
// set. What the operator may want to change is there as a comment.
func entryFor(name, authID string, c provider.Connection) string {
	var e strings.Builder
	fmt.Fprintf(&e, "  - auth_id: %s\n    provider: %s\n", authID, name)
	variable := strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
	if c.Redirects() {
		fmt.Fprintf(&e, "    client_id: ${%s_CLIENT_ID}\n", variable)
		if c.AuthStyle != provider.AuthNone {
			fmt.Fprintf(&e, "    client_secret: ${%s_CLIENT_SECRET}\n", variable)
		}
		if len(c.Scopes) > 0 {
			fmt.Fprintf(&e, "    # scopes: [%s]   # yours take the place of these\n", strings.Join(c.Scopes, ", "))
		}
	}
	if c.Calls.BaseURL != "" {
		e.WriteString("    # calls:\n    #   allow: [\"GET /**\"]   # what may be called in a user's name; nothing until you say so\n")
	}
	return e.String()
}

// write prints the page for people.
func (p presetPage) write(w io.Writer) error {
	fmt.Fprintf(w, "%s, by the protocol %s\n", p.Service, p.Protocol)
	p.facts(w)
	section(w, "Habits", p.Habits)
	section(w, "Remarks", p.Remarks)
	if len(p.Unverified) > 0 {
		fmt.Fprintf(w, "\nNot confirmed by anybody: try these before you rely on them\n  %s\n", strings.Join(p.Unverified, ", "))
	}
	p.setup(w)
	fmt.Fprintf(w, "\nFor the list in connections.yaml\n%s", p.Entry)
	return p.sources(w)
}

func section(w io.Writer, title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s\n", title)
	for _, line := range lines {
		fmt.Fprintln(w, "  "+wrapped(line, "\n    "))
	}
}

// wrapped breaks a line between words where it gets longer than people like to read.
func wrapped(line, newline string) string {
	const width = 96
	var b strings.Builder
	room := width
	for i, word := range strings.Fields(line) {
		switch {
		case i == 0:
		case len(word)+1 > room:
			b.WriteString(newline)
			room = width
		default:
			b.WriteByte(' ')
			room--
		}
		b.WriteString(word)
		room -= len(word)
	}
	return b.String()
}

// facts are the addresses, scopes and fields.
func (p presetPage) facts(w io.Writer) {
	table := newTable(w)
	fmt.Fprintln(table, "\nAddresses")
	for _, a := range p.Addresses {
		fmt.Fprintf(table, "  %s\t%s\n", a.Key, cmp.Or(map[string]string{"token": "the token answer itself"}[a.URL], a.URL))
	}
	_ = table.Flush() // sources() finds out that nobody reads
	section(w, "Scopes", p.Scopes)
	if len(p.Asked) == 0 {
		return
	}
	fmt.Fprintln(table, "\nAsked of each user")
	for _, f := range p.Asked {
		what := f.Label
		switch {
		case f.Secret:
			what += ", a secret"
		case f.Example != "":
			what += ", such as " + f.Example
		}
		fmt.Fprintf(table, "  %s\t%s\n", f.Key, what)
	}
	_ = table.Flush()
}

func (p presetPage) setup(w io.Writer) {
	if len(p.Steps) == 0 {
		return
	}
	fmt.Fprintln(w, strings.TrimRight("\nWhat to do at the service\n  "+p.Console, " \n"))
	for i, step := range p.Steps {
		fmt.Fprintf(w, "  %d. %s\n", i+1, wrapped(step, "\n     "))
	}
	if p.RedirectURI == "" {
		return
	}
	fmt.Fprintf(w, "\nThe redirect URI to paste there\n  %s\n", p.RedirectURI)
	if strings.Contains(p.RedirectURI, unknownPublicURL) || strings.HasSuffix(p.RedirectURI, "/"+unknownAuthID) {
		fmt.Fprintln(w, "  with Linkgate's address and the host's Auth Id filled in: --public-url, --auth-id")
	}
}

func (p presetPage) sources(w io.Writer) error {
	table := newTable(w)
	fmt.Fprintln(table, "\nWhere this comes from")
	for _, s := range p.Sources {
		keys := strings.Join(s.For, ", ")
		if s.Unverified {
			keys += " (not confirmed)"
		}
		fmt.Fprintf(table, "  %s\n    %s\n", cmp.Or(s.URL, "no page"), keys)
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("printing the preset: %w", err)
	}
	return nil
}
