package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"hearth/core"
	"hearth/wire"
)

// places is core.Places on this machine's file system.
type places struct{}

// Open implements core.Places.
func (places) Open(_ context.Context, place string) (core.PlaceFile, int64, error) {
	f, err := os.Open(place)
	if err != nil {
		return nil, 0, placeError("read", err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is not a plain file")
	}
	if err != nil {
		f.Close()
		return nil, 0, placeError("read", err)
	}
	return f, info.Size(), nil
}

// Write implements core.Places.
func (places) Write(_ context.Context, place string, fill func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(place), ".hearth-*")
	if err != nil {
		return placeError("written", err)
	}
	defer func() {
		f.Close()
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	if err := fill(f); err != nil {
		var path *fs.PathError
		if errors.As(err, &path) {
			return placeError("written", err)
		}
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return placeError("written", err)
	}
	if err := os.Rename(f.Name(), place); err != nil {
		return placeError("written", err)
	}
	dir, err := os.Open(filepath.Dir(place))
	if err != nil {
		return placeError("written", err)
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil {
		return placeError("written", err)
	}
	return nil
}

func placeError(what string, err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		err = path.Err
	case errors.As(err, &link):
		err = link.Err
	}
	switch {
	case errors.Is(err, fs.ErrNotExist) && what == "read":
		return wire.Errorf(wire.NotFound, "there is no such file").WithNext("check its name")
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return wire.Errorf(wire.DiskFull, "the disk is full: %w", err).WithNext("free space, then try again")
	}
	return wire.Errorf(wire.BadInput, "the file can't be %s: %w", what, err).WithNext("check its name and who may use its folder")
}
