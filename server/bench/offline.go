package bench

import (
	"context"
	"slices"
	"time"

	"hearth/wire"
)

// offline posts to rooms that nobody reads, then lets one seat of each drain
// what waits.
func (b *run) offline(ctx context.Context) (*Offline, error) {
	start := time.Now()
	pairs := make([]*pair, b.Pairs)
	err := inParallel(len(pairs), func(i int) error {
		var err error
		pairs[i], err = b.pair(ctx, start, false)
		return err
	})
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	b.postAll(ctx, pairs, start)
	stored, full := 0, 0
	for _, p := range pairs {
		if p.err != nil && !isFull(p.err) {
			return nil, p.err
		}
		if p.err != nil {
			full++
		}
		stored += p.posted
	}
	o := &Offline{StoredPerS: float64(stored) / time.Since(begun).Seconds()}
	begun = time.Now()
	err = inParallel(len(pairs), func(i int) error {
		p := pairs[i]
		rd := &reader{handle: 1, each: func(e *wire.Entry) { p.got.take(e, start) }}
		conn, err := b.dial(ctx, func(f wire.Frame) { rd.on(f) })
		if err != nil {
			return err
		}
		rd.p = conn
		return p.at.open(ctx, conn, 1)
	})
	if err != nil {
		return nil, err
	}
	err = settled(ctx, func() bool {
		return !slices.ContainsFunc(pairs, func(p *pair) bool { return p.got.count() < p.posted })
	})
	o.DrainedPerS = float64(stored) / time.Since(begun).Seconds()
	for _, p := range pairs {
		o.Duplicated += p.got.dup
		o.Lost += max(0, p.posted-p.got.count())
	}
	return o, err
}
