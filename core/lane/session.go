package lane

import (
	"context"
	"errors"
	"sync"
	"time"

	"hearth/wire"
)

// callTimeout bounds one request: a server that takes longer is treated as
// gone, and what was asked is asked again.
const callTimeout = 30 * time.Second

// writeTimeout bounds the sending of one frame.
const writeTimeout = 10 * time.Second

// Session is one living connection to a server: requests, answers, and the
// events of the seats opened on it. It ends as a whole: after the first error
// every call fails and nothing on it is trusted.
type Session struct {
	conn    wire.Conn
	welcome wire.Welcome

	writing sync.Mutex // one frame at a time; held over the write

	mu     sync.Mutex
	lastID uint64
	calls  map[uint64]*call
	queues map[uint32]chan Event // by seat handle
	handle uint32
	used   time.Time // of the newest request
	err    error     // why it ended

	done chan struct{}
}

// call waits for one answer.
type call struct {
	op     wire.Op
	answer chan wire.Frame
}

// Event is one event for a seat; exactly one field is set.
type Event struct {
	Entry  *wire.Entry
	Hole   *wire.Hole
	Live   *wire.Live
	Closed *wire.Closed
}

// ErrEnded is why calls fail on a connection that is no more.
var ErrEnded = errors.New("the connection ended")

// greet says hello on a fresh connection and returns the session; the caller
// then runs its read loop.
func greet(ctx context.Context, conn wire.Conn) (*Session, error) {
	s := &Session{
		conn:   conn,
		calls:  make(map[uint64]*call),
		queues: make(map[uint32]chan Event),
		lastID: 1,
		done:   make(chan struct{}),
	}
	if err := conn.Write(ctx, wire.NewFrame(wire.OpHello, 1, wire.Hello{Version: wire.Version})); err != nil {
		return nil, err
	}
	b, err := conn.Read(ctx)
	if err != nil {
		return nil, err
	}
	var f wire.Frame
	if err := wire.Decode(b, &f); err != nil {
		return nil, NotHearth()
	}
	if err := readAnswer(f, wire.OpHello, &s.welcome); err != nil {
		return nil, err
	}
	if f.ID != 1 || s.welcome.Version != wire.Version || s.welcome.Domain == "" || !fair(s.welcome) {
		return nil, NotHearth()
	}
	return s, nil
}

// NotHearth is the error for a peer that does not speak the protocol.
func NotHearth() error {
	return wire.Errorf(wire.WrongServer, "that server does not answer as a Hearth server does").
		WithNext("check the server's address")
}

// readAnswer reads an answer to a request of op into v; v nil: the body must be
// Nothing.
func readAnswer(f wire.Frame, op wire.Op, v any) error {
	switch f.Op {
	case op:
		if v == nil {
			v = new(wire.Nothing)
		}
		if err := wire.Decode(f.Body, v); err != nil {
			return NotHearth()
		}
		return nil
	case wire.OpError:
		e := new(wire.Error)
		if err := wire.Decode(f.Body, e); err != nil {
			return NotHearth()
		}
		if e.Code == "" {
			return NotHearth()
		}
		return e
	}
	return NotHearth()
}

// Welcome is what the server said of itself when the connection began.
func (s *Session) Welcome() wire.Welcome { return s.welcome }

// Done is closed when the session has ended.
func (s *Session) Done() <-chan struct{} { return s.done }

// run reads until the connection ends; ctx ends it too.
func (s *Session) run(ctx context.Context) {
	stop := context.AfterFunc(ctx, func() { s.end(ctx.Err()) })
	defer stop()
	for {
		b, err := s.conn.Read(ctx)
		if err == nil {
			err = s.take(ctx, b)
		}
		if err != nil {
			s.end(err)
			return
		}
	}
}

// take deals with one frame from the server. Any surprise ends the session: a
// server that answers what was not asked is not worth guessing about.
func (s *Session) take(ctx context.Context, b []byte) error {
	var f wire.Frame
	if err := wire.Decode(b, &f); err != nil {
		return err
	}
	if f.ID == 0 {
		return s.event(ctx, f)
	}
	s.mu.Lock()
	c := s.calls[f.ID]
	delete(s.calls, f.ID)
	s.mu.Unlock()
	if c == nil {
		return errors.New("an answer to nothing")
	}
	if c.answer == nil {
		// Told, not asked: an acknowledgement or credit. What a refusal
		// means shows when the seat is closed.
		return nil
	}
	c.answer <- f
	return nil
}

