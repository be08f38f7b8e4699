package call

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// reply is what a service says to one request.
type reply struct {
	status int
	after  string // Retry-After
}

// replies says one after the other, with the number of the request as body; the last stays.
func replies(seen *[]string, all ...reply) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		*seen = append(*seen, string(body))
		is := all[min(len(*seen), len(all))-1]
		if is.after != "" {
			rw.Header().Set("Retry-After", is.after)
		}
		rw.WriteHeader(is.status)
		io.WriteString(rw, strconv.Itoa(len(*seen)))
	}
}

// TestRetries: a request that the service puts off is sent again when it says so, if that can't do
// harm and the caller can wait. Time is a bubble's, which begins at a full second.
func TestRetries(t *testing.T) {
	date := func(d time.Duration) string { // of the bubble
		return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(d).Format(http.TimeFormat)
	}
	ok := reply{200, ""}
	tests := map[string]struct {
		method  string
		body    string
		prefer  string
		within  time.Duration // the caller's deadline; zero: none
		replies []reply
		status  int
		sent    int
		waited  time.Duration
	}{
		"429":                        {method: "GET", replies: []reply{{429, "2"}, ok}, status: 200, sent: 2, waited: 2 * time.Second},
		"503":                        {method: "HEAD", replies: []reply{{503, "1"}, ok}, status: 200, sent: 2, waited: time.Second},
		"at once":                    {method: "GET", replies: []reply{{503, "0"}, ok}, status: 200, sent: 2},
		"a date":                     {method: "GET", replies: []reply{{503, date(3 * time.Second)}, ok}, status: 200, sent: 2, waited: 3 * time.Second},
		"a date gone by":             {method: "GET", replies: []reply{{503, date(-time.Hour)}, ok}, status: 200, sent: 2},
		"a date far off":             {method: "GET", replies: []reply{{503, date(time.Hour)}, ok}, status: 503, sent: 1},
		"nothing said":               {method: "GET", replies: []reply{{503, ""}, ok}, status: 503, sent: 1},
		"nonsense said":              {method: "GET", replies: []reply{{503, "soon"}, ok}, status: 503, sent: 1},
		"negative":                   {method: "GET", replies: []reply{{503, "-1"}, ok}, status: 503, sent: 1},
		"a fraction":                 {method: "GET", replies: []reply{{503, "1.5"}, ok}, status: 503, sent: 1},
		"absurd":                     {method: "GET", replies: []reply{{503, "99999999999999999999"}, ok}, status: 503, sent: 1},
		"absurd, of 32 bits":         {method: "GET", replies: []reply{{503, "4294967295"}, ok}, status: 503, sent: 1},
		"500":                        {method: "GET", replies: []reply{{500, "1"}, ok}, status: 500, sent: 1},
		"301":                        {method: "GET", replies: []reply{{301, "1"}, ok}, status: 301, sent: 1},
		"POST":                       {method: "POST", body: "b", replies: []reply{{503, "1"}, ok}, status: 503, sent: 1},
		"POST without body":          {method: "POST", replies: []reply{{429, "1"}, ok}, status: 429, sent: 1},
		"PATCH":                      {method: "PATCH", body: "b", replies: []reply{{503, "1"}, ok}, status: 503, sent: 1},
		"PUT":                        {method: "PUT", body: "b", replies: []reply{{503, "1"}, ok}, status: 200, sent: 2, waited: time.Second},
		"DELETE":                     {method: "DELETE", replies: []reply{{503, "1"}, ok}, status: 200, sent: 2, waited: time.Second},
		"PUT, just short enough":     {method: "PUT", body: strings.Repeat("b", maxKept), replies: []reply{{503, "1"}, ok}, status: 200, sent: 2, waited: time.Second},
		"PUT, too long":              {method: "PUT", body: strings.Repeat("b", maxKept+1), replies: []reply{{503, "1"}, ok}, status: 503, sent: 1},
		"twice":                      {method: "GET", replies: []reply{{429, "2"}, {503, "3"}, ok}, status: 200, sent: 3, waited: 5 * time.Second},
		"three times":                {method: "GET", replies: []reply{{429, "1"}, {429, "1"}, {429, "1"}, ok}, status: 429, sent: 3, waited: 2 * time.Second},
		"too long in all":            {method: "GET", replies: []reply{{429, "3"}, {429, "3"}, ok}, status: 429, sent: 2, waited: 3 * time.Second},
		"the longest":                {method: "GET", replies: []reply{{429, "5"}, ok}, status: 200, sent: 2, waited: 5 * time.Second},
		"too long":                   {method: "GET", replies: []reply{{429, "6"}, ok}, status: 429, sent: 1},
		"a patient caller":           {method: "GET", prefer: `respond-async, Wait=20; x=y`, replies: []reply{{429, "15"}, ok}, status: 200, sent: 2, waited: 15 * time.Second},
		"a patient caller, in all":   {method: "GET", prefer: `wait=20`, replies: []reply{{429, "15"}, {429, "6"}, ok}, status: 429, sent: 2, waited: 15 * time.Second},
		"a quoted wait":              {method: "GET", prefer: `wait="7"`, replies: []reply{{429, "7"}, ok}, status: 200, sent: 2, waited: 7 * time.Second},
		"the most patient caller":    {method: "GET", prefer: "wait=4000", replies: []reply{{429, "30"}, ok}, status: 200, sent: 2, waited: 30 * time.Second},
		"patience has an end":        {method: "GET", prefer: "wait=4000", replies: []reply{{429, "31"}, ok}, status: 429, sent: 1},
		"an impatient caller":        {method: "GET", prefer: "wait=1", replies: []reply{{429, "2"}, ok}, status: 429, sent: 1},
		"the first wait counts":      {method: "GET", prefer: "wait=1, wait=20", replies: []reply{{429, "2"}, ok}, status: 429, sent: 1},
		"a wait that is none":        {method: "GET", prefer: "wait=long", replies: []reply{{429, "2"}, ok}, status: 200, sent: 2, waited: 2 * time.Second},
		"within the deadline":        {method: "GET", within: 3 * time.Second, replies: []reply{{429, "2"}, ok}, status: 200, sent: 2, waited: 2 * time.Second},
		"beyond the deadline":        {method: "GET", within: 3 * time.Second, replies: []reply{{429, "4"}, ok}, status: 429, sent: 1},
		"deadline before preference": {method: "GET", within: 3 * time.Second, prefer: "wait=20", replies: []reply{{429, "4"}, ok}, status: 429, sent: 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var seen []string
				w := newBubble(t, replies(&seen, test.replies...), nil)
				ctx, cancel := t.Context(), func() {}
				if test.within > 0 {
					ctx, cancel = context.WithTimeout(ctx, test.within)
				}
				defer cancel()
				begin := time.Now()
				rec, err := w.call(ctx, test.method, "/", test.body, "Prefer", test.prefer)
				if err != nil || rec.Code != test.status || len(seen) != test.sent {
					t.Fatalf("got %d after %d requests, and %v; want %d after %d", rec.Code, len(seen), err, test.status, test.sent)
				}
				if got := time.Since(begin); got != test.waited {
					t.Errorf("waited %v, want %v", got, test.waited)
				}
				for _, body := range seen {
					if body != test.body {
						t.Errorf("a body of %d bytes arrived, want %d", len(body), len(test.body))
					}
				}
				last := test.replies[test.sent-1]
				if got := rec.Header().Get("Retry-After"); got != last.after {
					t.Errorf("Retry-After: got %q, want %q", got, last.after)
				}
				if got := rec.Body.String(); test.method != "HEAD" && got != strconv.Itoa(test.sent) {
					t.Errorf("got the answer to request %s, want %d", got, test.sent)
				}
			})
		})
	}
}

