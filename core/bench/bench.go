// Package bench measures a client as people have it: real homes on a disk, a
// real server in another process, real sockets between them. It says how long a
// person waits: for a new device, for a device that was away, for a search, for a
// message to be sent.
//
// It promises that every figure stands beside another one of the same run, on
// the same machine: what the disk alone takes, or the same messages received
// one by one. It counts what it measures: a message that is lost is reported. It
// drives clients through core.Client alone, and is handed whatever touches the
// outside.
//
// Start with Run.
package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"hearth/core"
	"hearth/core/vault"
	"hearth/wire"
)

// Options say what to measure. Zero fields mean their defaults.
type Options struct {
	// Bench is link, catchup, search, send or file.
	Bench string
	// Messages is how many: 10,000; of search 100,000, of send 1,000.
	Messages int
	// Rooms is the most rooms of a home that catchup starts: 100.
	Rooms int
	// MiB is how large a file is: 1,024.
	MiB int
	// Runs is how many runs are made; the one with the median figure is
	// reported: 1 by default, at most 20.
	Runs int
	// Start starts a server in another process.
	Start func(ctx context.Context) (Server, error)
	// Open opens the home in a folder, which is made if there is none.
	Open func(ctx context.Context, dir string) (Home, error)
	// Dir is an empty folder for homes.
	Dir string
}

// Server is a server in another process.
type Server struct {
	URL string
	// CPUs is the processor time so far of the server and of this process,
	// seconds; 0 where it is not known.
	CPUs func() (server, own float64)
	// Stop ends it and removes its folder. It may be called again.
	Stop func() error
}

// Home is an open home.
type Home struct {
	Client *core.Client
	// Disk is what it lies on.
	Disk vault.Disk
	// Close closes the disk.
	Close func() error
}

// Line is what every line says.
type Line struct {
	Bench string `json:"bench"`
	// Measured is which figure of the bench this is: its own name for the one
	// with a goal, the others are what it is measured against.
	Measured string `json:"measured"`
	Runs     int    `json:"runs"`
	// What the server and the devices used meanwhile.
	ServerCPUs float64 `json:"server_cpu_s"`
	ClientCPUs float64 `json:"client_cpu_s"`
}

func (l *Line) line() *Line { return l }

// Lines are what one run found. The last one has the goal.
type Lines []interface{ line() *Line }

// bound says how much is measured.
func (o Options) bound() (Options, error) {
	most := 1_000_000
	def := map[string]int{"link": 10_000, "catchup": 10_000, "search": 100_000, "send": 1_000, "file": 1}[o.Bench]
	if def == 0 {
		return o, wire.Errorf(wire.BadInput, "there is no bench of that name").WithNext("use link, catchup, search, send or file")
	}
	for _, b := range []struct {
		v         *int
		def, most int
		what      string
	}{{&o.Messages, def, most, "messages"}, {&o.Rooms, 100, 10_000, "rooms"}, {&o.MiB, 1024, 2048, "MiB"}, {&o.Runs, 1, 20, "runs"}} {
		*b.v = cmp.Or(*b.v, b.def)
		if *b.v < 1 || *b.v > b.most {
			return o, wire.Errorf(wire.BadInput, "a bench has from 1 to %d %s", b.most, b.what)
		}
	}
	return o, nil
}

// Run measures, and returns the lines of the median run.
func Run(ctx context.Context, o Options) (Lines, error) {
	o, err := o.bound()
	if err != nil {
		return nil, err
	}
	var runs []result
	for i := range o.Runs {
		r, err := o.once(ctx, i)
		if err != nil {
			return nil, err
		}
		runs = append(runs, r)
	}
	slices.SortFunc(runs, func(a, b result) int { return cmp.Compare(a.figure, b.figure) })
	r := runs[len(runs)/2]
	for _, l := range r.lines {
		l.line().Bench, l.line().Runs = o.Bench, o.Runs
	}
	return r.lines, nil
}

// result is one run; figure is what runs are ordered by.
type result struct {
	lines  Lines
	figure float64
}

// once makes one run with homes and a server of its own.
func (o Options) once(ctx context.Context, i int) (res result, err error) {
	server, err := o.Start(ctx)
	if err != nil {
		return res, err
	}
	r := &run{Options: o, server: server, dir: filepath.Join(o.Dir, fmt.Sprint("run", i))}
	defer func() { err = errors.Join(err, r.close(), server.Stop()) }()
	switch o.Bench {
	case "link":
		return r.link(ctx)
	case "catchup":
		return r.catchUp(ctx)
	case "search":
		return r.search(ctx)
	case "file":
		return r.file(ctx)
	}
	return r.send(ctx)
}

// run is one run.
type run struct {
	Options
	server Server
	dir    string
	open   []*device
}

// device is a home whose client runs.
type device struct {
	*core.Client
	disk vault.Disk
	stop func() error
}

