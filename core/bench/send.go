package bench

import (
	"context"
	"time"
)

// Send is how long a message takes from the word to the server's yes: sealed,
// saved, posted, and its own entry seen.
type Send struct {
	Line
	Messages  int     `json:"messages"`
	P50ms     float64 `json:"p50_ms"`
	P99ms     float64 `json:"p99_ms"`
	TimesDisk float64 `json:"times_disk"` // as long as one durable commit
}

// warm is how many messages are sent before it counts.
const warm = 20

func (r *run) send(ctx context.Context) (res result, err error) {
	alice, bob, room, err := r.pair(ctx)
	if err != nil {
		return res, err
	}
	if err := bob.stop(); err != nil {
		return res, err
	}
	written, err := r.disk(ctx, alice.disk, r.Messages)
	if err != nil {
		return res, err
	}
	for i := range warm {
		if err := alice.sayOne(ctx, room, i); err != nil {
			return res, err
		}
	}
	s := &Send{Messages: r.Messages}
	at := r.clock()
	var each []time.Duration
	for i := range r.Messages {
		begun := time.Now()
		if err := alice.sayOne(ctx, room, i); err != nil {
			return res, err
		}
		each = append(each, time.Since(begun))
	}
	s.Line = at.line("send")
	s.P50ms, s.P99ms = quantile(each, 0.5), quantile(each, 0.99)
	s.TimesDisk = per(s.P50ms, written.P50ms)
	return result{Lines{written, s}, s.P50ms}, nil
}
