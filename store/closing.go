package store

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"hearth/wire"
)

// CloseRoom lets a room take no posts from day on (protocol §10). Whoever reads
// it is told, by having to open its seat again.
func (r *Rooms) CloseRoom(ctx context.Context, room wire.RoomID, day Day) error {
	rm, err := r.use(ctx, room, false)
	if err != nil {
		return err
	}
	defer r.put(rm)
	result := make(chan error, 1)
	rm.mu.Lock()
	r.change(rm, &record{Op: opClose}, &closeChange{Day: day}, wire.Appended{}, func(_ wire.Appended, err error) { result <- err })
	rm.mu.Unlock()
	if err := <-result; err != nil {
		return err
	}
	rm.mu.Lock()
	defer rm.mu.Unlock()
	for _, w := range rm.watchers {
		w.end(rm.head, wire.Closing)
	}
	return nil
}

// OpenRooms lists the rooms that take posts and will go on doing so.
func (r *Rooms) OpenRooms(ctx context.Context) ([]wire.RoomID, error) {
	// Memory first: what leaves it meanwhile is on disk by then.
	r.mu.Lock()
	loaded := slices.Collect(maps.Values(r.rooms))
	r.mu.Unlock()
	known := map[wire.RoomID]bool{}
	var out []wire.RoomID
	for _, rm := range loaded {
		rm.mu.Lock()
		known[rm.id] = rm.loaded && !rm.absent
		if known[rm.id] && !rm.door && rm.gone == 0 && rm.closing == 0 {
			out = append(out, rm.id)
		}
		rm.mu.Unlock()
	}
	rows, err := r.query(ctx, `SELECT room FROM rooms WHERE door = 0 AND gone_until = 0 AND closing = 0`)
	if err != nil {
		return nil, fmt.Errorf("list rooms: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id []byte
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("list rooms: %w", err)
		}
		if !known[wire.RoomID(id)] {
			out = append(out, wire.RoomID(id))
		}
	}
	return out, rows.Err()
}
