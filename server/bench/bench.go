// Package bench is a load generator: it speaks the frames of the protocol
// directly, without MLS, to a real server over real sockets, and says how fast
// the server was and what it used. The server is another process, so that its
// processor time and memory are told apart from the generator's.
//
// It promises to be bounded in count and time, and to check what it measures:
// every entry is counted, a lost or doubled one is reported. It talks to
// loopback addresses only.
//
// Start with Run.
package bench

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"time"

	"hearth/wire"
)

// Options say what to measure. Zero fields mean their defaults.
type Options struct {
	// Bench is idle, deliver, offline or group.
	Bench string
	// Seconds is how long each run posts: 5 by default, at most 600.
	Seconds int
	// Runs is how many runs are made; the one with the median result is
	// reported: 1 by default, at most 20.
	Runs int
	// Server is the URL of a server on this machine; empty to call Start.
	Server string
	// Start starts a server of its own.
	Start func(ctx context.Context) (*Process, error)

	// Connections is how many connections idle opens: 1,000, at most 50,000.
	Connections int
	// Seats is how many seats each connection of idle opens (5), or the room of
	// group has (200, at most wire.MaxSeats).
	Seats int
	// Pairs is how many rooms of two deliver and offline use: 32, at most 4,096.
	Pairs int
	// Bytes is the size of a payload: 1,024, at most wire.MaxPost.
	Bytes int
	// Outstanding is how many posts of one sender are under way: 8, at most 256.
	Outstanding int
	// Receipts makes receivers answer with cumulative receipts.
	Receipts bool
}

// Process is a server in another process.
type Process struct {
	// URL is where it serves, http://127.0.0.1:port.
	URL string
	// PID is its process, 0 if unknown: then what it used is left out.
	PID int
	// Records returns how many journal records it has written; nil if unknown.
	Records func(ctx context.Context) (int64, error)
	// Stop ends it and removes its folder.
	Stop func() error
}

// Result is one line of JSON: the common fields and those of one bench.
type Result struct {
	Bench      string
	Runs       int
	ServerCPUs float64 // processor time of the server, seconds; 0 if unknown
	ClientCPUs float64 // of the generator
	*Idle
	*Deliver
	*Offline
	*Group
}

// MarshalJSON writes one flat object.
func (r *Result) MarshalJSON() ([]byte, error) {
	type common struct {
		Bench      string  `json:"bench"`
		Runs       int     `json:"runs"`
		ServerCPUs float64 `json:"server_cpu_s"`
		ClientCPUs float64 `json:"client_cpu_s"`
	}
	b, err := json.Marshal(common{r.Bench, r.Runs, r.ServerCPUs, r.ClientCPUs})
	for _, own := range []any{r.Idle, r.Deliver, r.Offline, r.Group} {
		if reflect.ValueOf(own).IsNil() {
			continue
		}
		more, ownErr := json.Marshal(own)
		if err = errors.Join(err, ownErr); err == nil {
			b = append(append(b[:len(b)-1], ','), more[1:]...)
		}
	}
	return b, err
}

// Idle is what connections cost that do nothing.
type Idle struct {
	Connections      int     `json:"connections"`
	Seats            int     `json:"seats"`
	KiBPerConnection float64 `json:"kib_per_connection"`
	RSSMiB           float64 `json:"rss_mib"`
	TLS              bool    `json:"tls"`
}

// Deliver is the way from a sender to a receiver who is there.
type Deliver struct {
	DeliveredPerS float64 `json:"delivered_per_s"`
	P50ms         float64 `json:"p50_ms"`
	P99ms         float64 `json:"p99_ms"`
	CPUsPer1k     float64 `json:"cpu_s_per_1k"` // of the server
	Lost          int     `json:"lost"`
	Duplicated    int     `json:"duplicated"`
}

// Offline is storing for receivers who are away, and their fetching.
type Offline struct {
	StoredPerS  float64 `json:"stored_per_s"`
	DrainedPerS float64 `json:"drained_per_s"`
	Lost        int     `json:"lost"`
	Duplicated  int     `json:"duplicated"`
}

