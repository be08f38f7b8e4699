package main

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"

	"linkgate/database"
	"linkgate/demo"
	"linkgate/linkedaccount"
	"linkgate/outbox"
	"linkgate/provider"
	"linkgate/secret"
)

// hosts are the simulated hosts of the scripts that have one, by their addresses.
type hosts struct {
	mu  sync.Mutex
	all map[string]*demo.Host
}

// start: starts a host, and puts its address and key into the environment.
func (h *hosts) start(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: staffroom")
	}
	host := demo.NewHost(demo.HostOptions{})
	server := httptest.NewServer(host)
	ts.Defer(server.Close)
	ts.Setenv("HOST_API_URL", server.URL)
	ts.Setenv("HOST_API_KEY", host.APIKey().Reveal())
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all[server.URL] = host
}

func (h *hosts) of(ts *testscript.TestScript) *demo.Host {
	h.mu.Lock()
	defer h.mu.Unlock()
	host := h.all[ts.Getenv("HOST_API_URL")]
	if host == nil {
		ts.Fatalf("staffroom comes first")
	}
	return host
}

// fails [LISTS STATUS]: after so many more lists, the host answers with the status; without: it is well again.
func (h *hosts) fails(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 && len(args) != 2 {
		ts.Fatalf("usage: staffroomfails [LISTS STATUS]")
	}
	host := h.of(ts)
	if len(args) == 0 {
		host.Play(demo.Script{})
		return
	}
	good, err := strconv.Atoi(args[0])
	ts.Check(err)
	status, err := strconv.Atoi(args[1])
	ts.Check(err)
	first := demo.Only(demo.OpList, good, demo.Fault{})
	then := demo.Only(demo.OpList, -1, *demo.Answer(status, ""))
	host.Play(demo.Script{Fault: func(op string, _ *http.Request) *demo.Fault {
		if f := first(op, nil); f != nil {
			return nil
		}
		return then(op, nil)
	}})
}

// later LISTS USER SUBJECT: after so many more lists, the host has a record that nobody here knows.
func (h *hosts) later(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: staffroomlater LISTS USER SUBJECT")
	}
	host := h.of(ts)
	lists, err := strconv.Atoi(args[0])
	ts.Check(err)
	before := host.Calls(demo.OpList)
	var once sync.Once
	host.Play(demo.Script{Before: func(op string, _ *http.Request) {
		if op == demo.OpList && host.Calls(op) > before+lists {
			once.Do(func() {
				host.Put(demo.Account{ID: "la_" + args[2], UserID: args[1], AuthID: "7f3c", ExternalAccountID: args[2]})
			})
		}
	}})
}

// records USER N: the host has N records of the user.
func (h *hosts) records(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: records USER N")
	}
	if got := fmt.Sprint(len(h.of(ts).Accounts(args[0]))); got != args[1] {
		ts.Fatalf("the host has %s records, want %s", got, args[1])
	}
}

// linked USER SUBJECT both|here|host|wrong|owed: an account of 7f3c, at both sides, or at one alone, or with
// a record that is out of step; owed: here, and the host is yet to be told.
func (h *hosts) linked(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: linked USER SUBJECT both|here|host|wrong|owed")
	}
	user, subject, where := args[0], args[1], args[2]
	if where == "both" || where == "host" || where == "wrong" {
		h.of(ts).Put(demo.Account{
			ID: "la_" + subject, UserID: user, AuthID: "7f3c", ExternalAccountID: subject, RequiresReauth: where == "wrong",
		})
	}
	if where != "host" {
		ts.Check(linkHere(ts.MkAbs(ts.Getenv("DATA_DIR")), user, subject, where == "owed"))
	}
}

func linkHere(dataDir, user, subject string, owed bool) error {
	ctx := context.Background()
	db, err := database.Open(ctx, database.Options{DataDir: dataDir})
	if err != nil {
		return err
	}
	defer db.Close()
	keyset, err := secret.NewKeyset()
	if err != nil {
		return err
	}
	keyring, err := secret.OpenKeyring(keyset)
	if err != nil {
		return err
	}
	s := linkedaccount.Store{DB: db, Keyring: keyring}
	a, _, err := s.Link(ctx, user, "7f3c", provider.Grant{Identity: provider.Identity{Issuer: "i", Subject: subject}})
	if err != nil || owed {
		return err
	}
	if err := s.HostAdded(ctx, a.ID, "la_"+subject, a.Version); err != nil {
		return err
	}
	return db.InTx(ctx, func(ctx context.Context, tx *sql.Tx) error { return outbox.Drop(ctx, tx, a.ID, linkedaccount.HostAdd) })
}
