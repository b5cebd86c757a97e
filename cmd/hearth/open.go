package main

import (
	"context"
	"errors"

	"hearth/core"
	"hearth/store/home"
)

// openHome opens a home's client with everything native that it is handed.
func openHome(ctx context.Context, dir string) (owned, error) {
	h, err := home.Open(ctx, dir)
	if err != nil {
		return nil, err
	}
	c, err := core.Open(ctx, core.Config{Disk: h, Key: h.Key(), Dial: dial, Blobs: blobs, Places: places{}})
	if err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return &nativeHome{c, h}, nil
}

// nativeHome is a client together with its folder.
type nativeHome struct {
	*core.Client
	folder *home.Home
}

// Close releases both.
func (n *nativeHome) Close() error { return errors.Join(n.Client.Close(), n.folder.Close()) }
