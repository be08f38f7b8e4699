package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"linkgate/config"
	"linkgate/database"
)

// withDatabase opens the configured database as it is, for a command beside a running server.
func withDatabase(cmd *cobra.Command, fn func(context.Context, config.Config, *database.DB) error) error {
	c, err := config.Load(config.OS())
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	db, err := database.OpenExisting(ctx, database.Options{URL: c.DatabaseURL, DataDir: c.DataDir})
	if err != nil {
		return databaseFailure(err)
	}
	defer db.Close()
	return databaseFailure(fn(ctx, c, db))
}

// databaseFailure adds what to do about what went wrong with the database.
func databaseFailure(err error) error {
	if _, told := errors.AsType[*failure](err); told {
		return err
	}
	f := &failure{code: exitFailure, err: err}
	switch {
	case errors.Is(err, database.ErrNone):
		f.err = database.ErrNone // and not what the database says about its absence
		f.remedy = "Check DATA_DIR or DATABASE_URL; `linkgate serve` makes it at its first start."
	case errors.Is(err, database.ErrOlder):
		f.remedy = "Use the `linkgate` that serves, or start this one's `linkgate serve` first: it migrates."
	case database.IsUnavailable(err):
		f.code, f.remedy = exitUnanswered, "`linkgate check` tells what answers and what does not."
	default:
		return err
	}
	return f
}
