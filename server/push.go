package server

import (
	"context"
	"time"

	"hearth/store"
	"hearth/wire"
)

// seat is a seat that a connection has open.
type seat struct {
	c      *conn
	handle uint32
	open   *store.OpenSeat // set before the seat is in conn.seats

	// under conn.mu
	credit uint64
	queued bool // is in conn.ready
	closed bool

	// the pump's own
	sent wire.Number // everything through it was sent
	live bool        // Live was sent
}

// A seat is served this much before the next one's turn.
const (
	turnEntries = 64
	turnBytes   = 256 << 10
)

// wake puts the seat before the pump. It is called under a room's lock.
func (s *seat) wake() {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if s.open == nil || s.queued || s.closed {
		return // open is nil while opening: it is woken once it is there
	}
	s.queued = true
	s.c.ready = append(s.c.ready, s)
	s.c.kick()
}

// kick starts the pump unless it runs; conn.mu is held.
func (c *conn) kick() {
	if !c.pumping && !c.stopped {
		c.pumping = true
		go c.pump()
	}
}

// settle waits until the pump has nothing to write.
func (c *conn) settle() {
	c.mu.Lock()
	if !c.pumping {
		c.mu.Unlock()
		return
	}
	done := make(chan struct{})
	c.quiet = append(c.quiet, done)
	c.mu.Unlock()
	<-done
}

// flusher is a connection that gathers what is written until Flush, and bounds
// the time that a slow reader takes by itself.
type flusher interface{ Flush() error }

// pump writes until there is nothing to write: answers first, then the open
// seats in turn.
func (c *conn) pump() {
	p := pumping{c: c}
	p.renew()
	defer func() { p.cancel() }()
	for {
		c.mu.Lock()
		answers, fleet := c.answers, c.fleet
		c.answers, c.fleet = nil, nil
		var next *seat
		if len(c.ready) > 0 {
			next = c.ready[0]
			c.ready = c.ready[1:]
			next.queued = false
		} else {
			c.ready = nil
		}
		if len(answers) == 0 && len(fleet) == 0 && next == nil && !p.dirty {
			c.pumping = false
			for _, done := range c.quiet {
				close(done)
			}
			c.quiet = nil
			c.mu.Unlock()
			return
		}
		c.mu.Unlock()
		for _, b := range answers {
			p.write(b)
			<-c.pending
		}
		for _, b := range fleet {
			p.write(b)
		}
		switch {
		case next != nil:
			p.seat(next)
		case len(answers) == 0 && len(fleet) == 0:
			p.flush()
		}
		if time.Since(p.since) > c.s.cfg.Limits.WriteWithin/2 {
			p.cancel()
			p.renew()
		}
	}
}

// pumping is one run of a pump.
type pumping struct {
	c      *conn
	ctx    context.Context // bounds how long a slow reader may take
	cancel context.CancelFunc
	since  time.Time
	buf    []byte
	err    error
	dirty  bool // written but not flushed
}

// renew begins another stretch of writing.
func (p *pumping) renew() {
	p.since = time.Now()
	p.ctx, p.cancel = context.Background(), func() {}
	if _, gathers := p.c.wc.(flusher); !gathers {
		p.ctx, p.cancel = context.WithTimeout(p.ctx, p.c.s.cfg.Limits.WriteWithin)
	}
}

// write sends a frame; after the first failure it does nothing, but the pump
// goes on so that requests get their tokens back.
func (p *pumping) write(frame []byte) {
	if p.err != nil {
		return
	}
	if p.err = p.c.wc.Write(p.ctx, frame); p.err != nil {
		p.c.cancel()
		return
	}
	_, gathers := p.c.wc.(flusher)
	p.dirty = gathers
}

func (p *pumping) flush() {
	p.dirty = false
	if f, ok := p.c.wc.(flusher); ok && p.err == nil {
		if p.err = f.Flush(); p.err != nil {
			p.c.cancel()
		}
	}
}

// seat serves one turn of a seat.
func (p *pumping) seat(s *seat) {
	c := p.c
	c.mu.Lock()
	credit, closed := s.credit, s.closed
	c.mu.Unlock()
	if closed || p.err != nil {
		return
	}
	r, err := s.open.Read(p.ctx, s.sent, int(min(credit, turnEntries)), turnBytes)
	if err != nil {
		p.closeSeat(s, c.s.public(err).Code)
		return
	}
	n := uint64(0)
	for _, e := range r.Events {
		if e.Tail == nil {
			p.write(wire.NewFrame(wire.OpHole, 0, wire.Hole{Handle: s.handle, From: e.From, To: e.To, Early: e.Early}))
		} else {
			p.buf = wire.AppendEntryFrame(p.buf[:0], s.handle, e.Tail)
			p.write(p.buf)
			n++
		}
		s.sent = e.To
	}
	if cap(p.buf) > 64<<10 {
		p.buf = nil
	}
	if r.Ended != "" {
		p.closeSeat(s, r.Ended)
		return
	}
	if s.sent >= r.Head && !s.live {
		s.live = true
		p.write(wire.NewFrame(wire.OpLive, 0, wire.Live{Handle: s.handle, Head: r.Head}))
	}
	c.mu.Lock()
	s.credit -= n
	again := s.sent < r.Head && s.credit > 0 && !s.queued && !s.closed
	if again {
		s.queued = true
		c.ready = append(c.ready, s)
	}
	c.mu.Unlock()
}

func (p *pumping) closeSeat(s *seat, code wire.Code) {
	if p.c.dropSeat(s) {
		p.write(wire.NewFrame(wire.OpClosed, 0, wire.Closed{Handle: s.handle, Code: code}))
	}
}

// dropSeat takes a seat off the connection; false if it was off already.
func (c *conn) dropSeat(s *seat) bool {
	c.mu.Lock()
	was := s.closed
	s.closed = true
	if c.seats[s.handle] == s {
		delete(c.seats, s.handle)
	}
	c.mu.Unlock()
	if was {
		return false
	}
	s.open.Close()
	return true
}

func (c *conn) closeSeats() {
	c.mu.Lock()
	var all []*seat
	for _, s := range c.seats {
		all = append(all, s)
	}
	c.mu.Unlock()
	for _, s := range all {
		c.dropSeat(s)
	}
}

// pushFleet queues an ephemeral post for a seat, or drops it.
func (s *seat) pushFleet(tail []byte) {
	frame := wire.AppendEntryFrame(nil, s.handle, tail)
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if s.closed || len(s.c.fleet) >= maxFleet {
		return
	}
	s.c.fleet = append(s.c.fleet, frame)
	s.c.kick()
}
