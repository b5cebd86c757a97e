// Package home keeps a native client's home: a folder with the sealed records
// in SQLite (the disk of core/vault), the key beside them, and the lock that
// makes one process its owner.
//
// It promises that Apply is all or nothing and on disk when it returns, that
// what was deleted or replaced is gone from the database and its log within
// TidyWithin, and that damage, a full disk and a second owner each have their
// own error. It never sees a value or a name in clear.
//
// Start with Open. The key file is in key.go.
package home

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"hearth/wire"
)

// The files of a home.
const (
	dataName     = "home.db"
	keyName      = "key"
	lockName     = "lock"
	settingsName = "settings"
	// dueName is there while a check is due that did not pass: closing a damaged
	// file puts its log in order, and leaves the damage.
	dueName = "check"
)

// TidyWithin is the longest that deleted or replaced bytes stay in the log while
// the home is open: the deletion bound of docs/threats.md. Close tidies too.
const TidyWithin = time.Second

const (
	// formatVersion is the version of the tables, in user_version.
	formatVersion = 1
	// applicationID marks the file as ours: "hrth".
	applicationID = 0x68727468
	// checkBelow is the size up to which opening checks the whole file. Beyond
	// it only a file that was not closed in order is checked, so that a start
	// doesn't grow with the history; the vault's seals still notice damage.
	checkBelow = 8 << 20
	// vacuumAbove is how many free pages are worth giving back.
	vacuumAbove = 256
)

// Home is an open home; it is a vault.Disk. Its methods may be called from
// several goroutines.
type Home struct {
	dir  string
	lock *os.File
	db   *sql.DB // readers
	w    *sql.DB // the one writer

	// Parsing SQL takes longer than these do.
	get, from, behind *sql.Stmt // of db
	put, del          *sql.Stmt // of w

	mu     sync.Mutex // guards what follows
	timer  *time.Timer
	closed bool
}

// Open takes the home in dir for this process, and makes it if there is none.
//
// Errors: home_in_use when another process owns it; damaged; disk_full;
// unsupported when a newer version wrote it; denied when the folder can't be
// written.
func Open(ctx context.Context, dir string) (*Home, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fileError("make the home folder", err)
	}
	lock, err := takeLock(filepath.Join(dir, lockName))
	if err != nil {
		return nil, err
	}
	return openHeld(ctx, dir, lock)
}

// OpenHeld is Open with the lock that Hold gave, of which it becomes the owner:
// damaged if it is that of another home.
func OpenHeld(ctx context.Context, dir string, lock *os.File) (*Home, error) {
	here, err := os.Stat(filepath.Join(dir, lockName))
	held, heldErr := lock.Stat()
	if err != nil || heldErr != nil || !os.SameFile(here, held) {
		return nil, damaged(errors.Join(errors.New("not this home's lock"), err, heldErr, lock.Close()))
	}
	return openHeld(ctx, dir, lock)
}

func openHeld(ctx context.Context, dir string, lock *os.File) (*Home, error) {
	h := &Home{dir: dir, lock: lock}
	if err := h.open(ctx); err != nil {
		h.Close()
		return nil, err
	}
	return h, nil
}

