package database

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// FileName is SQLite's file in Options.DataDir.
const FileName = "linkgate.db"

// Readers beside the one writer. Each connection has a page cache of its own.
const sqliteConnections = 8

func openSQLite(o Options) (*DB, error) {
	path, err := makeFile(o.DataDir)
	if err != nil {
		return nil, fmt.Errorf("making the database file (DATA_DIR): %w", err)
	}
	db, err := sql.Open("sqlite", sqliteDSN(path))
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	db.SetMaxOpenConns(sqliteConnections)
	db.SetMaxIdleConns(sqliteConnections) // opening one takes longer than most queries
	db.SetConnMaxIdleTime(time.Minute)    // and keeping one takes memory
	return &DB{DB: db, dialect: sqlite, writer: make(chan struct{}, 1)}, nil
}

// makeFile makes the file for its owner alone before SQLite does it with the umask's mode; the
// -wal and -shm files take their mode from it.
func makeFile(dir string) (string, error) {
	if dir == "" {
		return "", errors.New("no directory is given")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	path := filepath.Join(dir, FileName)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return "", err
	}
	return path, errors.Join(f.Chmod(0o600), f.Close())
}

// sqliteDSN asks for what "must not lose anything" needs: each commit is on the disk (FULL), and
// a transaction takes the write lock when it begins (immediate), as one that has read and then
// wants to write can't wait for others, but fails.
func sqliteDSN(path string) string {
	settings := url.Values{
		"_journal_mode": {"WAL"},
		"_synchronous":  {"FULL"},
		"_foreign_keys": {"on"},
		"_busy_timeout": {"1000"}, // waiting does not end with a context; InTx waits again if it may
		"_txlock":       {"immediate"},
	}
	// Escaped, as a directory may have ? or % in its name.
	file := url.URL{Path: filepath.ToSlash(path)}
	return "file:" + file.EscapedPath() + "?" + settings.Encode()
}
