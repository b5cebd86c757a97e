package lane

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"hearth/wire"
)

// run keeps the lane: it dials while someone wants it, reads while it lives,
// and waits longer after each failure. It returns when nobody wants the lane.
func (l *Lane) run(ctx context.Context) {
	backoff := BackoffFirst
	for ctx.Err() == nil {
		s, err := l.dial(ctx)
		l.set(s, err)
		if err != nil {
			wait := backoff/2 + rand.N(backoff) // jitter: a server's clients do not come back as one
			backoff = min(2*backoff, BackoffMax)
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
		if time.Since(began) > BackoffMax {
			backoff = BackoffFirst
		}
		l.set(nil, nil)
		if !l.stillWanted() {
			return
		}
		if backoff > BackoffFirst || time.Since(began) < BackoffFirst {
			// It ended right after it began: do not hammer.
			select {
			case <-time.After(backoff/2 + rand.N(backoff)):
			case <-ctx.Done():
			}
			backoff = min(2*backoff, BackoffMax)
		}
	}
	l.mu.Lock()
	l.running = false
	l.mu.Unlock()
}

// stillWanted ends the lane's goroutine unless it is needed.
func (l *Lane) stillWanted() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.keep || l.wanted {
		return true
	}
	l.running = false
	return false
}

// set publishes a new state and wakes all who wait.
func (l *Lane) set(s *Session, err error) {
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
func (l *Lane) dial(ctx context.Context) (*Session, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := l.net.dial(ctx, l.server)
	if err != nil {
		return nil, Unreachable(err)
	}
	s, err := greet(ctx, conn)
	if err != nil {
		conn.Close()
		return nil, Unreachable(err)
	}
	s.used = time.Now()
	l.net.agree(l.server, s.welcome)
	return s, nil
}

// live reads a session until it ends, pings it if it is kept, and hangs up when
// it is idle.
func (l *Lane) live(ctx context.Context, s *Session) {
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
				s.Call(ctx, wire.OpPing, wire.Nothing{}, nil) // a dead one ends itself
			}
		}
	})
	s.run(ctx)
	wg.Wait()
}
