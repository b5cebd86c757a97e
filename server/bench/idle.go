package bench

import (
	"context"
	"time"
)

// idle opens connections that read seats and do nothing, and asks what the
// server's memory grew by. Two neighbours share their rooms.
func (b *run) idle(ctx context.Context) (*Idle, error) {
	b.Connections += b.Connections % 2
	maker, err := b.dial(ctx, nil)
	if err != nil {
		return nil, err
	}
	rooms := make([][]place, b.Connections/2*b.Seats)
	if err := inParallel(len(rooms), func(i int) error {
		var err error
		rooms[i], err = makeRoom(ctx, maker, 2)
		return err
	}); err != nil {
		return nil, err
	}
	before := quietRSS(ctx, b.p.PID)
	if err := inParallel(b.Connections, func(i int) error {
		p, err := b.dial(ctx, nil)
		if err != nil {
			return err
		}
		for s := range b.Seats {
			if err := rooms[i/2*b.Seats+s][i%2].open(ctx, p, uint32(s)); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return nil, err
	}
	after := quietRSS(ctx, b.p.PID)
	return &Idle{
		Connections: b.Connections, Seats: b.Seats,
		KiBPerConnection: float64(after-before) / 1024 / float64(b.Connections),
		RSSMiB:           float64(after) / (1 << 20),
	}, nil
}

// quietRSS waits until a server at rest has given back what it used for work,
// or ten seconds, and returns its resident bytes.
func quietRSS(ctx context.Context, pid int) int64 {
	last := processRSS(pid)
	for range 10 {
		t := time.NewTimer(time.Second)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return last
		}
		now := processRSS(pid)
		if now >= last-last/200 && now <= last+last/200 {
			return now
		}
		last = now
	}
	return last
}
