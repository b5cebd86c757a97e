package core

import (
	"context"

	"hearth/wire"
)

// Settle waits until all that waits to be sent is sent: posts, commits,
// invitations, answers. What can't go now, in a conversation that is out of step
// or to a server that does not answer, is waited for until ctx ends.
func (c *Client) Settle(ctx context.Context) error {
	return c.wait(ctx, func(s *step) (bool, error) {
		for _, kind := range []string{"parcel", "delivery"} {
			if waits, err := s.any(kind); err != nil || waits {
				return false, err
			}
		}
		decided := false
		err := s.scan("request", func(_ string, b []byte) (bool, error) {
			rq := new(request)
			err := decodeRecord(b, rq)
			decided = err == nil && rq.Decided && !rq.over(c.now())
			return !decided, err
		})
		if err != nil || decided {
			return false, err
		}
		busy := false
		err = s.scan("room", func(_ string, b []byte) (bool, error) {
			r := new(room)
			if err := decodeRecord(b, r); err != nil {
				return false, err
			}
			if r.State != roomOK && r.State != roomFounding {
				return true, nil
			}
			busy, err = s.busy(r.ID)
			busy = busy || r.Old != nil || r.State == roomFounding
			return !busy, err
		})
		return !busy, err
	})
}

// busy reports whether something waits to be done in a room.
func (s *step) busy(id wire.RoomID) (bool, error) {
	if sg, err := s.saga(id); err != nil || sg != nil {
		return sg != nil, err
	}
	for _, prefix := range []string{planName(id), outboxName(id)} {
		if waits, err := s.any(prefix); err != nil || waits {
			return waits, err
		}
	}
	return false, nil
}

// any reports whether there is a record under prefix.
func (s *step) any(prefix string) (found bool, err error) {
	err = s.scan(prefix, func(string, []byte) (bool, error) {
		found = true
		return false, nil
	})
	return found, err
}
