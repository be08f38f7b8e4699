package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"linkgate/client"
)

func Example() {
	ctx := context.Background()
	c, err := client.New(os.Getenv("LINKGATE_URL"), os.Getenv("LINKGATE_API_KEY"))
	if err != nil {
		panic(err)
	}
	imported, err := c.ImportAccount(ctx, client.Import{
		UserID: "ada", AuthID: "keys", DisplayName: "Work",
		Credential: client.ImportCredential{Fields: map[string]client.Secret{"api_key": "key-7"}},
	}, client.ImportOptions{})
	if err != nil {
		panic(err)
	}
	for account, err := range c.Accounts(ctx, client.AccountFilter{UserID: "ada"}) {
		if err != nil {
			panic(err)
		}
		fmt.Println(account.DisplayName, account.ExternalAccountID, account.Status)
	}
	answer, err := c.Call(ctx, imported.ID, http.MethodGet, "me", nil, nil)
	if err != nil {
		panic(err)
	}
	defer answer.Body.Close()
	fmt.Println(answer.Status)
	report, err := c.DeleteAccount(ctx, imported.ID)
	if err != nil {
		panic(err)
	}
	fmt.Println(report.Status, report.Done)
	// Output:
	// Work 7 linked
	// 200 OK
	// unlinked true
}

func ExampleClient_ImportAccount() {
	c, err := client.New(os.Getenv("LINKGATE_URL"), os.Getenv("LINKGATE_API_KEY"))
	if err != nil {
		panic(err)
	}
	_, err = c.ImportAccount(context.Background(), client.Import{
		UserID: "ada", AuthID: "keys",
		Credential: client.ImportCredential{Fields: map[string]client.Secret{"api_key": "wrong"}},
	}, client.ImportOptions{})
	var problem *client.Problem
	if errors.As(err, &problem) {
		fmt.Println(problem.Kind(), problem.Status)
	}
	// Output: credential-rejected 422
}

func ExampleClient_FollowSession() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := client.New(os.Getenv("LINKGATE_URL"), os.Getenv("LINKGATE_API_KEY"))
	if err != nil {
		panic(err)
	}
	opened, err := c.OpenSession(ctx, client.SessionRequest{UserID: "ada", AuthID: "notes", ComponentID: "flow-7"})
	if err != nil {
		panic(err)
	}
	go signIn(opened.AuthorizationURL) // which the user's browser does
	for session, err := range c.FollowSession(ctx, opened.ID) {
		if err != nil {
			panic(err)
		}
		if session.IsFinal() {
			fmt.Println(session.Status, session.AccountName, session.ComponentID)
		}
	}
	// Output: linked Ada L. flow-7
}
