package database_test

import (
	"errors"
	"slices"
	"testing"

	"linkgate/database"
	"linkgate/database/databasetest"
)

// wantIdle fails while a connection is kept for rows that nobody reads.
func wantIdle(t *testing.T, db *database.DB) {
	t.Helper()
	if busy := db.Stats().InUse; busy != 0 {
		t.Errorf("%d connections are in use", busy)
	}
}

func scanNumber(row database.Row) (n int64, err error) {
	err = row.Scan(&n)
	return n, err
}

const threeNumbers = "SELECT column1 FROM (VALUES (3), (1), (2)) AS v WHERE column1 > $1"

func TestCollect(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		for _, tt := range []struct {
			query string
			over  int
			want  []int64
		}{
			{threeNumbers, 0, []int64{3, 1, 2}},
			{threeNumbers + " ORDER BY column1", 1, []int64{2, 3}},
			{threeNumbers, 3, nil},
		} {
			got, err := database.Collect(t.Context(), db, scanNumber, tt.query, tt.over)
			if err != nil || !slices.Equal(got, tt.want) || (got == nil) != (tt.want == nil) {
				t.Errorf("%s, over %d: %v, %v; want %v", tt.query, tt.over, got, err, tt.want)
			}
			wantIdle(t, db)
		}
	})
}

// A row that can't be scanned ends it: its error comes back as it is, and no row.
func TestCollectEndsWithAScanError(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		unreadable := errors.New("unreadable")
		scanned := 0
		got, err := database.Collect(t.Context(), db, func(row database.Row) (int64, error) {
			if scanned++; scanned == 2 {
				return 0, unreadable
			}
			return scanNumber(row)
		}, threeNumbers, 0)
		if err != unreadable || got != nil || scanned != 2 { //nolint:errorlint // as it is
			t.Errorf("after %d rows: %v, %v; want none and %v after 2", scanned, got, err, unreadable)
		}
		wantIdle(t, db)
	})
}

// A query that fails after its first rows gives none of them: a part would pass for all.
func TestCollectEndsWithAnErrorOfTheRows(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		scanned := 0
		got, err := database.Collect(t.Context(), db, func(row database.Row) (int64, error) {
			scanned++
			return scanNumber(row)
		}, "SELECT abs(CAST(column1 AS bigint)) FROM (VALUES (1), (2), (-9223372036854775808)) AS v")
		if err == nil || got != nil || scanned != 2 {
			t.Errorf("after %d rows: %v, %v; want none and an error after 2", scanned, got, err)
		}
		wantIdle(t, db)
	})
}

func TestCollectPassesOnTheQuerysError(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		got, err := database.Collect(t.Context(), db, scanNumber, threeNumbers, 0)
		if got != nil || !database.IsUnavailable(err) {
			t.Errorf("%v, %v; want none and the error of a closed database", got, err)
		}
	})
}
