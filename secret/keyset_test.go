package secret_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	tinkkeyset "github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/mac"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"

	"linkgate/secret"
)

func TestKeysetEditing(t *testing.T) {
	keyset := newKeyset(t)
	keyset, added, err := secret.AddKey(keyset)
	if err != nil {
		t.Fatal(err)
	}
	wantKeys(t, keyset, []secret.KeyInfo{{Status: "enabled", Primary: true}, {ID: added, Status: "enabled"}})

	keys, err := secret.Keys(keyset)
	if err != nil {
		t.Fatal(err)
	}
	first := keys[0].ID
	if _, err := secret.DisableKey(keyset, first); !errors.Is(err, secret.ErrPrimaryKey) {
		t.Errorf("disabling the primary: got %v, want ErrPrimaryKey", err)
	}
	if keyset, err = secret.PromoteKey(keyset, added); err != nil {
		t.Fatal(err)
	}
	if keyset, err = secret.DisableKey(keyset, first); err != nil {
		t.Fatal(err)
	}
	wantKeys(t, keyset, []secret.KeyInfo{{ID: first, Status: "disabled"}, {ID: added, Status: "enabled", Primary: true}})

	if _, err := secret.PromoteKey(keyset, first); !errors.Is(err, secret.ErrKeyDisabled) {
		t.Errorf("promoting a disabled key: got %v, want ErrKeyDisabled", err)
	}
	for name, edit := range map[string]func(secret.Text, uint32) (secret.Text, error){
		"promote": secret.PromoteKey, "disable": secret.DisableKey,
	} {
		if _, err := edit(keyset, first^added^1); !errors.Is(err, secret.ErrNoKey) {
			t.Errorf("%s an unknown key: got %v, want ErrNoKey", name, err)
		}
	}
}

// wantKeys compares all but those ids that want leaves zero.
func wantKeys(t *testing.T, keyset secret.Text, want []secret.KeyInfo) {
	t.Helper()
	got, err := secret.Keys(keyset)
	if err != nil {
		t.Fatal(err)
	}
	anyID := cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".ID" },
		cmp.Comparer(func(a, b uint32) bool { return a == b || a == 0 || b == 0 }))
	if diff := cmp.Diff(want, got, anyID, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

func TestKeysetTextForms(t *testing.T) {
	text := newKeyset(t).Reveal()
	if strings.ContainsAny(text, " \r\n\t") {
		t.Error("the keyset is not one line")
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, raw, "", "  "); err != nil {
		t.Fatal(err)
	}
	sealed := seal(t, openKeyring(t, secret.New(text)), plain, home)
	for name, form := range map[string]string{
		"surrounded by space": "\n " + text + "\r\n",
		"wrapped":             text[:40] + "\n" + text[40:],
		"JSON":                string(raw),
		"indented JSON":       "\n" + indented.String(),
	} {
		k, err := secret.OpenKeyring(secret.New(form))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		wantOpens(t, name, k, sealed)
	}
}

func TestBadKeysets(t *testing.T) {
	text := newKeyset(t).Reveal()
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	key := keyMaterial(t, raw)
	for name, bad := range map[string]string{
		"empty":               "",
		"space":               " \n",
		"not base64":          "correct horse battery staple!",
		"cut base64":          text[:len(text)-7],
		"cut JSON in base64":  base64.StdEncoding.EncodeToString(raw[:len(raw)-20]),
		"cut JSON":            string(raw[:len(raw)-20]),
		"other JSON":          `{"keys":["` + key + `"]}`,
		"empty JSON":          `{}`,
		"null":                base64.StdEncoding.EncodeToString([]byte("null")),
		"key of a wrong type": strings.Replace(string(raw), `"ENABLED"`, `"`+key+`"`, 1),
		"key cut":             strings.Replace(string(raw), key, key[:8], 1),
		"no primary":          strings.Replace(string(raw), `"primaryKeyId":`, `"primaryKeyId":0,"x":`, 1),
		"primary disabled":    strings.Replace(string(raw), `"ENABLED"`, `"DISABLED"`, 1),
		"raw keys":            tinkKeyset(t, aead.AES256GCMNoPrefixKeyTemplate()),
		"another primitive":   tinkKeyset(t, mac.HMACSHA256Tag256KeyTemplate()),
	} {
		_, err := secret.OpenKeyring(secret.New(bad))
		if !errors.Is(err, secret.ErrKeyset) {
			t.Errorf("%s: got %v, want ErrKeyset", name, err)
			continue
		}
		if strings.Contains(err.Error(), key[:8]) || strings.Contains(err.Error(), "horse") {
			t.Errorf("%s: the error quotes the keyset: %v", name, err)
		}
		for op, err := range editAll(secret.New(bad)) {
			if name != "another primitive" && !errors.Is(err, secret.ErrKeyset) {
				t.Errorf("%s, %s: got %v, want ErrKeyset", name, op, err)
			}
		}
	}
}

func editAll(keyset secret.Text) map[string]error {
	_, _, add := secret.AddKey(keyset)
	_, promote := secret.PromoteKey(keyset, 1)
	_, disable := secret.DisableKey(keyset, 1)
	_, list := secret.Keys(keyset)
	return map[string]error{"add": add, "promote": promote, "disable": disable, "list": list}
}

// keyMaterial is the key of a keyset, as its JSON spells it.
func keyMaterial(t *testing.T, raw []byte) string {
	t.Helper()
	var set struct {
		Key []struct {
			KeyData struct{ Value string }
		}
	}
	if err := json.Unmarshal(raw, &set); err != nil {
		t.Fatal(err)
	}
	return set.Key[0].KeyData.Value
}

func tinkKeyset(t *testing.T, template *tinkpb.KeyTemplate) string {
	t.Helper()
	h, err := tinkkeyset.NewHandle(template)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := insecurecleartextkeyset.Write(h, tinkkeyset.NewJSONWriter(&b)); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A keyset that tinkey made with AES-256-GCM is as good as one of ours.
func TestForeignKeyset(t *testing.T) {
	k := openKeyring(t, secret.New(tinkKeyset(t, aead.AES256GCMKeyTemplate())))
	sealed := seal(t, k, plain, home)
	wantOpens(t, "AES-256-GCM", k, sealed)
	if k.Stale(sealed) {
		t.Error("sealed with the primary key, and stale")
	}
}

func FuzzOpenKeyring(f *testing.F) {
	text := newKeyset(f).Reveal()
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add(string(raw))
	f.Add(`{"primaryKeyId":1,"key":[{}]}`)
	f.Fuzz(func(t *testing.T, s string) {
		k, err := secret.OpenKeyring(secret.New(s))
		if err != nil {
			if !errors.Is(err, secret.ErrKeyset) {
				t.Fatalf("got %v, want ErrKeyset", err)
			}
			return
		}
		wantOpens(t, "accepted keyset", k, seal(t, k, plain, home))
	})
}