func (h *Home) open(ctx context.Context) error {
	path := filepath.Join(h.dir, dataName)
	inOrder := true
	if info, err := os.Stat(path + "-wal"); err == nil && info.Size() > 0 {
		inOrder = false // the last owner did not close it
	}
	size := int64(0)
	if info, err := os.Stat(path); err == nil {
		size = info.Size()
	}
	// auto_vacuum counts only before the file is first written, so it comes
	// before journal_mode. FULL makes a commit durable in WAL mode.
	pragmas := url.Values{"_pragma": {
		"busy_timeout(10000)", "auto_vacuum(2)", "journal_mode(wal)",
		"synchronous(full)", "secure_delete(on)", "trusted_schema(off)", "cell_size_check(on)",
	}, "_txlock": {"immediate"}}
	var err error
	if h.w, err = openDB(path, pragmas); err != nil {
		return dbError("open the home", err)
	}
	h.w.SetMaxOpenConns(1)
	if err := h.prepare(ctx); err != nil {
		return err
	}
	due := filepath.Join(h.dir, dueName)
	if _, err := os.Stat(due); err == nil {
		inOrder = false
	}
	if size > 0 && !inOrder {
		os.WriteFile(due, nil, 0o600) // without it, on a full disk, this check is the only one
	}
	if size > 0 && (size <= checkBelow || !inOrder) {
		if err := h.check(ctx); err != nil {
			return err
		}
		os.Remove(due)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return fileError("protect the home", err)
	}
	pragmas["_txlock"] = []string{"deferred"}
	if h.db, err = openDB(path, pragmas); err != nil {
		return dbError("open the home", err)
	}
	h.db.SetMaxOpenConns(4)
	h.db.SetMaxIdleConns(4)
	for _, p := range []struct {
		stmt **sql.Stmt
		of   *sql.DB
		sql  string
	}{
		{&h.get, h.db, "SELECT v FROM kv WHERE k = $1"},
		{&h.from, h.db, "SELECT k, v FROM kv WHERE k >= $1 AND k < $2 ORDER BY k LIMIT $3"},
		{&h.behind, h.db, "SELECT k, v FROM kv WHERE k > $1 AND k < $2 ORDER BY k LIMIT $3"},
		{&h.put, h.w, "INSERT INTO kv (k, v) VALUES ($1, $2) ON CONFLICT (k) DO UPDATE SET v = excluded.v"},
		{&h.del, h.w, "DELETE FROM kv WHERE k = $1"},
	} {
		if *p.stmt, err = p.of.PrepareContext(ctx, p.sql); err != nil {
			return dbError("open the home", err)
		}
	}
	return nil
}

// openDB escapes the path: a folder may hold "?" or "%".
func openDB(path string, pragmas url.Values) (*sql.DB, error) {
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: pragmas.Encode()}
	return sql.Open("sqlite", u.String())
}

// prepare makes the table in a new file, and refuses another's or a newer one.
func (h *Home) prepare(ctx context.Context) error {
	var app, version int
	if err := h.w.QueryRowContext(ctx, "PRAGMA application_id").Scan(&app); err != nil {
		return dbError("open the home", err)
	}
	if err := h.w.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return dbError("open the home", err)
	}
	switch {
	case app == applicationID && version == formatVersion:
		return nil
	case app == applicationID && version > formatVersion:
		return &wire.Error{Code: wire.Unsupported, Message: "this home was written by a newer version of hearth",
			Next: "use that version, or a newer one"}
	case app != 0 || version != 0:
		return damaged(errors.New("not a home's file"))
	}
	// One transaction, so that a crash leaves a new file or a whole one. The
	// key stands in the table and in its index: a check compares the two.
	_, err := h.w.ExecContext(ctx, fmt.Sprintf(`BEGIN IMMEDIATE;
		CREATE TABLE kv (k TEXT NOT NULL UNIQUE, v BLOB NOT NULL) STRICT;
		PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT`, applicationID, formatVersion))
	if err != nil {
		return dbError("make the home", err)
	}
	return nil
}

// check reads the whole file.
func (h *Home) check(ctx context.Context) error {
	var verdict string
	if err := h.w.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&verdict); err != nil {
		return dbError("check the home", err)
	}
	if verdict != "ok" {
		return damaged(errors.New(verdict))
	}
	return nil
}

// GetMany returns the values of keys, in their order; nil for an absent one.
func (h *Home) GetMany(ctx context.Context, keys []string) ([][]byte, error) {
	values := make([][]byte, len(keys))
	get := h.get
	if len(keys) > 1 {
		tx, err := h.db.BeginTx(ctx, nil) // one state for all keys
		if err != nil {
			return nil, dbError("read the home", err)
		}
		defer tx.Rollback()
		get = tx.StmtContext(ctx, h.get)
	}
	for i, key := range keys {
		rows, err := get.QueryContext(ctx, key)
		if err != nil {
			return nil, dbError("read the home", err)
		}
		if rows.Next() {
			var v sql.RawBytes
			if err = rows.Scan(&v); err == nil {
				values[i] = append([]byte{}, v...)
			}
		}
		if err := errors.Join(err, rows.Err(), rows.Close()); err != nil {
			return nil, dbError("read the home", err)
		}
	}
	return values, nil
}

