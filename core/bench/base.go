package bench

import (
	"context"
	"crypto/rand"
	"fmt"
	"runtime"
	"runtime/metrics"
	"slices"
	"time"

	"hearth/core/vault"
)

// What figures stand beside.

// Live is messages that were received one by one, by a device that was there:
// said, sealed, stored, delivered and kept.
type Live struct {
	Line
	Messages int     `json:"messages"`
	Seconds  float64 `json:"seconds"`
	PerS     float64 `json:"per_s"`
}

// live has one device say n messages that another one receives meanwhile.
func (r *run) live(ctx context.Context, from, to *device, room string, n int) (*Live, error) {
	before, err := to.room(ctx, room)
	if err != nil {
		return nil, err
	}
	at := r.clock()
	if err := from.say(ctx, room, n); err != nil {
		return nil, err
	}
	if err := to.heard(ctx, room, before.Unread+n); err != nil {
		return nil, err
	}
	l := &Live{Line: at.line("live"), Messages: n, Seconds: at.seconds()}
	l.PerS = per(float64(n), l.Seconds)
	return l, nil
}

// Disk is writing to a home's disk and nothing else: one record in each durable
// commit.
type Disk struct {
	Line
	Commits int     `json:"commits"`
	Bytes   int     `json:"bytes"` // of a record
	Seconds float64 `json:"seconds"`
	PerS    float64 `json:"per_s"`
	P50ms   float64 `json:"p50_ms"`
}

// recordBytes is about what a message's record takes.
const recordBytes = 1024

// disk writes n records to a device's disk, each durably, and takes them away
// again.
func (r *run) disk(ctx context.Context, on vault.Disk, n int) (*Disk, error) {
	record := make([]byte, recordBytes)
	rand.Read(record)
	name := func(i int) string { return fmt.Sprintf("~bench/%016d", i) }
	var each []time.Duration
	at := r.clock()
	for i := range n {
		begun := time.Now()
		if err := on.Apply(ctx, map[string][]byte{name(i): record}, nil); err != nil {
			return nil, err
		}
		each = append(each, time.Since(begun))
	}
	d := &Disk{Line: at.line("disk"), Commits: n, Bytes: recordBytes, Seconds: at.seconds(), P50ms: quantile(each, 0.5)}
	d.PerS = per(float64(n), d.Seconds)
	var gone []string
	for i := range n {
		gone = append(gone, name(i))
	}
	return d, on.Apply(ctx, nil, gone)
}

// quantile returns one of durations, in milliseconds.
func quantile(of []time.Duration, q float64) float64 {
	if len(of) == 0 {
		return 0
	}
	slices.Sort(of)
	return float64(of[min(len(of)-1, int(q*float64(len(of))))]) / float64(time.Millisecond)
}

// heap is what Go's heap holds now, garbage that was not found yet included, in
// MiB.
func heap() float64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return float64(s[0].Value.Uint64()) / (1 << 20)
}

// held is what the heap holds without garbage.
func held() float64 {
	runtime.GC()
	runtime.GC() // what the first one has freed is swept
	return heap()
}

// watchHeap looks at the heap until peak is called, which returns the most.
func watchHeap() (peak func() float64) { return watch(heap) }

// watch looks at a figure until peak is called, which returns the most.
func watch(now func() float64) (peak func() float64) {
	stop, most := make(chan struct{}), make(chan float64)
	go func() {
		seen := now()
		for {
			select {
			case <-time.After(look):
				seen = max(seen, now())
			case <-stop:
				most <- max(seen, now())
				return
			}
		}
	}()
	return func() float64 { close(stop); return <-most }
}
