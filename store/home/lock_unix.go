//go:build unix

package home

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

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

// duplicate returns the same open file under a second descriptor.
func duplicate(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}
