package provider

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// readTokenPair reads a token with its secret, which is a form. The secret may be empty: RSA-SHA1
// makes no use of it.
func readTokenPair(op string, ans answer) (url.Values, error) {
	values, err := url.ParseQuery(strings.TrimSpace(string(ans.body)))
	if err != nil || len(values["oauth_token"]) != 1 || len(values["oauth_token_secret"]) != 1 ||
		!isOAuth1Token(values.Get("oauth_token")) {
		return nil, &Error{Op: op, Kind: ErrUnavailable, Code: "no usable token with its secret", Status: ans.status}
	}
	return values, nil
}

const maxOAuth1Token = 4 << 10 // bytes

func isOAuth1Token(s string) bool {
	return s != "" && len(s) <= maxOAuth1Token && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// told is what an answer tells beside the tokens, such as screen_name.
func told(answer url.Values) document {
	values := map[string]any{}
	for name := range answer {
		if !strings.HasPrefix(name, "oauth_") {
			values[name] = answer.Get(name)
		}
	}
	return document{values}
}

// oauth1Refusal turns an answer that is no success into an error: by its oauth_problem, whatever its
// status, and without one by its status.
func oauth1Refusal(op string, ans answer) *Error {
	problem := oauth1Problem(ans)
	kind, known := kindOfProblem(problem)
	switch {
	case known:
		return &Error{Op: op, Kind: kind, Code: problem, Status: ans.status}
	case problem != "":
		return &Error{Op: op, Kind: ErrRefused, Code: "unknown error", Status: ans.status}
	case ans.status == http.StatusBadRequest, ans.status == http.StatusUnauthorized, ans.status == http.StatusForbidden:
		return &Error{Op: op, Kind: ErrRefused, Status: ans.status} // RFC 5849 §3.2
	case op == opIdentify && ans.status >= 400:
		return &Error{Op: op, Kind: ErrRefused, Status: ans.status}
	case ans.status < 200 || ans.status > 299:
		return &Error{Op: op, Kind: ErrUnavailable, Code: "answer makes no sense", Status: ans.status}
	}
	return nil
}

// problemForm is how services name a problem, in a form or in WWW-Authenticate:
// https://wiki.oauth.net/w/page/12238543/ProblemReporting
var problemForm = regexp.MustCompile(`(?:^|[\s&,])oauth_problem="?([a-z_]{1,48})(?:["&,\s]|$)`)

func oauth1Problem(ans answer) string {
	for _, text := range append(ans.header.Values("WWW-Authenticate"), string(ans.body)) {
		if found := problemForm.FindStringSubmatch(text); found != nil {
			return found[1]
		}
	}
	return ""
}

// kindOfProblem tells whose turn it is. One that is not known is not repeated, for a service could
// write there what we have sent.
func kindOfProblem(problem string) (kind error, known bool) {
	switch problem {
	case "token_rejected", "token_expired", "token_revoked", "token_used", "verifier_invalid":
		return ErrInvalidGrant, true
	case "permission_denied", "user_refused":
		return ErrDenied, true
	case "consumer_key_unknown", "consumer_key_rejected", "consumer_key_refused", "signature_invalid", "signature_method_rejected",
		"timestamp_refused", "nonce_used", "parameter_absent", "parameter_rejected", "version_rejected", "permission_unknown",
		"additional_authorization_required":
		return ErrRefused, true
	}
	return nil, false
}
