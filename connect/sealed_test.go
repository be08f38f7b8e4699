package connect_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"linkgate/connect"
	"linkgate/secret"
)

// TestImportSealed: a sealed credential is imported for whom it was sealed, and for nobody else.
func TestImportSealed(t *testing.T) {
	f, given := withNotes(t)
	i := anImport(notes, given)
	i.Credential.Scopes = []string{"notes.read"}
	i.Credential.Fields = map[string]secret.Text{}
	i.Profile, i.RequestProfile, i.ValidateScope = &connect.Profile{ExternalAccountID: "acct_1815", Name: "Ada"}, false, false
	sealed, err := i.Seal(f.Keyring)
	if err != nil {
		t.Fatal(err)
	}
	i.Credential = connect.ImportCredential{Sealed: sealed}
	for name, change := range map[string]func(*connect.Import){
		"another user":       func(i *connect.Import) { i.HostUserID = "u_grace" },
		"another connection": func(i *connect.Import) { i.AuthID = "notes" },
		"another account":    func(i *connect.Import) { i.Profile = &connect.Profile{ExternalAccountID: "acct_1906"} },
		"nobody's profile":   func(i *connect.Import) { i.Profile = nil },
		"another keyset": func(i *connect.Import) {
			other := *i
			other.Credential = connect.ImportCredential{AccessToken: given.AccessToken}
			if i.Credential.Sealed, err = other.Seal(newKeyring(t)); err != nil {
				t.Fatal(err)
			}
		},
		"garbage": func(i *connect.Import) { i.Credential.Sealed = []byte("garbage") },
	} {
		changed := i
		change(&changed)
		var shape *connect.CredentialShapeError
		if _, err := f.Import(t.Context(), changed); !errors.As(err, &shape) {
			t.Errorf("%s: got %v, want ErrCredentialShape", name, err)
		}
	}
	before := f.theService.Refreshes()
	got, err := f.Import(t.Context(), i)
	if err != nil || !got.Created || got.Account.Identity.Subject != "acct_1815" || got.Account.Identity.Name != "Ada" {
		t.Fatalf("got %+v, %v", got, err)
	}
	if diff := cmp.Diff([]string{"notes.read"}, got.Account.Scopes); diff != "" {
		t.Errorf("scopes (-want +got):\n%s", diff)
	}
	if c := f.credential(t); !c.AccessToken.Equal(given.AccessToken) || !c.RefreshToken.Equal(given.RefreshToken) || f.theService.Refreshes() != before {
		t.Error("the credential kept is another one")
	}
}
