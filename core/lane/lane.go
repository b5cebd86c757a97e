// Package lane holds a client's connections to servers. A client speaks to each
// server over three of them, so that the server is not told which account opens
// which seats, nor which seats post (protocol §10). They are opened when needed
// and closed when idle; each ends as a whole, after the first surprise.
//
// It promises that every call ends with its context, and that nothing which a
// server says is passed on unless it was asked for. It reads no payload and knows
// no room. Start with Network.To, then Session.
package lane

import (
	"context"
	"errors"
	"sync"
	"time"

	"hearth/wire"
)

// Purpose tells the three lanes of a server apart.
type Purpose uint8

const (
	// Accounts: what an account asks of its directory.
	Accounts Purpose = iota
	// Seats: reading and committing. It is kept as long as the client runs.
	Seats
	// Posts: what is said in rooms and at other people's doors.
	Posts
)

const (
	dialTimeout = 10 * time.Second
	// BackoffFirst and BackoffMax bound the waits between attempts.
	BackoffFirst = 500 * time.Millisecond
	BackoffMax   = time.Minute
	// idleAfter is when a lane with nothing to do hangs up.
	idleAfter = 2 * time.Minute
	// pingEvery keeps middle boxes from forgetting a lane that is kept; it is
	// long, so that a phone's radio sleeps.
	pingEvery = 4 * time.Minute
	// answerStale is how long a failed attempt answers for the next caller.
	answerStale = time.Second
)

// Network is all lanes of a client.
type Network struct {
	dial  func(ctx context.Context, server string) (wire.Conn, error)
	spawn func(func(context.Context))
	now   func() time.Time

	mu    sync.Mutex
	lanes map[laneKey]*Lane
	terms map[string]Terms // by server
}

type laneKey struct {
	server string
	for_   Purpose
}

// New returns a network without a connection. dial makes one to a server's URL;
// spawn runs what keeps it, until the context that it hands over ends; now is the
// client's clock.
func New(dial func(ctx context.Context, server string) (wire.Conn, error), spawn func(func(context.Context)), now func() time.Time) *Network {
	return &Network{dial: dial, spawn: spawn, now: now, lanes: make(map[laneKey]*Lane), terms: make(map[string]Terms)}
}

// Lane is the way to one server for one purpose; over time it is many sessions.
type Lane struct {
	net    *Network
	server string
	keep   bool // seats: kept open, and reopened, as long as a seat is read

	mu      sync.Mutex
	cur     *Session      // nil while there is none
	changed chan struct{} // closed and replaced when cur or failed changes
	failed  error         // why the newest attempt failed; nil after a success
	tried   time.Time     // when it failed
	wanted  bool          // someone waits for a session
	kick    chan struct{} // asks for an attempt at once; capacity 1
	running bool
}

// To returns the lane to a server, new if need be.
func (n *Network) To(server string, p Purpose) *Lane {
	n.mu.Lock()
	defer n.mu.Unlock()
	k := laneKey{server, p}
	l := n.lanes[k]
	if l == nil {
		l = &Lane{net: n, server: server, keep: p == Seats,
			changed: make(chan struct{}), kick: make(chan struct{}, 1)}
		n.lanes[k] = l
	}
	return l
}

// Do asks for something now: it dials if need be and fails with unreachable
// when that fails. For what a person waits for.
func (l *Lane) Do(ctx context.Context, op wire.Op, body, v any) error {
	s, err := l.Now(ctx)
	if err != nil {
		return err
	}
	err = s.Call(ctx, op, body, v)
	var we *wire.Error
	if err != nil && ctx.Err() == nil && !errors.As(err, &we) {
		return Unreachable(err)
	}
	return err
}

// Now returns the living session, or makes one attempt at once, whose failure is
// the answer: a *wire.Error, unreachable if nothing clearer is known.
func (l *Lane) Now(ctx context.Context) (*Session, error) { return l.session(ctx, true) }

// Up waits for a session, however long it takes. For what goes on by itself.
func (l *Lane) Up(ctx context.Context) (*Session, error) { return l.session(ctx, false) }

// session returns the living session. now: an attempt is made at once, and its
// failure is the answer.
func (l *Lane) session(ctx context.Context, now bool) (*Session, error) {
	asked := time.Now()
	for {
		l.mu.Lock()
		if l.cur != nil {
			s := l.cur
			l.mu.Unlock()
			return s, nil
		}
		if now && l.failed != nil && !l.tried.Before(asked.Add(-answerStale)) {
			err := l.failed
			l.mu.Unlock()
			return nil, err
		}
		l.wanted = true
		if !l.running {
			l.running = true
			l.net.spawn(l.run)
		}
		if now {
			select {
			case l.kick <- struct{}{}:
			default:
			}
		}
		changed := l.changed
		l.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Answers reports whether there is a connection now.
func (l *Lane) Answers() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cur != nil
}

// Failing reports whether the newest attempt to reach a server failed.
func (l *Lane) Failing() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cur == nil && l.failed != nil
}

// Unreachable makes any failure to connect one error, unless the handed-in
// dialer, or the server, already said something clearer.
func Unreachable(err error) error {
	var we *wire.Error
	if errors.As(err, &we) {
		return err
	}
	return wire.Errorf(wire.Unreachable, "the server cannot be reached").
		WithNext("check the address and the network; what was queued is sent later")
}
