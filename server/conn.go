package server

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"sync"
	"time"

	"hearth/wire"
)

// conn is one connection. One goroutine reads frames and begins what they ask;
// answers and pushes are written by another, the pump, which runs only while
// there is something to write, so that an idle connection costs one stack.
type conn struct {
	s         *Server
	wc        wire.Conn
	cancel    context.CancelFunc
	challenge [32]byte
	pending   chan struct{} // one token for each request not answered yet
	rate      bucket
	lookups   hourly

	mu      sync.Mutex
	seats   map[uint32]*seat
	answers [][]byte
	fleet   [][]byte // ephemeral posts, dropped when too many wait
	ready   []*seat  // seats that may have something to read
	pumping bool
	stopped bool            // no pump starts any more
	quiet   []chan struct{} // closed when the pump ends
}

// lastWords is how long a connection that ends may take to be sent what was
// under way.
const lastWords = 2 * time.Second

// maxFleet is how many ephemeral posts wait for one connection.
const maxFleet = 32

// ServeConn serves one connection until it ends, and closes it.
func (s *Server) ServeConn(ctx context.Context, wc wire.Conn) {
	ctx, cancel := context.WithCancel(ctx)
	c := &conn{s: s, wc: wc, cancel: cancel, pending: make(chan struct{}, s.cfg.Limits.Pending)}
	c.rate = newBucket(s.cfg.Limits, s.cfg.Now())
	defer wc.Close()
	defer cancel()
	if !s.admit(c) {
		return
	}
	defer s.leave(c)
	err := c.serve(ctx)
	cancel()
	c.closeSeats()
	c.mu.Lock()
	c.stopped = true
	c.mu.Unlock()
	late := time.AfterFunc(lastWords, func() { wc.Close() })
	c.settle()
	late.Stop()
	if err != nil && !expected(err) {
		s.cfg.Log.Debug("a connection ended", "err", err)
	}
}

func expected(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

func (c *conn) serve(ctx context.Context) error {
	if err := c.hello(ctx); err != nil {
		return err
	}
	for {
		b, err := c.read(ctx)
		if err != nil {
			return err
		}
		if err := c.rate.wait(ctx, len(b), c.s.cfg.Now); err != nil {
			return err
		}
		if err := c.frame(ctx, b); err != nil {
			return err
		}
	}
}

// read waits for the next frame, for ever only while a seat is open.
func (c *conn) read(ctx context.Context) ([]byte, error) {
	c.mu.Lock()
	idle := len(c.seats) == 0
	c.mu.Unlock()
	if !idle {
		return c.wc.Read(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, c.s.cfg.Limits.IdleWithin)
	defer cancel()
	return c.wc.Read(ctx)
}

// hello waits for the client's first frame and answers it.
func (c *conn) hello(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.s.cfg.Limits.HelloWithin)
	defer cancel()
	b, err := c.wc.Read(ctx)
	if err != nil {
		return err
	}
	var f wire.Frame
	var h wire.Hello
	if err = wire.Decode(b, &f); err == nil && f.Op != wire.OpHello {
		err = errInput("the first frame of a connection is not a hello")
	}
	if err == nil {
		err = wire.Decode(f.Body, &h)
	}
	if err == nil && h.Version != wire.Version {
		err = wire.Errorf(wire.Unsupported, "this server speaks version %d of the frames", wire.Version).WithNext("update the client, or the server")
	}
	if err != nil {
		c.send(ctx, wire.NewFrame(wire.OpError, f.ID, c.s.public(err)))
		return err
	}
	rand.Read(c.challenge[:])
	return c.send(ctx, wire.NewFrame(wire.OpHello, f.ID, wire.Welcome{
		Version: wire.Version, Domain: c.s.cfg.Domain, Region: c.s.cfg.Region, Challenge: c.challenge[:], Registration: c.s.cfg.Registration.wire(),
		Keep: wire.Seconds(c.s.cfg.Keep), Now: c.s.cfg.Now().Unix(),
	}))
}

// send writes one frame before the pump may run.
func (c *conn) send(ctx context.Context, frame []byte) error {
	if err := c.wc.Write(ctx, frame); err != nil {
		return err
	}
	if f, ok := c.wc.(flusher); ok {
		return f.Flush()
	}
	return nil
}

// errInput is what no honest client sends.
func errInput(what string) error { return wire.Errorf(wire.BadInput, "%s", what) }

// frame begins what one frame asks. A frame that cannot be told from noise ends
// the connection.
func (c *conn) frame(ctx context.Context, b []byte) error {
	select {
	case c.pending <- struct{}{}:
	default:
		select {
		case c.pending <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	var f wire.Frame
	err := wire.Decode(b, &f)
	if err == nil && f.ID == 0 {
		err = errInput("a request has the id 0")
	}
	if err != nil {
		c.fail(0, err)
		c.settle()
		return err
	}
	c.dispatch(ctx, f)
	return nil
}

// answer queues the answer to a request; it must be called once for each.
func (c *conn) answer(op wire.Op, id uint64, body any) {
	b := wire.NewFrame(op, id, body)
	c.mu.Lock()
	c.answers = append(c.answers, b)
	c.kick()
	c.mu.Unlock()
}

func (c *conn) fail(id uint64, err error) { c.answer(wire.OpError, id, c.s.public(err)) }

// reply answers with body, or with err.
func (c *conn) reply(op wire.Op, id uint64, body any, err error) {
	if err != nil {
		c.fail(id, err)
		return
	}
	c.answer(op, id, body)
}

// public is what a client may see of an error. What has no code of ours is
// logged, here and only here, and answered as internal.
func (s *Server) public(err error) *wire.Error {
	var e *wire.Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return wire.ErrInternal
	}
	s.cfg.Log.LogAttrs(context.Background(), slog.LevelError, "a request failed", slog.Any("err", err))
	return wire.ErrInternal
}

// bucket slows a connection down to its budget of bytes and frames: two token
// buckets that may go into debt, which is slept off before the next frame.
type bucket struct {
	bytes, frames         float64
	perByte, perFrame     float64 // a second
	burstBytes, burstFrms float64
	last                  time.Time
}

func newBucket(l Limits, now time.Time) bucket {
	return bucket{bytes: 10 * l.Bytes, frames: 10 * l.Frames, perByte: l.Bytes, perFrame: l.Frames, burstBytes: 10 * l.Bytes, burstFrms: 10 * l.Frames, last: now}
}

func (b *bucket) wait(ctx context.Context, n int, clock func() time.Time) error {
	now := clock()
	if d := now.Sub(b.last).Seconds(); d > 0 {
		b.bytes = min(b.burstBytes, b.bytes+d*b.perByte)
		b.frames = min(b.burstFrms, b.frames+d*b.perFrame)
		b.last = now
	}
	b.bytes -= float64(n)
	b.frames--
	debt := max(-b.bytes/b.perByte, -b.frames/b.perFrame)
	if debt <= 0 {
		return nil
	}
	if !sleep(ctx, time.Duration(debt*float64(time.Second))) {
		return ctx.Err()
	}
	return nil
}

// hourly counts events in the current hour.
type hourly struct {
	mu   sync.Mutex
	hour int64
	n    int
}

// take counts one event and reports whether it is within limit.
func (h *hourly) take(limit int, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if hour := now.Unix() / 3600; hour != h.hour {
		h.hour, h.n = hour, 0
	}
	if h.n >= limit {
		return false
	}
	h.n++
	return true
}
