package bench

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"hearth/wire"
)

// A payload begins with a stamp: its sender's count and the time it left.
const stampSize = 16

func stamp(payload []byte, n uint64, t time.Duration) {
	binary.BigEndian.PutUint64(payload, n)
	binary.BigEndian.PutUint64(payload[8:], uint64(t))
}

// receipt is a payload as long as a client's receipt of one message, marked by a
// count that no sender reaches.
func receipt(n uint64) []byte {
	b := make([]byte, receiptSize)
	rand.Read(b)
	stamp(b, isReceipt|n, 0)
	return b
}

const (
	// receiptSize is a PrivateMessage of the smallest size class.
	receiptSize = 350
	isReceipt   = 1 << 63
)

// tally counts what a receiver got.
type tally struct {
	mu   sync.Mutex
	seen map[uint64]bool
	dup  int
	late []time.Duration
}

// take notes an entry and reports whether it is a message.
func (t *tally) take(e *wire.Entry, start time.Time) bool {
	if len(e.Payload) < stampSize {
		return false
	}
	n, left := binary.BigEndian.Uint64(e.Payload), time.Duration(binary.BigEndian.Uint64(e.Payload[8:]))
	if n&isReceipt != 0 {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.seen == nil {
		t.seen = map[uint64]bool{}
	}
	if t.seen[n] {
		t.dup++
		return true
	}
	t.seen[n] = true
	t.late = append(t.late, time.Since(start)-left)
	return true
}

func (t *tally) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.seen)
}

// poster posts to one room, with a bounded number under way.
type poster struct {
	p     *peer
	at    place
	slots chan struct{}

	mu     sync.Mutex
	posted int // answered
	err    error
}

// post posts until the deadline and waits for all answers.
func (w *poster) post(ctx context.Context, start, until time.Time, bytes int) {
	for n := uint64(0); time.Now().Before(until) && ctx.Err() == nil; n++ {
		select {
		case w.slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		payload := make([]byte, bytes)
		rand.Read(payload[stampSize:])
		stamp(payload, n, time.Since(start))
		req := wire.RoomPost{Room: w.at.room, Epoch: 1, Token: w.at.token, Payload: payload, TTL: 86400}
		if err := w.p.send(ctx, wire.OpRoomPost, req, w.answered); err != nil {
			w.fail(err)
			<-w.slots
			break
		}
	}
	for range cap(w.slots) { // all slots free: all answered
		select {
		case w.slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
	}
}

func (w *poster) answered(f wire.Frame) {
	err := failure(f, nil)
	w.mu.Lock()
	if err == nil {
		w.posted++
	} else if w.err == nil {
		w.err = err
	}
	w.mu.Unlock()
	<-w.slots
}

func (w *poster) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
}

// pair is a sender and a receiver in a room of two.
type pair struct {
	poster
	got tally
}

func (b *run) deliver(ctx context.Context) (*Deliver, error) {
	start := time.Now()
	pairs := make([]*pair, b.Pairs)
	err := inParallel(len(pairs), func(i int) error {
		var err error
		pairs[i], err = b.pair(ctx, start, true)
		return err
	})
	if err != nil {
		return nil, err
	}
	cpu := processCPU(b.p.PID)
	begun := time.Now()
	b.postAll(ctx, pairs, start)
	err = settled(ctx, func() bool {
		return !slices.ContainsFunc(pairs, func(p *pair) bool { return p.got.count() < p.posted })
	})
	took := time.Since(begun).Seconds()
	d := &Deliver{}
	sent, got, late := 0, 0, []time.Duration(nil)
	for _, p := range pairs {
		if p.err != nil {
			return nil, p.err
		}
		sent += p.posted
		got += p.got.count()
		d.Duplicated += p.got.dup
		d.Lost += max(0, p.posted-p.got.count())
		late = append(late, p.got.late...)
	}
	d.DeliveredPerS = float64(got) / took
	d.P50ms, d.P99ms = percentile(late, 50), percentile(late, 99)
	if got > 0 {
		d.CPUsPer1k = (processCPU(b.p.PID) - cpu) / float64(got) * 1000
	}
	return d, err
}

// pair makes a room of two; with live, both are there and read.
func (b *run) pair(ctx context.Context, start time.Time, live bool) (*pair, error) {
	pr := &pair{}
	own, other := &reader{handle: 1, each: func(*wire.Entry) {}}, &reader{handle: 1}
	sender, err := b.dial(ctx, own.on)
	if err != nil {
		return nil, err
	}
	own.p = sender
	seats, err := makeRoom(ctx, sender, 2)
	if err != nil {
		return nil, err
	}
	pr.poster = poster{p: sender, at: seats[0], slots: make(chan struct{}, b.Outstanding)}
	if !live {
		pr.at = seats[1] // who drains; the room's token is the same
		return pr, nil
	}
	receiver, err := b.dial(ctx, other.on)
	if err != nil {
		return nil, err
	}
	other.p = receiver
	heard, receipts := 0, uint64(0)
	other.each = func(e *wire.Entry) {
		if !pr.got.take(e, start) || !b.Receipts {
			return
		}
		// One for 64 messages: far more than clients send, which is one a minute.
		if heard++; heard%ackEvery == 0 {
			receipts++
			receiver.send(ctx, wire.OpRoomPost, wire.RoomPost{Room: seats[1].room, Epoch: 1, Token: seats[1].token, Payload: receipt(receipts), TTL: 86400}, nil)
		}
	}
	if err := seats[0].open(ctx, sender, 1); err != nil {
		return nil, err
	}
	return pr, seats[1].open(ctx, receiver, 1)
}

func (b *run) postAll(ctx context.Context, pairs []*pair, start time.Time) {
	until := time.Now().Add(time.Duration(b.Seconds) * time.Second)
	var wg sync.WaitGroup
	for _, p := range pairs {
		wg.Go(func() { p.post(ctx, start, until, b.Bytes) })
	}
	wg.Wait()
}

// inParallel calls f for 0 to n-1, a few at a time.
func inParallel(n int, f func(i int) error) error {
	const workers = 16
	var wg sync.WaitGroup
	var mu sync.Mutex
	var first error
	next := 0
	for range min(workers, n) {
		wg.Go(func() {
			for {
				mu.Lock()
				i := next
				next++
				stop := first != nil
				mu.Unlock()
				if i >= n || stop {
					return
				}
				if err := f(i); err != nil {
					mu.Lock()
					first = err
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return first
}

// settled waits until done holds, at most 30 s: what has not come by then is
// lost.
func settled(ctx context.Context, done func() bool) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.Now().Add(30 * time.Second)
	for !done() && time.Now().Before(limit) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// percentile returns the p-th percentile in milliseconds.
func percentile(d []time.Duration, p int) float64 {
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return float64(d[min(len(d)-1, len(d)*p/100)]) / float64(time.Millisecond)
}
