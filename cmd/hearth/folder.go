package main

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"

	"hearth/wire"
)

// lockFolder makes this process the only one that runs a server in a folder,
// until it closes the file or ends, however it ends.
func lockFolder(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, dataFolder(err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, dataFolder(err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, wire.Errorf(wire.HomeInUse, "another server is using the folder %s", dir).WithNext("stop that one, or choose another folder with --data DIR")
		}
		return nil, dataFolder(err)
	}
	return f, nil
}

func dataFolder(err error) error {
	return wire.Errorf(wire.BadInput, "the server's folder can't be used: %w", err).WithNext("choose another with --data DIR")
}
