package home

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"hearth/wire"
)

// damaged says that the file is not as it was written. The cause stays out of
// the message: it may name tables and keys.
func damaged(cause error) error {
	return fmt.Errorf("%w (%w)", &wire.Error{Code: wire.Damaged, Message: "this home is damaged",
		Next: "copy the folder away, then restore a backup into a new home"}, cause)
}

var errFull = &wire.Error{Code: wire.DiskFull, Message: "the disk is full and nothing was changed",
	Next: "make room, then try again"}

// dbError gives an error of the database its code. The step is what was being
// done.
func dbError(step string, err error) error {
	var e *sqlite.Error
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: %w", step, err)
	case errors.As(err, &e):
		switch e.Code() & 0xff {
		case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT:
			return damaged(err)
		case sqlite3.SQLITE_FULL:
			return fmt.Errorf("%s: %w", step, errFull)
		case sqlite3.SQLITE_IOERR:
			switch e.Code() {
			case sqlite3.SQLITE_IOERR_SHORT_READ:
				return damaged(err)
			case sqlite3.SQLITE_IOERR_SHMSIZE: // no room for the log's index
				return fmt.Errorf("%s: %w", step, errFull)
			}
		case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
			return fmt.Errorf("%s: %w", step, denied())
		}
	}
	return fileError(step, err)
}

// fileError does the same for an error of the file system.
func fileError(step string, err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%s: %w", step, errFull)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS), errors.Is(err, syscall.ENOTDIR), errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%s: %w", step, denied())
	}
	return fmt.Errorf("%s: %w", step, err)
}

func denied() error {
	return &wire.Error{Code: wire.Denied, Message: "the home folder cannot be written",
		Next: "check who owns the folder, or choose another with --home"}
}
