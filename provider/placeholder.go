package provider

import (
	"cmp"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// templates are the URLs of a connection that may have {placeholders} for what the user was asked.
func (c *Connection) templates() []*string {
	return []*string{
		&c.Issuer, &c.AuthorizeURL, &c.TokenURL, &c.RefreshURL, &c.RevokeURL, &c.PARURL, &c.DeviceURL, &c.RequestTokenURL, &c.AccessTokenURL,
		&c.Identity.URL, &c.Verify.URL, &c.Login.URL, &c.Refresh.URL, &c.Calls.BaseURL,
	}
}

// filled is the connection with settings in its URLs. calls may lack some after it: the identity can
// have settings of its own, and package call fills those in.
func (c Connection) filled(settings map[string]string) (Connection, error) {
	c = c.Clone()
	for _, template := range c.templates() {
		for key, value := range settings {
			placeholder := "{" + key + "}"
			if !strings.Contains(*template, placeholder) {
				continue
			}
			if !fitsURL(*template, key, value) {
				return Connection{}, &Error{Op: "finding the customer's address", Kind: ErrNotVerified, Code: "a setting does not fit"}
			}
			*template = strings.ReplaceAll(*template, placeholder, value)
		}
		if template != &c.Calls.BaseURL && placeholderForm.MatchString(*template) {
			return Connection{}, &Error{Op: "finding the customer's address", Kind: ErrNotVerified, Code: "a setting is missing"}
		}
	}
	for name, value := range c.Calls.Headers {
		c.Calls.Headers[name] = placeholderForm.ReplaceAllStringFunc(value, func(found string) string {
			return cmp.Or(settings[strings.Trim(found, "{}")], found)
		})
	}
	return c, nil
}

var (
	placeholderForm = regexp.MustCompile(`\{([^{}]*)\}`)
	hostLabel       = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$`) // RFC 1123 §2.1
)

// fitsURL tells whether a value can take its placeholder's place in a URL and lead nowhere else: a
// whole host (with a port), a label of a host, or a plain piece of the rest.
func fitsURL(template, key, value string) bool {
	placeholder := "{" + key + "}"
	switch host := hostPart(template); {
	case host == placeholder:
		return IsAuthority(value)
	case strings.Contains(host, placeholder):
		return hostLabel.MatchString(value)
	}
	return isSetting(value)
}

// hostPart is a template's host with its port.
func hostPart(template string) string {
	_, rest, _ := strings.Cut(template, "://")
	host, _, _ := strings.Cut(rest, "/")
	host, _, _ = strings.Cut(host, "?")
	return host
}

// IsAuthority tells a host name or an IPv4 address, with or without a port.
func IsAuthority(s string) bool {
	host, port, hasPort := strings.Cut(s, ":")
	if n, err := strconv.ParseUint(port, 10, 16); hasPort && (err != nil || n == 0) {
		return false
	}
	labels := strings.Split(host, ".")
	last := labels[len(labels)-1]
	if slices.ContainsFunc(labels, func(l string) bool { return !hostLabel.MatchString(l) }) || len(host) > 253 {
		return false
	}
	numeric := strings.Trim(last[:1], "0123456789") == ""
	return !numeric || net.ParseIP(host) != nil
}

// templateMistake says what is wrong with a URL that may have placeholders; "" if nothing is.
func (c Connection) templateMistake(template string) string {
	plain := template
	for _, found := range placeholderForm.FindAllStringSubmatch(template, -1) {
		i := slices.IndexFunc(c.Fields, func(f Field) bool { return f.Key == found[1] })
		switch {
		case i < 0:
			return fmt.Sprintf("has the placeholder {%s}, and no field has that key", found[1])
		case c.Fields[i].Secret:
			return fmt.Sprintf("has the placeholder {%s}, which is a secret", found[1])
		}
	}
	if mistake := c.hostMistake(hostPart(template)); mistake != "" {
		return mistake
	}
	plain = placeholderForm.ReplaceAllLiteralString(plain, "x")
	if strings.ContainsAny(plain, "{}") {
		return "has a brace that is not part of a placeholder"
	}
	return urlMistake(plain)
}

// hostMistake: a placeholder is the whole of a label, before two at least that the operator wrote.
// The whole host it may be only where no secret of the operator's goes there.
func (c Connection) hostMistake(host string) string {
	if !strings.Contains(host, "{") {
		return ""
	}
	if whole := placeholderForm.FindString(host); whole == host {
		if c.ClientSecret.IsZero() && c.SigningKey.IsZero() && !c.Registration.On() {
			return ""
		}
		return "lets the user name the host, and the client secret would be sent there"
	}
	labels := strings.Split(host, ".")
	for i, l := range labels {
		if !strings.Contains(l, "{") {
			continue
		}
		if placeholderForm.FindString(l) != l {
			return "has a placeholder that is only a part of a label"
		}
		if len(labels)-i <= 2 {
			return "has a placeholder without a domain after it"
		}
	}
	return ""
}

// templateProblem is urlProblem for a URL that may have placeholders.
func (c Connection) templateProblem(key, template string, n need) []Problem {
	if !strings.ContainsAny(template, "{}") {
		return urlProblem(key, template, n)
	}
	if mistake := c.templateMistake(template); mistake != "" {
		return []Problem{{key, mistake, "write it as https://{field}.example.com/path, with the key of a field that is no secret"}}
	}
	return nil
}
