//go:build !unix

package home

import (
	"os"

	"hearth/wire"
)

// takeLock refuses: without a lock two owners would use one ratchet twice.
func takeLock(string) (*os.File, error) {
	return nil, &wire.Error{Code: wire.Unsupported, Message: "homes are not supported on this system yet",
		Next: "use Linux, macOS or a BSD"}
}

func duplicate(*os.File) (*os.File, error) { return nil, os.ErrInvalid }
