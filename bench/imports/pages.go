package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"linkgate/client"
)

// measurePages reads all accounts page by page, as a back end does, and prints how long a page takes.
func measurePages(public string) error {
	ctx := context.Background()
	c, err := client.New("http://"+public, apiKey)
	if err != nil {
		return err
	}
	var took []time.Duration
	told, cursor := 0, ""
	for {
		begun := time.Now()
		page, err := c.ListAccounts(ctx, client.AccountFilter{}, cursor)
		if err != nil {
			return err
		}
		took = append(took, time.Since(begun))
		told += len(page.Data)
		if page.NextCursor == "" {
			break
		}
		cursor = page.NextCursor
	}
	slices.Sort(took)
	at := func(percent int) time.Duration {
		return took[min(len(took)*percent/100, len(took)-1)].Round(10 * time.Microsecond)
	}
	fmt.Printf("%d accounts in %d pages: p50 %v, p95 %v\n", told, len(took), at(50), at(95))
	return nil
}
