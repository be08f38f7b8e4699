package e2e

import (
	"encoding/json"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"linkgate/demo"
	"linkgate/host"
)

// difference is what `linkgate reconcile --json` prints of one.
type difference struct {
	Kind            string `json:"kind"`
	UserID          string `json:"user_id"`
	LinkedAccountID string `json:"linked_account_id"`
	Repaired        bool   `json:"repaired"`
}

// reconcile runs the command beside the server.
func (w *world) reconcile(t *testing.T, wantCode int, flags ...string) (found []difference, said string) {
	t.Helper()
	c := exec.CommandContext(t.Context(), binary, append([]string{"reconcile", "--json"}, flags...)...)
	for name, value := range w.Linkgate.env {
		c.Env = append(c.Env, name+"="+value)
	}
	var stderr strings.Builder
	c.Stderr = &stderr
	out, err := c.Output()
	if code := c.ProcessState.ExitCode(); code != wantCode {
		t.Fatalf("reconcile %v exited with %d, %v, want %d:\n%s%s", flags, code, err, wantCode, out, stderr.String())
	}
	if err := json.Unmarshal(out, &found); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(found, func(a, b difference) int { return strings.Compare(a.Kind, b.Kind) })
	return found, stderr.String()
}

// TestReconcile: a record that the host has lost, one that is wrong and one that nobody here knows are
// found, left alone, and then mended; an account that is leaving is left to that.
func TestReconcile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	lost := w.linked(t, "ada", demo.NotesOIDC, "ada")
	wrong := w.linked(t, "ada", demo.NotesOIDC, "grace")
	leaving := w.linked(t, "grace", demo.NotesOIDC, "linus")
	w.reconcile(t, 0)

	theHost := host.New(host.Options{BaseURL: w.Linkgate.env["HOST_API_URL"], APIKey: w.Host.APIKey()})
	if err := theHost.Delete(t.Context(), "ada", lost.ID); err != nil {
		t.Fatal(err)
	}
	said, err := theHost.Update(t.Context(), "ada", host.LinkedAccount{
		ID: wrong.ID, AuthID: wrong.AuthID, ExternalAccountID: wrong.ExternalAccountID, RequiresReauth: true,
	})
	if err != nil || !said.RequiresReauth {
		t.Fatalf("the host says %+v, %v", said, err)
	}
	stranger := w.Host.Put(demo.Account{UserID: "ada", AuthID: demo.NotesOIDC, ExternalAccountID: "from before"})
	foreign := w.Host.Put(demo.Account{UserID: "ada", AuthID: "another app's", ExternalAccountID: "9"})
	keeps := demo.Script{Fault: func(op string, r *http.Request) *demo.Fault {
		if op != demo.OpDelete || !strings.HasSuffix(r.URL.Path, leaving.ID) {
			return nil
		}
		return demo.Answer(503, "")
	}}
	w.Host.Play(keeps)
	if err := w.Host.Disconnect(t.Context(), "grace", leaving.ID); err == nil {
		t.Fatal("the host has deleted an account while it can't")
	}

	want := []difference{
		{"missing_at_host", "ada", lost.ID, false}, {"out_of_step", "ada", wrong.ID, false}, {"unknown_here", "ada", stranger.ID, false},
	}
	before := w.Host.Accounts("ada")
	if found, _ := w.reconcile(t, 1); !slices.Equal(found, want) {
		t.Errorf("found %+v, want %+v", found, want)
	}
	if !slices.Equal(w.Host.Accounts("ada"), before) || w.Host.Calls(demo.OpAdd) != 3 {
		t.Error("looking has changed something at the host")
	}

	w.Host.Play(demo.Script{Fault: func(op string, r *http.Request) *demo.Fault {
		if op == demo.OpList {
			return demo.Answer(503, "")
		}
		return keeps.Fault(op, r)
	}})
	if found, said := w.reconcile(t, 4, "--fix", "--yes"); len(found) != 0 || !strings.Contains(said, "the host does not answer") {
		t.Errorf("while the host is down: %+v\n%s", found, said)
	}

	w.Host.Play(keeps)
	for i := range want {
		want[i].Repaired = true
	}
	if found, _ := w.reconcile(t, 0, "--fix", "--yes"); !slices.Equal(found, want) {
		t.Errorf("repaired %+v, want %+v", found, want)
	}
	eventually(t, "nothing differs and nothing is owed", func() bool {
		_, said := w.reconcile(t, 0)
		return strings.Contains(said, "Compared 2 accounts of 2 users: nothing differs.\n")
	})
	if n := len(w.Host.Accounts("grace")); n != 1 {
		t.Errorf("the host has %d records of who is leaving, want that left to the disconnect", n)
	}
	var ids, subjects []string
	for _, a := range w.Host.Accounts("ada") {
		ids, subjects = append(ids, a.ID), append(subjects, a.ExternalAccountID)
		if a.RequiresReauth {
			t.Errorf("still wrong: %+v", a)
		}
	}
	slices.Sort(subjects)
	if !slices.Equal(subjects, []string{"9", subjectOf("ada"), subjectOf("grace")}) || !slices.Contains(ids, foreign.ID) || !slices.Contains(ids, wrong.ID) {
		t.Errorf("the host has %v of %v", ids, subjects)
	}
}