// event hands an event to its seat's queue. It waits while the queue is full,
// and so do all seats of the connection: a reader never waits for an answer on
// its own session while its queue fills.
func (s *Session) event(ctx context.Context, f wire.Frame) error {
	var p Event
	var handle uint32
	var err error
	switch f.Op {
	case wire.OpEntry:
		p.Entry = new(wire.Entry)
		err = wire.Decode(f.Body, p.Entry)
		handle = p.Entry.Handle
	case wire.OpHole:
		p.Hole = new(wire.Hole)
		err = wire.Decode(f.Body, p.Hole)
		handle = p.Hole.Handle
	case wire.OpLive:
		p.Live = new(wire.Live)
		err = wire.Decode(f.Body, p.Live)
		handle = p.Live.Handle
	case wire.OpClosed:
		p.Closed = new(wire.Closed)
		err = wire.Decode(f.Body, p.Closed)
		handle = p.Closed.Handle
	default:
		return errors.New("an unknown event")
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	q := s.queues[handle]
	s.mu.Unlock()
	if q == nil {
		return nil // a seat that was closed here a moment ago
	}
	select {
	case q <- p:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-s.done:
		return ErrEnded
	}
}

// end ends the session; the first reason stays.
func (s *Session) end(err error) {
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return
	}
	if err == nil {
		err = ErrEnded
	}
	s.err = err
	s.mu.Unlock()
	close(s.done)
	s.conn.Close()
}

// send writes one request. answer nil: nobody waits for the answer.
func (s *Session) send(ctx context.Context, op wire.Op, body any, answer chan wire.Frame) (uint64, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return 0, ErrEnded
	}
	s.lastID++
	id := s.lastID
	s.calls[id] = &call{op: op, answer: answer}
	s.used = time.Now()
	s.mu.Unlock()
	frame := wire.NewFrame(op, id, body)
	if len(frame) > wire.MaxFrame {
		s.forget(id)
		return 0, wire.Errorf(wire.BadInput, "that is too large to send")
	}
	// A frame that has begun is finished: half of one would end the connection
	// for all the others that use it, because one of them went away.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	if err := s.conn.Write(ctx, frame); err != nil {
		s.end(err)
		return 0, ErrEnded
	}
	return id, nil
}

func (s *Session) forget(id uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.calls[id]; c != nil {
		c.answer = nil // the answer may still come; nobody waits for it
	}
}

// Call sends a request and reads its answer into v; v nil: Nothing is expected.
// An error that the server answered is a *wire.Error with the server's code;
// any other error means that the request may or may not have been done.
func (s *Session) Call(ctx context.Context, op wire.Op, body, v any) error {
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	answer := make(chan wire.Frame, 1)
	id, err := s.send(ctx, op, body, answer)
	if err != nil {
		return err
	}
	select {
	case f := <-answer:
		err := readAnswer(f, op, v)
		if errors.Is(err, errWrongServer) {
			s.end(err)
		}
		return err
	case <-s.done:
		return ErrEnded
	case <-ctx.Done():
		s.forget(id)
		if caller.Err() == nil {
			s.end(ctx.Err()) // silent for too long: dead, not slow
		}
		return ctx.Err()
	}
}

var errWrongServer = &wire.Error{Code: wire.WrongServer}

// Tell sends a request whose answer nobody needs.
func (s *Session) Tell(ctx context.Context, op wire.Op, body any) error {
	_, err := s.send(ctx, op, body, nil)
	return err
}

// Subscribe makes a queue for a seat's events and names it with a handle.
func (s *Session) Subscribe(depth int) (uint32, <-chan Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handle++
	q := make(chan Event, depth)
	s.queues[s.handle] = q
	return s.handle, q
}

// Unsubscribe forgets a handle; events that still come for it are dropped.
func (s *Session) Unsubscribe(handle uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.queues, handle)
}

// idle reports how long nothing was asked, or 0 while an answer is awaited or
// a seat is open.
func (s *Session) idle() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queues) > 0 {
		return 0
	}
	for _, c := range s.calls {
		if c.answer != nil {
			return 0
		}
	}
	return time.Since(s.used)
}
