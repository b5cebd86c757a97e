package core

import (
	"context"
	"time"
)

// watchPause is how far apart two lists are that WatchRooms gives out: what changes
// meanwhile goes together.
const watchPause = 200 * time.Millisecond

// WatchRooms gives out the list of conversations now and whenever something may have
// changed in it, until ctx ends or fn fails.
func (c *Client) WatchRooms(ctx context.Context, fn func([]Room) error) error {
	for {
		changed := c.changes()
		rooms, err := c.Rooms(ctx)
		if err != nil {
			return err
		}
		if err := fn(rooms); err != nil {
			return err
		}
		var faded <-chan time.Time // that somebody writes is over by itself
		for _, r := range rooms {
			for _, w := range r.Typing {
				if faded == nil {
					faded = time.After(w.Until.Sub(c.now()) + time.Millisecond)
				}
			}
		}
		select {
		case <-changed:
		case <-faded:
		case <-ctx.Done():
			return ctx.Err()
		}
		select {
		case <-time.After(watchPause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
