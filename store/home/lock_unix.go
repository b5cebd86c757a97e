//go:build unix

package home

import (
	"errors"
	"os"
	"syscall"

	"hearth/wire"
)

// takeLock makes this process the home's owner until the file is closed or the
// process ends, however it ends. The file itself stays and says nothing.
func takeLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fileError("open the home's lock", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, &wire.Error{Code: wire.HomeInUse, Message: "another process uses this home",
			Next: "end it, or choose another home with --home"}
	}
	return nil, fileError("lock the home", err)
}