// TestWaitingEnds when the caller leaves.
func TestWaitingEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []string
		w := newBubble(t, replies(&seen, reply{429, "4"}), nil)
		ctx, leave := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, leave)
		begin := time.Now()
		_, err := w.call(ctx, "GET", "/", "")
		if !errors.Is(err, context.Canceled) || len(seen) != 1 || time.Since(begin) != time.Second {
			t.Errorf("got %v after %v and %d requests, want context.Canceled after a second and one", err, time.Since(begin), len(seen))
		}
	})
}

// TestDoubledRetryAfter: it can't be known which of two is meant.
func TestDoubledRetryAfter(t *testing.T) {
	if _, told := retryAfter(http.Header{"Retry-After": {"1", "2"}}, time.Now()); told {
		t.Error("one of two was taken")
	}
}

func FuzzPreferredWait(f *testing.F) {
	for _, seed := range []string{"wait=1", `wait="1"`, "a;b=c, wait = 3 ;x", "wait", "wait=", "wait=-1", "wait=99999999999", ",,=,;"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, prefer string) {
		wait, stated := preferredWait(http.Header{"Prefer": {prefer}})
		if wait < 0 || !stated && wait != 0 || stated && !strings.Contains(strings.ToLower(prefer), "wait") {
			t.Errorf("%q: got %v, %v", prefer, wait, stated)
		}
	})
}
