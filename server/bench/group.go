package bench

import (
	"context"
	"errors"
	"time"

	"hearth/wire"
)

func isFull(err error) bool { return errors.Is(err, wire.ErrFull) }

// group posts to one room that many read, each over a connection of its own.
func (b *run) group(ctx context.Context) (*Group, error) {
	start := time.Now()
	sender, err := b.dial(ctx, nil)
	if err != nil {
		return nil, err
	}
	seats, err := makeRoom(ctx, sender, b.Seats)
	if err != nil {
		return nil, err
	}
	got := make([]tally, len(seats))
	err = inParallel(len(seats), func(i int) error {
		rd := &reader{handle: 1, each: func(e *wire.Entry) { got[i].take(e, start) }}
		conn, err := b.dial(ctx, func(f wire.Frame) { rd.on(f) })
		if err != nil {
			return err
		}
		rd.p = conn
		return seats[i].open(ctx, conn, 1)
	})
	if err != nil {
		return nil, err
	}
	records, bytes := b.records(ctx), processWrites(b.p.PID)
	w := &poster{p: sender, at: seats[0], slots: make(chan struct{}, b.Outstanding)}
	begun := time.Now()
	w.post(ctx, start, begun.Add(time.Duration(b.Seconds)*time.Second), b.Bytes)
	if w.err != nil {
		return nil, w.err
	}
	err = settled(ctx, func() bool {
		for i := range got {
			if got[i].count() < w.posted {
				return false
			}
		}
		return true
	})
	took := time.Since(begun).Seconds()
	g := &Group{Seats: b.Seats, Posts: w.posted}
	deliveries := 0
	for i := range got {
		n := got[i].count()
		deliveries += n
		g.Duplicated += got[i].dup
		g.Lost += max(0, w.posted-n)
	}
	g.DeliveriesPerS = float64(deliveries) / took
	if w.posted > 0 {
		g.RecordsPerPost = per(records, b.records(ctx), w.posted)
		g.BytesPerPost = per(bytes, processWrites(b.p.PID), w.posted)
	}
	return g, err
}

// per is the growth of a counter for each post; nil where it is not known.
func per(from, to int64, posts int) *float64 {
	if from < 0 || to < 0 {
		return nil
	}
	f := float64(to-from) / float64(posts)
	return &f
}

func (b *run) records(ctx context.Context) int64 {
	if b.p.Records == nil {
		return -1
	}
	n, err := b.p.Records(ctx)
	if err != nil {
		return -1
	}
	return n
}
