package hearthtest

import (
	"context"
	"errors"
	"slices"
	"sync"

	"hearth/wire"
)

// Direction says where a frame is going.
type Direction uint8

// The two directions of a Link.
const (
	ToServer Direction = iota
	ToClient
)

// Tamper sees each frame on its way and returns what goes on in its place:
// the frame itself, others, or none. It runs on the link's own goroutine and
// may call the link's methods.
type Tamper func(l *Link, d Direction, f wire.Frame) []wire.Frame

// Net carries the frames between the people and the servers of a world, and is
// where a hostile server or a hostile network lives: since a server sees only
// frames, whoever rewrites frames both ways can do all that an evil server can.
type Net struct {
	mu      sync.Mutex
	tampers []Tamper
	links   []*Link
	cut     map[string]bool // people who are offline
	blobbed func(method string, body []byte) []byte
}

// TamperBlobs lets f rewrite what a server answers about blobs; nil ends it.
func (n *Net) TamperBlobs(f func(method string, body []byte) []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.blobbed = f
}

func (n *Net) blob(method string, body []byte) []byte {
	n.mu.Lock()
	f := n.blobbed
	n.mu.Unlock()
	if f == nil {
		return body
	}
	return f(method, body)
}

// Tamper adds t behind what is there and returns how to take it out.
func (n *Net) Tamper(t Tamper) (remove func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	slot := &t
	wrapped := Tamper(func(l *Link, d Direction, f wire.Frame) []wire.Frame {
		n.mu.Lock()
		now := *slot
		n.mu.Unlock()
		if now == nil {
			return []wire.Frame{f}
		}
		return now(l, d, f)
	})
	n.tampers = append(n.tampers, wrapped)
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		*slot = nil
	}
}

// Link is one connection between a person and a server.
type Link struct {
	Person, Server string

	net            *Net
	client, server wire.Conn // the world's ends

	mu   sync.Mutex
	open []wire.SeatOpen // seats opened over this link, in order
}

// connect joins client and server through the net; it returns at once, and the
// pumps end when either end closes or ctx ends.
func (n *Net) connect(ctx context.Context, person, server string, client, srv wire.Conn) error {
	l := &Link{Person: person, Server: server, net: n, client: client, server: srv}
	n.mu.Lock()
	if n.cut[person] {
		n.mu.Unlock()
		return errors.New("no connection")
	}
	n.links = append(n.links, l)
	n.mu.Unlock()
	go l.pump(ctx, ToServer)
	go l.pump(ctx, ToClient)
	return nil
}

func (l *Link) pump(ctx context.Context, d Direction) {
	from := l.client
	if d == ToClient {
		from = l.server
	}
	defer l.Cut()
	for {
		b, err := from.Read(ctx)
		if err != nil {
			return
		}
		var f wire.Frame
		if wire.Decode(b, &f) != nil {
			return
		}
		l.note(d, f)
		l.net.mu.Lock()
		tampers := slices.Clone(l.net.tampers)
		l.net.mu.Unlock()
		frames := []wire.Frame{f}
		for _, t := range tampers {
			var next []wire.Frame
			for _, f := range frames {
				next = append(next, t(l, d, f)...)
			}
			frames = next
		}
		for _, f := range frames {
			l.Send(ctx, d, f)
		}
	}
}

// note remembers which seats this link opened, so that a tamper can tell whose
// room an event belongs to.
func (l *Link) note(d Direction, f wire.Frame) {
	var o wire.SeatOpen
	if d == ToServer && f.Op == wire.OpSeatOpen && wire.Decode(f.Body, &o) == nil {
		l.mu.Lock()
		l.open = append(l.open, o)
		l.mu.Unlock()
	}
}

// Seat returns what was shown when the seat with this handle was opened.
func (l *Link) Seat(handle uint32) (wire.SeatOpen, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, o := range slices.Backward(l.open) {
		if o.Handle == handle {
			return o, true
		}
	}
	return wire.SeatOpen{}, false
}

// Send puts a frame on the link as if the other side had sent it.
func (l *Link) Send(ctx context.Context, d Direction, f wire.Frame) {
	to := l.server
	if d == ToClient {
		to = l.client
	}
	if err := to.Write(ctx, wire.Encode(f)); err != nil {
		l.Cut()
	}
}

// Push sends an event to the client as the server would.
func (l *Link) Push(ctx context.Context, op wire.Op, body any) {
	l.Send(ctx, ToClient, wire.Frame{Op: op, Body: wire.Encode(body)})
}

// Cut ends the connection.
func (l *Link) Cut() {
	l.client.Close()
	l.server.Close()
}

// Offline cuts a person's connections and refuses new ones until Online.
func (n *Net) Offline(person string) {
	n.mu.Lock()
	if n.cut == nil {
		n.cut = map[string]bool{}
	}
	n.cut[person] = true
	links := slices.Clone(n.links)
	n.mu.Unlock()
	for _, l := range links {
		if l.Person == person {
			l.Cut()
		}
	}
}

// Online lets a person connect again.
func (n *Net) Online(person string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.cut, person)
}

// Links returns the connections made so far, the closed ones too.
func (n *Net) Links() []*Link {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.links)
}

// isOffline reports whether a person's connections are refused.
func (n *Net) isOffline(person string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.cut[person]
}
