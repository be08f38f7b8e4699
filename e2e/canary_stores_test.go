package e2e

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"linkgate/idempotency"
	"linkgate/oauthstate"
	"linkgate/testservers"
)

// realRedis is a redis-server with a password, behind a network that can fail. We read all that
// it holds, again and again, and MONITOR what it is told.
func (c *canary) realRedis() option {
	address := testservers.Redis(c.t)
	protected := c.passwordIn(address, "default", "password of Redis")
	options, err := redis.ParseURL(protected)
	if err != nil {
		c.t.Fatal(err)
	}
	open := redis.NewClient(&redis.Options{Addr: options.Addr})
	defer open.Close()
	if err := open.ConfigSet(c.t.Context(), "requirepass", options.Password).Err(); err != nil {
		c.t.Fatal(err)
	}
	c.redis = redis.NewClient(options)
	c.watchRedis(options)
	c.toRedis = testservers.Proxy(c.t, protected)
	return with("REDIS_URL", c.toRedis.URL())
}

// watchRedis samples and monitors until the test ends.
func (c *canary) watchRedis(o *redis.Options) {
	conn, err := net.Dial("tcp", o.Addr)
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := fmt.Fprintf(conn, "*2\r\n$4\r\nAUTH\r\n$%d\r\n%s\r\n*1\r\n$7\r\nMONITOR\r\n", len(o.Password), o.Password); err != nil {
		c.t.Fatal(err)
	}
	c.monitor = &logBuffer{}
	ctx, stop := context.WithCancel(context.Background())
	c.sampling.Go(func() { c.readMonitor(conn) })
	c.sampling.Go(func() {
		for ctx.Err() == nil {
			c.dumpRedis(ctx)
			time.Sleep(20 * time.Millisecond)
		}
	})
	c.t.Cleanup(func() {
		stop()
		conn.Close()
		c.sampling.Wait()
		c.redis.Close()
	})
}

// ours are the commands of our own samples. (Linkgate's gets have nothing that its sets have not.)
var ours = regexp.MustCompile(`\] "(scan|type|get|pttl)" `)

// readMonitor keeps what MONITOR tells, until the connection is closed.
func (c *canary) readMonitor(conn net.Conn) {
	lines := bufio.NewReader(conn)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		if !ours.Match(line) {
			_, _ = c.monitor.Write(line) // a buffer can't fail
		}
	}
}

// dumpRedis remembers every key with its value, and returns the sessions. All must be about to go.
func (c *canary) dumpRedis(ctx context.Context) (sessions []oauthstate.Session) {
	keys := c.redis.Scan(ctx, 0, "*", 100).Iterator()
	for keys.Next(ctx) {
		key := keys.Val()
		pipe := c.redis.Pipeline()
		kindOf, value, life := pipe.Type(ctx, key), pipe.Get(ctx, key), pipe.PTTL(ctx, key)
		switch _, err := pipe.Exec(ctx); {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, redis.Nil): // it has expired
			continue
		case err != nil:
			c.t.Errorf("reading %s of type %s: %v", key, kindOf.Val(), err)
			continue
		}
		longest, isSession := livesFor(key)
		if life.Val() <= 0 || life.Val() > longest {
			c.t.Errorf("%s lives for %v more, want at most %v", key, life.Val(), longest)
		}
		c.see(inRedis, key, []byte(key+" "+kindOf.Val()+" "+value.Val()))
		if !isSession {
			continue
		}
		var s oauthstate.Session
		if err := json.Unmarshal([]byte(value.Val()), &s); err != nil {
			c.t.Errorf("%s holds no session: %v", key, err)
		}
		sessions = append(sessions, s)
	}
	if err := keys.Err(); err != nil && ctx.Err() == nil {
		c.t.Errorf("reading the keys of Redis: %v", err)
	}
	return sessions
}

// livesFor is how long a key may live, and whether it holds a session: the values of others are their own.
func livesFor(key string) (longest time.Duration, isSession bool) {
	switch {
	case strings.HasPrefix(key, oauthstate.EvictedPrefix):
		return idempotency.Life, false
	case strings.HasPrefix(key, "linkgate:ended:"): // of a user who was off-boarded
		return oauthstate.LongestLife + oauthstate.OpenedLife, false
	case strings.HasPrefix(key, refreshLease), strings.HasPrefix(key, registrationLease):
		return oauthstate.OpenedLife, false
	}
	return oauthstate.OpenedLife, true
}

