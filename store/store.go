// Package store keeps what a server holds: accounts in one database, rooms in
// another behind a journal. The two share no handle and no value, so that no
// query can join them.
//
// It promises that a change reported as done is on disk; that a journal torn at
// any byte loses nothing reported; that what every seat has acknowledged, or
// what has expired, is in no byte of the folder after the next checkpoint. It
// must never learn who posts, what an entry says, or from which address.
//
// Start with Rooms (rooms.go), then room.go for the state of one room,
// record.go for the changes it goes through, journal.go for how these reach the
// disk and checkpoint.go for how they leave the journal again. Accounts
// (accounts.go) is an ordinary SQLite database.
package store

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"hearth/wire"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// Versions of what is stored. A folder with another version is refused.
const (
	accountsVersion = 1
	roomsVersion    = 3
	journalVersion  = 1
)

//go:embed schema_accounts_sqlite.sql
var accountsSchema string

//go:embed schema_rooms_sqlite.sql
var roomsSchema string

// Day counts days since 1970 in UTC: the finest time that the store keeps,
// expiry apart.
type Day int64

// DayOf returns the day of t.
func DayOf(t time.Time) Day { return Day(t.Unix() / 86400) }

// Step performs one durable step (a write, a sync, a commit, a removal) by
// calling do. Tests put faults in its place: one that fails without calling do,
// one that calls it and fails all the same.
type Step func(name string, do func() error) error

func plainStep(_ string, do func() error) error { return do() }

// openSQLite opens the database at path with at most conns connections and
// brings an empty one to schema.
func openSQLite(ctx context.Context, path string, conns int, schema string, version int) (*sql.DB, error) {
	const always = "?_pragma=busy_timeout(10000)&_pragma=synchronous(FULL)&_pragma=secure_delete(1)" +
		"&_pragma=foreign_keys(0)&_pragma=temp_store(2)&_pragma=cache_size(-2000)&_txlock=immediate"
	// The file's own settings are made once, by a connection of its own: auto_vacuum
	// takes the write lock even where it changes nothing, and a reader must never
	// wait for the writer. It must come before journal_mode in a new file: set
	// later it is silently ignored.
	once, err := sql.Open("sqlite", "file:"+path+always+"&_pragma=auto_vacuum(2)&_pragma=journal_mode(WAL)")
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	once.SetMaxOpenConns(1)
	err = migrate(ctx, once, schema, version)
	if err = errors.Join(err, once.Close()); err != nil {
		return nil, asWire(fmt.Errorf("open the database %s: %w", filepath.Base(path), err))
	}
	db, err := sql.Open("sqlite", "file:"+path+always)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return db, nil
}

func migrate(ctx context.Context, db *sql.DB, schema string, version int) error {
	var have int
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&have); err != nil {
		return err
	}
	switch {
	case have == version:
		return nil
	case have != 0:
		return wire.Errorf(wire.Unsupported, "the data has version %d, this program knows %d", have, version).WithNext("use the program that wrote it")
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, schema); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", version)); err != nil {
		return err
	}
	return tx.Commit()
}

// asWire gives the failures of a disk their code.
func asWire(err error) error {
	var w *wire.Error
	switch {
	case err == nil || errors.As(err, &w):
		return err
	case isDiskFull(err):
		return wire.Errorf(wire.DiskFull, "the server's disk is full: %w", err).WithNext("free space, then try again")
	case isDamaged(err):
		return wire.Errorf(wire.Damaged, "the server's data is damaged: %w", err).WithNext("restore the folder from a copy, or move the damaged file away")
	}
	return err
}

// sqliteError is what the driver's errors offer.
type sqliteError interface{ Code() int }

// SQLite's primary result codes: https://sqlite.org/rescode.html
const (
	sqliteCorrupt = 11
	sqliteFull    = 13
	sqliteNotADB  = 26
)

func sqliteCode(err error) int {
	var e sqliteError
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

func isDiskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || sqliteCode(err) == sqliteFull
}

func isDamaged(err error) bool {
	c := sqliteCode(err)
	return c == sqliteCorrupt || c == sqliteNotADB
}

// syncDir makes the names in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// gate is a mutex whose waiters count as idle in a synctest bubble: SQLite sleeps
// while it waits for a reader to leave, and with a sync.Mutex held meanwhile the
// bubble's clock would stand still.
type gate chan struct{}

func newGate() gate { return make(gate, 1) }

// Lock waits until the gate is free and takes it.
func (g gate) Lock() { g <- struct{}{} }

// Unlock frees the gate.
func (g gate) Unlock() { <-g }
