package core

import (
	"context"
	"io"

	"hearth/wire"
)

// Places is where a person's own files lie, by the names that the person gives
// them: a file system natively. Backups and exports go there.
type Places interface {
	// Open opens what lies at a place, of size bytes; not_found if nothing does.
	Open(ctx context.Context, place string) (f PlaceFile, size int64, err error)
	// Write puts what fill writes there, whole or not at all, durable when it
	// returns. What is at the place may be read meanwhile.
	Write(ctx context.Context, place string, fill func(io.Writer) error) error
}

// PlaceFile is an open file of Places.
type PlaceFile interface {
	io.ReaderAt
	io.Closer
}

// places returns where files go, if this client has such places.
func (c *Client) places() (Places, error) {
	if c.cfg.Places == nil {
		return nil, wire.Errorf(wire.Unsupported, "this client keeps no files")
	}
	return c.cfg.Places, nil
}

// oneAtATime lets one of several calls of the same kind work at a time. It is a
// channel, for what is done under it may wait for the network.
type oneAtATime chan struct{}

func (o oneAtATime) begin(ctx context.Context) error {
	select {
	case o <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (o oneAtATime) done() { <-o }