// wantPhase looks into Redis, where there is one, while the user's session is in a phase.
func (c *canary) wantPhase(user string, want oauthstate.Phase) {
	c.t.Helper()
	if c.redis == nil {
		return
	}
	var got oauthstate.Phase
	for _, s := range c.dumpRedis(c.t.Context()) {
		if s.HostUserID == user {
			got = s.Phase
		}
	}
	if got != want {
		c.t.Errorf("the session of %s is %q in Redis, want %q", user, got, want)
	}
}

// realPostgres is a database of its own, with a password that nobody asks for, behind a network
// that can fail.
func (c *canary) realPostgres() option {
	c.postgres = c.passwordIn(testservers.Postgres(c.t), "postgres", "password of Postgres")
	c.toSQL = testservers.Proxy(c.t, c.postgres)
	keyset := newKeyset(c.t)
	return func(s *setup) {
		s.env["DATABASE_URL"], s.env["ENCRYPTION_KEYSET"] = c.toSQL.URL(), keyset
	}
}

// dumpSQL remembers every column of every row of every table.
func (c *canary) dumpSQL() {
	c.t.Helper()
	tables := "SELECT name FROM sqlite_master WHERE type = 'table'"
	if c.postgres != "" {
		tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
	}
	for _, name := range c.query(tables) {
		for _, row := range c.query("SELECT * FROM " + name) {
			c.see(inSQL, name, []byte(row))
		}
	}
}

// query returns each row as its columns with their names; of a single column only the value.
func (c *canary) query(query string) (lines []string) {
	c.t.Helper()
	rows, err := c.db.QueryContext(c.t.Context(), query)
	if err != nil {
		c.t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		c.t.Fatal(err)
	}
	for rows.Next() {
		values, into := make([][]byte, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			c.t.Fatal(err)
		}
		line := string(values[0])
		for i := 1; i < len(columns); i++ {
			line += " " + columns[i] + "=" + string(values[i])
		}
		lines = append(lines, line)
	}
	if err := rows.Err(); err != nil {
		c.t.Fatal(err)
	}
	return lines
}

// dumpFiles remembers the bytes of every file of DATA_DIR, SQLite's log included, but for the
// keyset.
func (c *canary) dumpFiles() {
	c.t.Helper()
	dir := c.Linkgate.env["DATA_DIR"]
	if c.postgres != "" {
		return // it has none
	}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path == filepath.Join(dir, "keyset") {
			return err
		}
		content, err := os.ReadFile(path)
		c.see(inFile, entry.Name(), append([]byte(entry.Name()+"\n"), content...))
		return err
	})
	if err != nil {
		c.t.Error(err)
	}
}

// dump looks into every store there is.
func (c *canary) dump() {
	c.t.Helper()
	c.dumpSQL()
	c.dumpFiles()
	if c.redis != nil {
		c.dumpRedis(c.t.Context())
	}
	c.askOperator()
}

// askOperator remembers what the operator's listener says.
func (c *canary) askOperator() {
	c.t.Helper()
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		answer, err := http.Get("http://" + c.Linkgate.env["OPERATOR_ADDR"] + path)
		if err != nil {
			c.t.Error(err)
			continue
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil {
			c.t.Error(err)
		}
		c.see(inOperator, path, body)
	}
}

// keyset is what the credentials are sealed with.
func (c *canary) keyset() string {
	c.t.Helper()
	if keyset := c.Linkgate.env["ENCRYPTION_KEYSET"]; keyset != "" {
		return keyset
	}
	b, err := os.ReadFile(filepath.Join(c.Linkgate.env["DATA_DIR"], "keyset"))
	if err != nil {
		c.t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// knowKeyset remembers the keyset and each key in it: Tink's JSON, its key material in base64 and
// raw, and the last 32 bytes of that, which are the key itself.
func (c *canary) knowKeyset() {
	c.t.Helper()
	keyset := c.keyset()
	plain, err := base64.StdEncoding.DecodeString(keyset)
	if err != nil {
		c.t.Fatal(err)
	}
	var tink struct {
		Key []struct {
			KeyData struct {
				Value []byte `json:"value"`
			} `json:"keyData"`
		} `json:"key"`
	}
	if err := json.Unmarshal(plain, &tink); err != nil || len(tink.Key) == 0 {
		c.t.Fatalf("the keyset has no keys: %v", err)
	}
	c.know("keyset", keyset, string(plain))
	for _, k := range tink.Key {
		value := k.KeyData.Value
		c.know("key of the keyset", string(value), base64.StdEncoding.EncodeToString(value), string(value[len(value)-32:]))
	}
}
