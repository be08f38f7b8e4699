package event

import (
	"context"
	"encoding/json"
	"fmt"

	"linkgate/database"
)

const columns = "sequence, id, type, at, account_id, host_user_id, auth_id, data"

// After reads up to limit events that came after the one with that sequence (0: from the first that
// is kept), in order. As many as limit: there may be more.
func (l *Log) After(ctx context.Context, sequence int64, limit int) ([]Event, error) {
	return l.read(ctx, "sequence > $1 ORDER BY sequence LIMIT $2", sequence, limit)
}

func (l *Log) read(ctx context.Context, where string, args ...any) (events []Event, err error) {
	ctx, cancel := database.ForRead(ctx)
	defer cancel()
	events, err = database.Collect(ctx, l.DB, scan, "SELECT "+columns+" FROM events WHERE "+where, args...)
	if err != nil {
		return nil, fmt.Errorf("reading events: %w", err)
	}
	return events, nil
}

func scan(row database.Row) (e Event, err error) {
	var at int64
	var data []byte
	err = row.Scan(&e.Sequence, &e.ID, &e.Type, &at, &e.AccountID, &e.HostUserID, &e.AuthID, &data)
	if err != nil {
		return Event{}, err
	}
	e.At = database.Time(at)
	return e, json.Unmarshal(data, &e.Data)
}
