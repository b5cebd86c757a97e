package bench

import (
	"context"
	"time"

	"hearth/core"
)

// Search is how long a person waits for an answer.
type Search struct {
	Line
	Messages int `json:"messages"`
	// FirstMs is the first search since the home was opened, which reads the
	// histories; P50ms and P99ms are those after it.
	FirstMs float64 `json:"first_ms"`
	P50ms   float64 `json:"p50_ms"`
	P99ms   float64 `json:"p99_ms"`
	// TimesScan is how many times as fast they are as reading all of it from the
	// disk.
	TimesScan float64 `json:"times_scan"`
	HeldMiB   float64 `json:"held_mib"` // by the heap, for what is searched
	Missed    int     `json:"missed"`   // messages that should have been found
}

// Scan is reading all records of a home's disk, without opening them.
type Scan struct {
	Line
	Records int     `json:"records"`
	Ms      float64 `json:"ms"`
}

// asked is how often is searched.
const asked = 100

func (r *run) search(ctx context.Context) (res result, err error) {
	alice, err := r.person(ctx, "alice")
	if err != nil {
		return res, err
	}
	g, err := alice.GroupNew(ctx, "notes", nil)
	if err != nil {
		return res, err
	}
	// Without a server they wait, which a search does not mind.
	if err := r.server.Stop(); err != nil {
		return res, err
	}
	if err := alice.queue(ctx, g.Room, r.Messages); err != nil {
		return res, err
	}
	read, err := r.scan(ctx, alice)
	if err != nil {
		return res, err
	}
	s := &Search{Messages: r.Messages}
	before := held()
	at := r.clock()
	ask := func(words string, want int) (time.Duration, error) {
		begun := time.Now()
		found, err := alice.Search(ctx, core.SearchOptions{Words: words})
		took := time.Since(begun)
		s.Missed += max(0, want-len(found))
		return took, err
	}
	first, err := ask("message", min(50, r.Messages))
	if err != nil {
		return res, err
	}
	s.FirstMs = first.Seconds() * 1000
	s.HeldMiB = held() - before
	var each []time.Duration
	for i := range asked {
		// One message, by all its words; many, by two; none.
		words, want := text(i*r.Messages/asked), 1
		switch i % 3 {
		case 1:
			words, want = "lantern harbour", 0
		case 2:
			words, want = "xylophone", 0
		}
		took, err := ask(words, want)
		if err != nil {
			return res, err
		}
		each = append(each, took)
	}
	s.Line = at.line("search")
	s.P50ms, s.P99ms = quantile(each, 0.5), quantile(each, 0.99)
	s.TimesScan = per(read.Ms, s.P50ms)
	return result{Lines{read, s}, s.P50ms}, nil
}

// scan reads a device's disk from one end to the other.
func (r *run) scan(ctx context.Context, d *device) (*Scan, error) {
	s := new(Scan)
	at := r.clock()
	for after := ""; ; {
		keys, _, err := d.disk.Scan(ctx, "", after, 128)
		if err != nil {
			return nil, err
		}
		s.Records += len(keys)
		if len(keys) < 128 {
			break
		}
		after = keys[len(keys)-1]
	}
	s.Line, s.Ms = at.line("scan"), at.seconds()*1000
	return s, nil
}
