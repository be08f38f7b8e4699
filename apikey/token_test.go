package apikey_test

import (
	"errors"
	"hash/crc32"
	"math/big"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"linkgate/apikey"
	"linkgate/secret"
)

// scannable is what README tells those who look for leaked keys.
var scannable = regexp.MustCompile(`\blg_[0-9A-Za-z]{16}_[0-9A-Za-z]{49}\b`)

// example is a key as one was made; the words of the form are README's, so that it stays.
const example = "lg_4fRkPq0Zs8TtY1aB_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"

// whole adds the checksum of README's words to a body, in another way than ours.
func whole(body string) string {
	const digits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	n, check := crc32.ChecksumIEEE([]byte(body)), ""
	for range 6 {
		n, check = n/62, string(digits[n%62])+check
	}
	return body + check
}

func TestForm(t *testing.T) {
	seen := map[string]bool{}
	s := newStore(t)
	for range 50 {
		k, made, err := s.New(t.Context(), "x", apikey.AllScopes())
		if err != nil {
			t.Fatal(err)
		}
		plain := made.Reveal()
		if got := scannable.FindString("KEY=" + plain + ";"); got != plain {
			t.Errorf("a scanner finds %q in %q", got, plain)
		}
		if plain != whole(plain[:len(plain)-6]) {
			t.Errorf("%s does not end with its checksum", plain)
		}
		if id, ok := apikey.Parse(plain); !ok || id != k.ID || apikey.IDOf(plain) != k.ID || !strings.HasPrefix(plain, k.ID+"_") {
			t.Errorf("the id of %s: %q, %v; the key's is %q", plain, id, ok, k.ID)
		}
		if seen[plain] || seen[k.ID] {
			t.Errorf("%s was made twice", plain)
		}
		seen[plain], seen[k.ID] = true, true
	}
}

// Whatever single character is changed, and wherever it is cut: no request reaches SQL with it.
func TestChecksum(t *testing.T) {
	right := whole(example)
	if _, ok := apikey.Parse(right); !ok {
		t.Fatal("the example has no right form")
	}
	for i := range right {
		wrong := []byte(right)
		wrong[i] = 'x'
		if right[i] == 'x' {
			wrong[i] = 'y'
		}
		if _, ok := apikey.Parse(string(wrong)); ok {
			t.Errorf("%s passes with character %d changed", wrong, i)
		}
		if _, ok := apikey.Parse(right[:i]); ok {
			t.Errorf("%s passes", right[:i])
		}
	}
	for _, wrong := range []string{right + "0", " " + right, right + "\n", whole(strings.Replace(example, "Z", "-", 1))} {
		if _, ok := apikey.Parse(wrong); ok {
			t.Errorf("%q passes", wrong)
		}
	}
}

func TestParseStatic(t *testing.T) {
	right := whole(example)
	for _, tt := range []struct {
		name, text string
		want       []apikey.Scope
		err        error
	}{
		{"ours", right, apikey.AllScopes(), nil},
		{"ours with scopes", right + "=tokens:read+accounts:read", []apikey.Scope{apikey.AccountsRead, apikey.TokensRead}, nil},
		{"any", strings.Repeat("k", 32), apikey.AllScopes(), nil},
		{"base64", strings.Repeat("k", 43) + "=", apikey.AllScopes(), nil},
		{"base64 with scopes", strings.Repeat("k", 43) + "==users:delete", []apikey.Scope{apikey.UsersDelete}, nil},
		{"short", strings.Repeat("k", 31), nil, apikey.ErrShort},
		{"short but for its scopes", "k=accounts:read+accounts:write+tokens:read", nil, apikey.ErrShort},
		{"empty", "", nil, apikey.ErrShort},
		{"a space", strings.Repeat("k", 32) + " k", nil, apikey.ErrUnusable},
		{"a line break", strings.Repeat("k", 32) + "\nk", nil, apikey.ErrUnusable},
		{"not ASCII", strings.Repeat("ü", 32), nil, apikey.ErrUnusable},
		{"ours, cut off", right[:40], nil, apikey.ErrMalformed},
		{"ours, changed", "lg_5" + right[4:], nil, apikey.ErrMalformed},
		{"no such scope", right + "=accounts:read+everything", nil, apikey.ErrScope},
		{"an empty scope", right + "=accounts:read+", nil, apikey.ErrScope},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := apikey.ParseStatic(secret.New(tt.text))
			if !errors.Is(err, tt.err) {
				t.Fatalf("got %v, want %v", err, tt.err)
			}
			if diff := cmp.Diff(tt.want, got.Scopes); diff != "" {
				t.Error(diff)
			}
			if err == nil && (!got.InEnvironment() || len(got.ID) != len("env_")+8 || strings.Contains(tt.text, got.ID[4:])) {
				t.Errorf("the id is %q", got.ID)
			}
			if err != nil && len(tt.text) > 8 && strings.Contains(err.Error(), tt.text[:8]) {
				t.Errorf("the error repeats the key: %v", err)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	right := whole(example)
	f.Add(right)
	f.Add(right[1:])
	f.Fuzz(func(t *testing.T, presented string) {
		id, ok := apikey.Parse(presented)
		if !ok {
			return
		}
		if whole(presented[:63]) != presented || !strings.HasPrefix(presented, id+"_") || !scannable.MatchString(presented) {
			t.Errorf("%q passes, with the id %q", presented, id)
		}
		if n, ok := new(big.Int).SetString(presented[63:], 62); !ok || n.BitLen() > 32 {
			t.Errorf("%q has a checksum of %d bits", presented, n.BitLen())
		}
	})
}
