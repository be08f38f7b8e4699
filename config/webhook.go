package config

import (
	"fmt"
	"strings"

	"linkgate/secret"
)

// webhook checks where events go, and with what they are signed.
func (r *rules) webhook() {
	const variable = "WEBHOOK_URL"
	const remedy = "Set it to the https address of your back end that takes events, such as https://api.example.com/linkgate/events."
	c := r.config
	if c.WebhookURL == "" {
		return
	}
	u, problem := parseWebAddress(c.WebhookURL)
	switch {
	case problem != "":
		r.add(variable, problem, remedy)
	case u.Scheme == "http" && !looksPrivate(u):
		r.add(variable, "is http to a host that does not look like your own network's", remedy)
	case !c.AllowPrivateNetworks && looksPrivate(u):
		r.add(variable, "is an address of your own network, and ALLOW_PRIVATE_NETWORKS is not true", "Set ALLOW_PRIVATE_NETWORKS=true if Linkgate may call such addresses, or set a public one here.")
	}
	r.webhookSecrets()
}

func (r *rules) webhookSecrets() {
	const variable = "WEBHOOK_SECRET"
	const remedy = "Make one with: openssl rand -base64 32. Your back end needs the same, to know what comes from Linkgate; several are separated by commas."
	if len(r.config.WebhookSecrets) == 0 {
		r.add(variable, "is not set, though WEBHOOK_URL is", remedy)
		return
	}
	all := r.config.WebhookSecrets
	for i := range all {
		all[i] = secret.New(strings.TrimSpace(all[i].Reveal()))
		problem, which := signingProblem(all[i].Reveal()), ""
		if len(all) > 1 {
			which = fmt.Sprintf("number %d of %d ", i+1, len(all))
		}
		switch {
		case all[i].IsZero():
			r.add(variable, which+"is empty", "Remove the comma too many: secrets are separated by one comma each.")
		case problem != "":
			r.add(variable, which+problem, remedy)
		}
	}
}

// webhookWarnings finds a secret that signs nothing.
func (c Config) webhookWarnings() []Mistake {
	if c.WebhookURL != "" || len(c.WebhookSecrets) == 0 {
		return nil
	}
	return []Mistake{{
		Variable: "WEBHOOK_SECRET",
		Text:     "WEBHOOK_SECRET is set and WEBHOOK_URL is not, so that no events are sent",
		Remedy:   "Set WEBHOOK_URL to the address of your back end that takes events.",
	}}
}
