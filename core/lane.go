package core

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"hearth/wire"
)

// A client speaks to each server over three connections, so that the server is
// not told which account opens which seats, nor which seats post (protocol
// §10). They are opened when needed and closed when idle.
type lane struct {
	net    *network
	server string
	keep   bool // seats: kept open, and reopened, as long as a seat is read

	mu      sync.Mutex
	cur     *session      // nil while there is none
	changed chan struct{} // closed and replaced when cur or failed changes
	failed  error         // why the newest attempt failed; nil after a success
	tried   time.Time     // when it failed
	wanted  bool          // someone waits for a session
	kick    chan struct{} // asks for an attempt at once; capacity 1
	running bool
}

// purpose tells the three lanes of a server apart.
type purpose uint8

const (
	forAccounts purpose = iota
	forSeats
	forPosts
)

const (
	dialTimeout  = 10 * time.Second
	backoffFirst = 500 * time.Millisecond
	backoffMax   = time.Minute
	// idleAfter is when a lane with nothing to do hangs up.
	idleAfter = 2 * time.Minute
	// pingEvery keeps middle boxes from forgetting a lane that is kept; it is
	// long, so that a phone's radio sleeps.
	pingEvery = 4 * time.Minute
	// answerStale is how long a failed attempt answers for the next caller.
	answerStale = time.Second
)

// network is all lanes of a client.
type network struct {
	dial func(ctx context.Context, server string) (wire.Conn, error)
	crew *crew

	mu    sync.Mutex
	lanes map[laneKey]*lane
}

type laneKey struct {
	server string
	for_   purpose
}

func newNetwork(dial func(context.Context, string) (wire.Conn, error), crew *crew) *network {
	return &network{dial: dial, crew: crew, lanes: make(map[laneKey]*lane)}
}

// lane returns the lane to a server, new if need be.
func (n *network) lane(server string, p purpose) *lane {
	n.mu.Lock()
	defer n.mu.Unlock()
	k := laneKey{server, p}
	l := n.lanes[k]
	if l == nil {
		l = &lane{net: n, server: server, keep: p == forSeats,
			changed: make(chan struct{}), kick: make(chan struct{}, 1)}
		n.lanes[k] = l
	}
	return l
}

// do asks for something now: it dials if need be and fails with unreachable
// when that fails. For what a person waits for.
func (l *lane) do(ctx context.Context, op wire.Op, body, v any) error {
	s, err := l.session(ctx, true)
	if err != nil {
		return err
	}
	err = s.call(ctx, op, body, v)
	var we *wire.Error
	if err != nil && ctx.Err() == nil && !errors.As(err, &we) {
		return unreachable(err)
	}
	return err
}

// up waits for a session, however long it takes. For what goes on by itself.
func (l *lane) up(ctx context.Context) (*session, error) { return l.session(ctx, false) }

// session returns the living session. now: an attempt is made at once, and its
// failure is the answer.
func (l *lane) session(ctx context.Context, now bool) (*session, error) {
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
			l.net.crew.spawn(l.run)
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

// run keeps the lane: it dials while someone wants it, reads while it lives,
// and waits longer after each failure. It returns when nobody wants the lane.
func (l *lane) run(ctx context.Context) {
	backoff := backoffFirst
	for ctx.Err() == nil {
		s, err := l.dial(ctx)
		l.set(s, err)
		if err != nil {
			wait := backoff/2 + rand.N(backoff) // jitter: a server's clients do not come back as one
			backoff = min(2*backoff, backoffMax)
			select {
			case <-time.After(wait):
			case <-l.kick:
			case <-ctx.Done():
			}
			if !l.stillWanted() {
				return
			}
			continue
		}
		began := time.Now()
		l.live(ctx, s)
		if time.Since(began) > backoffMax {
			backoff = backoffFirst
		}
		l.set(nil, nil)
		if !l.stillWanted() {
			return
		}
		if backoff > backoffFirst || time.Since(began) < backoffFirst {
			// It ended right after it began: do not hammer.
			select {
			case <-time.After(backoff/2 + rand.N(backoff)):
			case <-ctx.Done():
			}
			backoff = min(2*backoff, backoffMax)
		}
	}
	l.mu.Lock()
	l.running = false
	l.mu.Unlock()
}

// stillWanted ends the lane's goroutine unless it is needed.
func (l *lane) stillWanted() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.keep || l.wanted {
		return true
	}
	l.running = false
	return false
}

// set publishes a new state and wakes all who wait.
func (l *lane) set(s *session, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cur = s
	l.failed = err
	if err != nil {
		l.tried = time.Now()
	}
	l.wanted = false // whoever still waits says so again
	close(l.changed)
	l.changed = make(chan struct{})
}

// dial makes one attempt.
func (l *lane) dial(ctx context.Context) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := l.net.dial(ctx, l.server)
	if err != nil {
		return nil, unreachable(err)
	}
	s, err := greet(ctx, conn)
	if err != nil {
		conn.Close()
		return nil, unreachable(err)
	}
	s.used = time.Now()
	return s, nil
}

// live reads a session until it ends, pings it if it is kept, and hangs up when
// it is idle.
func (l *lane) live(ctx context.Context, s *session) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			wait := idleAfter
			if l.keep {
				wait = pingEvery/2 + rand.N(pingEvery)
			}
			select {
			case <-time.After(wait):
			case <-s.done:
				return
			}
			switch {
			case !l.keep && s.idle() >= idleAfter:
				l.set(nil, nil) // before it ends, so that no caller is handed it
				s.end(nil)
			case l.keep:
				s.call(ctx, wire.OpPing, wire.Nothing{}, nil) // a dead one ends itself
			}
		}
	})
	s.run(ctx)
	wg.Wait()
}

// unreachable makes any failure to connect one error, unless the handed-in
// dialer, or the server, already said something clearer.
func unreachable(err error) error {
	var we *wire.Error
	if errors.As(err, &we) {
		return err
	}
	return wire.Errorf(wire.Unreachable, "the server cannot be reached").
		WithNext("check the address and the network; what was queued is sent later")
}