// device opens a home and lets its client run.
func (r *run) device(ctx context.Context, name string) (*device, error) {
	h, err := r.Open(ctx, filepath.Join(r.dir, name))
	if err != nil {
		return nil, err
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ran := make(chan error, 1)
	go func() { ran <- h.Client.Run(running) }()
	d := &device{Client: h.Client, disk: h.Disk}
	d.stop = sync.OnceValue(func() error {
		cancel()
		err := <-ran
		if errors.Is(err, context.Canceled) {
			err = nil
		}
		return errors.Join(err, h.Client.Close(), h.Close())
	})
	r.open = append(r.open, d)
	return d, nil
}

// close ends all devices.
func (r *run) close() (err error) {
	for _, d := range r.open {
		err = errors.Join(err, d.stop())
	}
	return err
}

// person makes a home with an account.
func (r *run) person(ctx context.Context, name string) (*device, error) {
	d, err := r.device(ctx, name)
	if err == nil {
		_, err = d.Register(ctx, core.RegisterOptions{Name: name, Server: r.server.URL})
	}
	return d, err
}

// pair makes two people who talk with each other, and returns their room.
func (r *run) pair(ctx context.Context) (alice, bob *device, room string, err error) {
	if alice, err = r.person(ctx, "alice"); err != nil {
		return nil, nil, "", err
	}
	if bob, err = r.person(ctx, "bob"); err != nil {
		return nil, nil, "", err
	}
	said, err := alice.Send(ctx, core.SendOptions{To: "bob", Text: "Are you there?"})
	if err != nil {
		return nil, nil, "", err
	}
	err = until(ctx, func() (bool, error) {
		asked, err := bob.Requests(ctx)
		if err != nil || len(asked) == 0 {
			return false, err
		}
		_, err = bob.Accept(ctx, asked[0].ID)
		return true, err
	})
	if err != nil {
		return nil, nil, "", err
	}
	// Once she hears him, both are in.
	if _, err := bob.Send(ctx, core.SendOptions{To: said.Room, Text: "I am."}); err != nil {
		return nil, nil, "", err
	}
	return alice, bob, said.Room, alice.heard(ctx, said.Room, 1)
}

// say queues n messages, and waits until all are sent.
func (d *device) say(ctx context.Context, room string, n int) error {
	settle := d.Begin()
	if err := d.queue(ctx, room, n); err != nil {
		return err
	}
	return settle(ctx)
}

// queue says n messages and waits for none of them.
func (d *device) queue(ctx context.Context, room string, n int) error {
	now, cancel := context.WithCancel(ctx)
	cancel() // Send then keeps a message, and does not wait until it is sent
	for i := range n {
		if _, err := d.Send(now, core.SendOptions{To: room, Text: text(i)}); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// sayOne sends one message and waits until it is sent.
func (d *device) sayOne(ctx context.Context, room string, i int) error {
	s, err := d.Send(ctx, core.SendOptions{To: room, Text: text(i)})
	if err == nil && s.State != core.StateSent {
		err = cmp.Or(ctx.Err(), errors.New("a message was not sent"))
	}
	return err
}

// words are what messages are made of.
var words = strings.Fields("winter harbour lantern bread copper window garden letter river quiet station orchard candle morning paper stone ferry island kettle meadow")

// text is a message of some hundred bytes, its number in it.
func text(i int) string {
	s := fmt.Sprintf("message %d:", i)
	for j := range 14 {
		s += " " + words[(i*(2*j+7)+j*j)%len(words)]
	}
	return s
}

// heard waits until so many messages of a room are unread.
func (d *device) heard(ctx context.Context, room string, n int) error {
	return until(ctx, func() (bool, error) {
		r, err := d.room(ctx, room)
		return r.Unread >= n, err
	})
}

// room returns a room as the device lists it; the zero one if it does not.
func (d *device) room(ctx context.Context, room string) (core.Room, error) {
	rooms, err := d.Rooms(ctx)
	if i := slices.IndexFunc(rooms, func(r core.Room) bool { return r.Room == room }); err == nil && i >= 0 {
		return rooms[i], nil
	}
	return core.Room{}, err
}

// messages counts the messages of a room's history.
func (d *device) messages(ctx context.Context, room string) (n int, err error) {
	events, err := d.History(ctx, room, 0)
	for _, e := range events {
		if e.Type == core.EventMessage {
			n++
		}
	}
	return n, err
}

// look is the pause between two looks at what is waited for.
const look = 5 * time.Millisecond

// until asks again and again, until the answer is yes.
func until(ctx context.Context, ask func() (bool, error)) error {
	for {
		done, err := ask()
		if done || err != nil {
			return err
		}
		select {
		case <-time.After(look):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// clock measures one line.
type clock struct {
	r           *run
	begun       time.Time
	server, own float64
}

func (r *run) clock() clock {
	c := clock{r: r}
	c.server, c.own = r.server.CPUs()
	c.begun = time.Now()
	return c
}

// seconds since it was made.
func (c clock) seconds() float64 { return time.Since(c.begun).Seconds() }

// line begins the line of what was measured until now.
func (c clock) line(measured string) Line {
	server, own := c.r.server.CPUs()
	return Line{Measured: measured, ServerCPUs: server - c.server, ClientCPUs: own - c.own}
}

// per divides, and is 0 where that means nothing.
func per(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}
