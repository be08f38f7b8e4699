package client

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strings"
)

// streamed is one server-sent event (https://html.spec.whatwg.org/multipage/server-sent-events.html).
type streamed struct{ name, data string }

const longestLine = 1 << 20 // bytes

// eventsIn gives the events of a stream until it ends; the error is the one that ended it.
func eventsIn(r io.Reader) iter.Seq2[streamed, error] {
	return func(yield func(streamed, error) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(nil, longestLine)
		var event streamed
		for lines.Scan() {
			line := lines.Text()
			if line == "" {
				if event.data != "" && !yield(event, nil) {
					return
				}
				event = streamed{}
				continue
			}
			event.take(line)
		}
		if err := lines.Err(); err != nil {
			yield(streamed{}, err)
		}
	}
}

// take adds a line to an event. Comments, which keep the connection alive, have no name before the colon.
func (e *streamed) take(line string) {
	field, value, _ := strings.Cut(line, ":")
	value = strings.TrimPrefix(value, " ")
	switch field {
	case "event":
		e.name = value
	case "data":
		if e.data != "" {
			e.data += "\n"
		}
		e.data += value
	}
}

func (e streamed) session() (Session, error) {
	var s Session
	if err := json.Unmarshal([]byte(e.data), &s); err != nil {
		return Session{}, fmt.Errorf("reading an event of Linkgate's: %w", unquoted(err))
	}
	return s, nil
}
