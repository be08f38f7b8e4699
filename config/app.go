package config

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

const (
	minSigning    = 24       // bytes; the least that Standard Webhooks allows
	signingPrefix = "whsec_" // with which Standard Webhooks lets a secret begin
)

// app checks where the owner's own app is, and how it knows us.
func (r *rules) app() {
	c := r.config
	if c.AppURL == "" {
		return
	}
	if _, problem := parseWebAddress(c.AppURL); problem != "" {
		r.add("APP_URL", problem, "Set it to the address of your own app, such as http://localhost:3000, with a path if it is below one.")
	}
	c.AppURL = strings.TrimRight(c.AppURL, "/")
	r.appSecret()
}

func (r *rules) appSecret() {
	const variable, remedy = "APP_SECRET", "Make one with: openssl rand -base64 32. Your app needs the same, to know what comes from Linkgate."
	text := r.config.AppSecret.Reveal()
	if text == "" {
		r.add(variable, "is not set, though APP_URL is", remedy)
		return
	}
	if problem := signingProblem(text); problem != "" {
		r.add(variable, problem, remedy)
	}
}

// signingProblem is what is wrong with a secret of Standard Webhooks; empty: nothing.
func signingProblem(text string) string {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(text, signingPrefix))
	switch {
	case err != nil:
		return "is not base64"
	case len(key) < minSigning:
		return fmt.Sprintf("has %s, less than %d", Count(len(key), "byte"), minSigning)
	}
	return ""
}

// injections warns of access tokens that nobody would get, or that others could read on their way.
func (c Config) injections() []Mistake {
	var ids []string
	for _, connection := range c.Connections {
		if connection.App.Inject {
			ids = append(ids, connection.AuthID)
		}
	}
	slices.Sort(ids)
	named := strings.Join(ids, ", ")
	app, problem := parseWebAddress(c.AppURL)
	switch {
	case len(ids) == 0:
		return nil
	case c.AppURL == "":
		return []Mistake{{
			Variable: "APP_URL",
			Text:     "APP_URL is not set, so that app.inject has no effect: " + named,
			Remedy:   "Set APP_URL to the address of your own app, or take app.inject out.",
		}}
	case problem == "" && app.Scheme == "http" && !looksPrivate(app):
		return []Mistake{{
			Variable: "APP_URL",
			Text:     "APP_URL is http to a host that does not look like your own network's, and app.inject sends access tokens there: " + named,
			Remedy:   "Use https.",
		}}
	}
	return nil
}

// looksPrivate tells a host that is hardly reached over the internet: this machine, a private
// address, a name without dots (as containers have), or one under a domain for private use.
func looksPrivate(u *url.URL) bool {
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast()
	}
	if isLoopback(host) || !strings.Contains(host, ".") {
		return true
	}
	private := []string{".internal", ".local", ".lan", ".home.arpa"} // RFC 6762, RFC 8375, and ICANN's choice of 2024
	return slices.ContainsFunc(private, func(domain string) bool { return strings.HasSuffix(host, domain) })
}
