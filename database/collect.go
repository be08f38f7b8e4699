package database

import (
	"context"
	"database/sql"
)

// Querier is what reads rows: a DB, or a transaction.
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Row is a row that can be scanned: the current one of an *sql.Rows, or an *sql.Row.
type Row interface {
	Scan(dest ...any) error
}

var (
	_ Querier = (*DB)(nil)
	_ Querier = (*sql.Tx)(nil)
	_ Row     = (*sql.Rows)(nil)
	_ Row     = (*sql.Row)(nil)
)

// Collect reads every row that a query gives, in its order; nil when there is none. It is over when
// ctx is: outside of InTx give it that of ForRead.
//
// It is all rows or an error, which is the database's or the first of scan's, as it is, for the
// caller to say what was being read. Either way the connection is free again.
func Collect[T any](ctx context.Context, q Querier, scan func(Row) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var all []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	if err := rows.Err(); err != nil {
		return nil, err // what was read is a part
	}
	return all, nil
}
