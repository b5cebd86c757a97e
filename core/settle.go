package core

import (
	"context"
	"time"

	"hearth/core/vault"
	"hearth/wire"
)

// What somebody asked for is done when it was sent. What waited before, for a
// server that is down or a door that is full, is not theirs to wait for.

// waiting is where the client's queues stand: what lies behind it is new.
type waiting struct {
	rooms    map[wire.RoomID]place
	doors    map[wire.RoomID]uint64 // the newest parcel for each
	requests map[string]bool        // decided, and not carried out yet
}

// place is where a room stood.
type place struct {
	next              uint64 // plans, posts and Welcomes through here are old
	founding, renamed bool   // it waited for its server
}

// backlogGrace is how long after a home was opened what it held may take to
// leave: time enough where servers answer, so that a home without a daemon gets
// rid of it with the next command.
const backlogGrace = 2 * time.Second

// Begin notes what waits already. What it returns waits until all that came
// since is sent: posts, commits, invitations, answers. What can't go now, in a
// conversation that is out of step or to a server that does not answer, is
// waited for until ctx ends. If the home was opened just now, receipts leave at
// once: there may be no later.
func (c *Client) Begin() (settle func(ctx context.Context) error) {
	var before waiting
	err := c.look(context.Background(), func(s *step) (err error) {
		before, err = s.waiting()
		return err
	})
	return func(ctx context.Context) error {
		if err != nil {
			return err
		}
		if time.Since(c.opened) < receiptEvery {
			if err := c.step(ctx, (*step).hurryReceipts); err != nil {
				return err
			}
		}
		grace, cancel := context.WithDeadline(ctx, c.opened.Add(backlogGrace))
		defer cancel()
		if err := c.wait(grace, waiting{}.settled); err == nil || grace.Err() == nil {
			return err
		}
		return c.wait(ctx, before.settled)
	}
}

// waiting notes where the queues stand. It reads no posts, however many wait.
func (s *step) waiting() (waiting, error) {
	w := waiting{rooms: map[wire.RoomID]place{}, doors: map[wire.RoomID]uint64{}, requests: map[string]bool{}}
	err := s.scan("room", func(_ string, b []byte) (bool, error) {
		r := new(room)
		err := decodeRecord(b, r)
		w.rooms[r.ID] = place{r.Next, r.State == roomFounding, r.Old != nil}
		return true, err
	})
	if err != nil {
		return w, err
	}
	err = s.scan("parcel", func(name string, b []byte) (bool, error) {
		var p parcel
		err := decodeRecord(b, &p)
		n, _ := vault.Number(name)
		w.doors[p.To.ID] = max(n, w.doors[p.To.ID])
		return true, err
	})
	if err != nil {
		return w, err
	}
	return w, s.scan("request", func(_ string, b []byte) (bool, error) {
		rq := new(request)
		err := decodeRecord(b, rq)
		if rq.Decided {
			w.requests[string(rq.ID)] = true
		}
		return true, err
	})
}

// settled reports whether nothing waits that was not there before.
func (w waiting) settled(s *step) (bool, error) {
	busy := false
	err := s.scan("parcel", func(name string, b []byte) (bool, error) {
		var p parcel
		err := decodeRecord(b, &p)
		n, _ := vault.Number(name)
		busy = n > w.doors[p.To.ID]
		return !busy, err
	})
	if err != nil || busy {
		return false, err
	}
	err = s.scan("request", func(_ string, b []byte) (bool, error) {
		rq := new(request)
		err := decodeRecord(b, rq)
		busy = err == nil && rq.Decided && !rq.over(s.c.now()) && !w.requests[string(rq.ID)]
		return !busy, err
	})
	if err != nil || busy {
		return false, err
	}
	err = s.scan("room", func(_ string, b []byte) (bool, error) {
		r := new(room)
		if err := decodeRecord(b, r); err != nil {
			return false, err
		}
		was := w.rooms[r.ID]
		switch r.State {
		case roomOK, roomFounding:
			busy = r.State == roomFounding && !was.founding || r.Old != nil && !was.renamed
			for _, prefix := range []string{planName(r.ID), outboxName(r.ID)} {
				if err == nil && !busy {
					busy, err = s.anyBehind(prefix, was.next)
				}
			}
		}
		for _, prefix := range []string{deliveryName(r.ID), unpostedName(r.ID)} {
			if err == nil && !busy {
				busy, err = s.anyBehind(prefix, was.next)
			}
		}
		if err == nil && !busy {
			busy, err = s.owesNow(r)
		}
		return !busy, err
	})
	return !busy, err
}

// anyBehind reports whether there is a numbered record under prefix behind n.
func (s *step) anyBehind(prefix string, n uint64) (bool, error) {
	items, err := s.c.vault.Scan(s.ctx, prefix, vault.Numbered(prefix, n), 1)
	return len(items) > 0, err
}
