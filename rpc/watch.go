package rpc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"hearth/core"
)

// methodWatch keeps a list of conversations up to date on a screen: a notification
// "rooms" with all of them, then one with each change. It ends when the request is
// cancelled.
const methodWatch = "rooms.watch"

// notifyRooms is the notification that carries the list or its changes.
const notifyRooms = "rooms"

// RoomsParams are those of the notification "rooms".
type RoomsParams struct {
	Subscription json.RawMessage `json:"subscription"` // the id of the rooms.watch request
	// Snapshot: Rooms are all that there are; else those that have changed.
	Snapshot bool        `json:"snapshot,omitempty"`
	Rooms    []core.Room `json:"rooms"`
	// Order lists the ids of all conversations as they are to be shown; who is not
	// in it is gone.
	Order []string `json:"order"`
}

// watch carries out rooms.watch.
func (c *conn) watch(ctx context.Context, client Core, m message) (None, error) {
	if err := readParams(m.Params, new(None)); err != nil {
		return None{}, err
	}
	life, end := c.listened(ctx)
	defer end(nil)
	var shown map[string][]byte // nil: nothing yet
	var order []string
	err := client.WatchRooms(life, func(rooms []core.Room) error {
		p := RoomsParams{Subscription: m.ID, Snapshot: shown == nil, Rooms: []core.Room{}, Order: []string{}}
		now := make(map[string][]byte, len(rooms))
		for _, r := range rooms {
			b, err := json.Marshal(r)
			if err != nil {
				return fmt.Errorf("write a conversation: %w", err)
			}
			if !bytes.Equal(shown[r.Room], b) {
				p.Rooms = append(p.Rooms, r)
			}
			now[r.Room] = b
			p.Order = append(p.Order, r.Room)
		}
		if shown != nil && len(p.Rooms) == 0 && slices.Equal(order, p.Order) {
			return nil
		}
		raw, err := json.Marshal(p)
		if err != nil {
			return fmt.Errorf("write the conversations: %w", err)
		}
		shown, order = now, p.Order
		return c.write(message{Method: notifyRooms, Params: raw})
	})
	if errors.Is(context.Cause(life), ErrLeaving) {
		return None{}, leaving()
	}
	return None{}, err
}
