package main

import (
	"context"
	"errors"
	"os"

	"hearth/core"
	"hearth/core/lock"
	"hearth/core/vault"
	"hearth/rpc"
	"hearth/store/home"
)

// openHome takes a home with everything native that it is handed.
func openHome(ctx context.Context, dir string, left *hold) (owned, error) {
	harden()
	var folder *home.Home
	var err error
	if left != nil {
		folder, err = home.OpenHeld(ctx, dir, left.lock)
	} else {
		folder, err = home.Open(ctx, dir)
	}
	if err != nil {
		return nil, err
	}
	h, err := lock.Open(ctx, lock.Config{
		Client:   core.Config{Disk: folder, Key: folder.Key(), Dial: dial, Blobs: blobs, Files: folder.Files(), Places: places{}},
		Settings: folder.Settings(),
		Cost:     vault.CostFor(memory()),
	})
	if err != nil {
		return nil, errors.Join(err, folder.Close())
	}
	return &nativeHome{rpc.Locking(h), h, folder}, nil
}

// nativeHome is a home together with its folder.
type nativeHome struct {
	rpc.Home
	home   *lock.Home
	folder *home.Home
}

// Run owns every goroutine of the home.
func (n *nativeHome) Run(ctx context.Context) error { return n.home.Run(ctx) }

// Close releases both.
func (n *nativeHome) Close() error { return errors.Join(n.home.Close(), n.folder.Close()) }

// Hold returns a second hold on the home.
func (n *nativeHome) Hold() (*os.File, error) { return n.folder.Hold() }
