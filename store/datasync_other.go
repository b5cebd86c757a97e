//go:build !linux

package store

import "os"

// datasync makes a file durable.
func datasync(f *os.File) error { return f.Sync() }

// freeBytes is not known on this system.
func freeBytes(string) (int64, bool) { return 0, false }