// Group is one room with many seats.
type Group struct {
	Seats          int      `json:"seats"`
	Posts          int      `json:"posts"`
	DeliveriesPerS float64  `json:"deliveries_per_s"`
	RecordsPerPost *float64 `json:"records_per_post,omitempty"` // where the server tells
	BytesPerPost   *float64 `json:"bytes_per_post,omitempty"`   // written to disk, where the system tells
	Lost           int      `json:"lost"`
	Duplicated     int      `json:"duplicated"`
}

// setUp bounds the options.
func (o Options) setUp() (Options, error) {
	bound := func(v *int, def, max int) {
		if *v <= 0 {
			*v = def
		}
		*v = min(*v, max)
	}
	bound(&o.Seconds, 5, 600)
	bound(&o.Runs, 1, 20)
	bound(&o.Connections, 1000, 50000)
	bound(&o.Pairs, 32, 4096)
	bound(&o.Bytes, 1024, wire.MaxPost)
	bound(&o.Outstanding, 8, 256)
	o.Bytes = max(o.Bytes, stampSize)
	switch o.Bench {
	case "idle":
		bound(&o.Seats, 5, 64)
	case "group":
		bound(&o.Seats, 200, wire.MaxSeats)
	case "deliver", "offline":
	default:
		return o, wire.Errorf(wire.BadInput, "there is no bench of that name").WithNext("use idle, deliver, offline or group")
	}
	return o, nil
}

// Run measures and returns the median run.
func Run(ctx context.Context, o Options) (*Result, error) {
	o, err := o.setUp()
	if err != nil {
		return nil, err
	}
	var results []*Result
	for range o.Runs {
		r, err := o.once(ctx)
		if err != nil {
			return nil, err
		}
		results = append(results, r)
	}
	slices.SortFunc(results, func(a, b *Result) int { return cmp.Compare(a.figure(), b.figure()) })
	r := results[len(results)/2]
	r.Runs = o.Runs
	return r, nil
}

// figure is what runs are ordered by.
func (r *Result) figure() float64 {
	switch {
	case r.Idle != nil:
		return r.KiBPerConnection
	case r.Deliver != nil:
		return r.DeliveredPerS
	case r.Offline != nil:
		return r.StoredPerS
	}
	return r.DeliveriesPerS
}

// once makes one run against a fresh server, or the one that was named.
func (o Options) once(ctx context.Context) (r *Result, err error) {
	p := &Process{URL: o.Server}
	if o.Server == "" {
		if o.Start == nil {
			return nil, wire.Errorf(wire.BadInput, "no server was named")
		}
		if p, err = o.Start(ctx); err != nil {
			return nil, err
		}
		defer func() {
			if stop := p.Stop(); err == nil {
				err = stop
			}
		}()
	}
	if err := loopback(p.URL); err != nil {
		return nil, err
	}
	// Ten times the posting, for setting up and draining.
	ctx, cancel := context.WithTimeout(ctx, time.Duration(10*o.Seconds)*time.Second+time.Minute)
	defer cancel()
	b := &run{Options: o, p: p}
	defer b.close()
	r = &Result{Bench: o.Bench}
	b.cpu0, b.own0 = processCPU(p.PID), ownCPU()
	switch o.Bench {
	case "idle":
		r.Idle, err = b.idle(ctx)
	case "deliver":
		r.Deliver, err = b.deliver(ctx)
	case "offline":
		r.Offline, err = b.offline(ctx)
	case "group":
		r.Group, err = b.group(ctx)
	}
	if err != nil {
		return nil, err
	}
	r.ServerCPUs, r.ClientCPUs = processCPU(p.PID)-b.cpu0, ownCPU()-b.own0
	return r, nil
}

// loopback refuses to load anything but this machine.
func loopback(raw string) error {
	u, err := url.Parse(raw)
	bad := wire.Errorf(wire.BadInput, "bench loads a server on this machine only").WithNext("use --server http://127.0.0.1:PORT")
	if err != nil || u.Scheme != "http" {
		return bad
	}
	host := u.Hostname()
	if host == "localhost" {
		return nil
	}
	if a, err := netip.ParseAddr(host); err != nil || !a.IsLoopback() {
		return bad
	}
	if _, _, err := net.SplitHostPort(u.Host); err != nil {
		return bad
	}
	return nil
}