// Scan returns, in order, at most limit records whose keys begin with prefix and
// sort behind after. Keys are printable ASCII.
func (h *Home) Scan(ctx context.Context, prefix, after string, limit int) (keys []string, values [][]byte, err error) {
	query, at := h.behind, after
	if after < prefix {
		query, at = h.from, prefix
	}
	rows, err := query.QueryContext(ctx, at, prefix+"\x7f", limit)
	if err != nil {
		return nil, nil, dbError("read the home", err)
	}
	defer rows.Close()
	for rows.Next() {
		var k string
		var v []byte
		if err := rows.Scan(&k, &v); err != nil {
			return nil, nil, dbError("read the home", err)
		}
		keys, values = append(keys, k), append(values, v)
	}
	if err := rows.Err(); err != nil {
		return nil, nil, dbError("read the home", err)
	}
	return keys, values, nil
}

// Apply puts and deletes, all or nothing, and is durable when it returns. After
// an error the caller doesn't know which of the two it was.
func (h *Home) Apply(ctx context.Context, puts map[string][]byte, deletes []string) error {
	tx, err := h.w.BeginTx(ctx, nil)
	if err != nil {
		return dbError("write the home", err)
	}
	defer tx.Rollback()
	del, put := tx.StmtContext(ctx, h.del), tx.StmtContext(ctx, h.put)
	for _, key := range deletes {
		if _, err := del.ExecContext(ctx, key); err != nil {
			return dbError("write the home", err)
		}
	}
	for key, value := range puts {
		if value == nil {
			value = []byte{}
		}
		if _, err := put.ExecContext(ctx, key, value); err != nil {
			return dbError("write the home", err)
		}
	}
	if err := tx.Commit(); err != nil {
		return dbError("write the home", err)
	}
	h.tidySoon()
	return nil
}

// Key returns the home's key file.
func (h *Home) Key() *KeyFile { return &KeyFile{path: filepath.Join(h.dir, keyName)} }

// Settings returns the file of what must be known while the home is locked.
func (h *Home) Settings() *KeyFile { return &KeyFile{path: filepath.Join(h.dir, settingsName)} }

// Hold returns a second hold on the home's lock: the home stays this process's,
// and its next image's, until that file is closed too.
func (h *Home) Hold() (*os.File, error) {
	f, err := duplicate(h.lock)
	if err != nil {
		return nil, fileError("hold the home", err)
	}
	return f, nil
}

// tidySoon empties the log within TidyWithin: secure_delete clears pages, but
// what a page was before still stands in the log (attack A52).
func (h *Home) tidySoon() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.timer == nil && !h.closed {
		h.timer = time.AfterFunc(TidyWithin, func() {
			h.mu.Lock()
			h.timer = nil
			closed := h.closed
			h.mu.Unlock()
			if !closed && h.tidy(context.Background()) != nil {
				h.tidySoon() // a reader was in the way, or the disk is full
			}
		})
	}
}

var errBusy = errors.New("a reader holds the log")

// tidy gives free pages back and empties the log.
func (h *Home) tidy(ctx context.Context) error {
	var free int
	if err := h.w.QueryRowContext(ctx, "PRAGMA freelist_count").Scan(&free); err != nil {
		return err
	}
	if free > vacuumAbove {
		// Each row that is stepped over gives back a page.
		rows, err := h.w.QueryContext(ctx, "PRAGMA incremental_vacuum")
		if err != nil {
			return err
		}
		for rows.Next() {
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return err
		}
	}
	var busy, log, moved int
	if err := h.w.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &log, &moved); err != nil {
		return err
	}
	if busy != 0 {
		return errBusy
	}
	return nil
}

// Close tidies, closes the files and gives the home free. It may be called
// again.
func (h *Home) Close() error {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return nil
	}
	h.closed = true
	if h.timer != nil {
		h.timer.Stop()
	}
	h.mu.Unlock()
	var errs []error
	if h.db != nil {
		errs = append(errs, h.db.Close(), h.tidy(context.Background()))
	}
	if h.w != nil {
		errs = append(errs, h.w.Close())
	}
	errs = append(errs, h.lock.Close()) // gives the lock up
	if err := errors.Join(errs...); err != nil {
		return dbError("close the home", err)
	}
	return nil
}
