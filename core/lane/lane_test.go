package lane

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hearth/wire"
)

// pipe is a connection whose server is the test.
type pipe struct {
	out, in chan []byte
	once    sync.Once
	closed  chan struct{}
}

func newPipe() *pipe {
	return &pipe{out: make(chan []byte, 16), in: make(chan []byte, 16), closed: make(chan struct{})}
}

func (p *pipe) Read(ctx context.Context) ([]byte, error) {
	select {
	case b := <-p.in:
		return b, nil
	case <-p.closed:
		return nil, io.EOF
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipe) Write(ctx context.Context, b []byte) error {
	select {
	case p.out <- b:
		return nil
	case <-p.closed:
		return io.EOF
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *pipe) Close() error { p.once.Do(func() { close(p.closed) }); return nil }

// asked returns the next request that came.
func (p *pipe) asked(t *testing.T) wire.Frame {
	t.Helper()
	var f wire.Frame
	if err := wire.Decode(<-p.out, &f); err != nil {
		t.Fatal(err)
	}
	return f
}

func (p *pipe) answer(f wire.Frame, body any) { p.in <- wire.NewFrame(f.Op, f.ID, body) }

// open is a lane whose first connection is p, after its greeting; each further
// dial fails.
func open(t *testing.T, p *pipe) (*Lane, *Session) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	t.Cleanup(func() { cancel(); wg.Wait() })
	first := true
	n := New(func(context.Context, string) (wire.Conn, error) {
		if !first {
			return nil, errors.New("down")
		}
		first = false
		go func() {
			hello := p.asked(t)
			p.answer(hello, wire.Welcome{Version: wire.Version, Domain: "example.org", Keep: 1})
		}()
		return p, nil
	}, func(f func(context.Context)) { wg.Go(func() { f(ctx) }) }, time.Now)
	l := n.To("http://example.org", Accounts)
	s, err := l.Now(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return l, s
}

// TestSurprisesEndASession: a server that says what nobody asked for is not
// listened to any further; whoever waits is told, and nothing is answered.
func TestSurprisesEndASession(t *testing.T) {
	for name, frame := range map[string]func(wire.Frame) []byte{
		"not a frame":          func(wire.Frame) []byte { return []byte{0xff, 0, 1} },
		"an answer to nothing": func(f wire.Frame) []byte { return wire.NewFrame(wire.OpPing, f.ID+7, wire.Nothing{}) },
		"another operation":    func(f wire.Frame) []byte { return wire.NewFrame(wire.OpSeatOpen, f.ID, wire.Nothing{}) },
		"an unknown event":     func(wire.Frame) []byte { return wire.NewFrame(wire.OpPing, 0, wire.Nothing{}) },
		"an error without code": func(f wire.Frame) []byte {
			return wire.NewFrame(wire.OpError, f.ID, wire.Error{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPipe()
				l, s := open(t, p)
				done := make(chan error)
				go func() { done <- s.Call(t.Context(), wire.OpPing, wire.Nothing{}, nil) }()
				p.in <- frame(p.asked(t))
				if err := <-done; err == nil {
					t.Fatal("the call was answered")
				}
				synctest.Wait()
				select {
				case <-s.Done():
				default:
					t.Fatal("the session goes on")
				}
				if l.Answers() {
					t.Fatal("the lane still hands it out")
				}
			})
		})
	}
}

// TestSilenceEndsASession: a server that does not answer within callTimeout is
// gone; one caller's impatience is nobody else's loss.
func TestSilenceEndsASession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipe()
		_, s := open(t, p)
		hasty, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Call(hasty, wire.OpPing, wire.Nothing{}, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		first := p.asked(t)
		done := make(chan error)
		go func() { done <- s.Call(t.Context(), wire.OpPing, wire.Nothing{}, nil) }()
		second := p.asked(t)
		p.answer(first, wire.Nothing{}) // late: nobody waits, and it is no surprise
		p.answer(second, wire.Nothing{})
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := s.Call(t.Context(), wire.OpPing, wire.Nothing{}, nil); err == nil {
			t.Fatal("silence was an answer")
		}
		if waited := time.Since(began); waited != callTimeout {
			t.Fatalf("gave up after %v", waited)
		}
		<-s.Done()
	})
}

// TestIdleLaneHangsUp: what nobody uses is closed, and asked for again it is
// dialled again.
func TestIdleLaneHangsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipe()
		l, s := open(t, p)
		time.Sleep(2*idleAfter + time.Second)
		synctest.Wait()
		select {
		case <-s.Done():
		default:
			t.Fatal("an idle lane stays open")
		}
		err := l.Do(t.Context(), wire.OpPing, wire.Nothing{}, nil)
		var we *wire.Error
		if !errors.As(err, &we) || we.Code != wire.Unreachable {
			t.Fatalf("a second dial that fails says %v", err)
		}
	})
}

// FuzzTake: whatever a server sends, a session takes it or ends, and never
// panics or waits.
func FuzzTake(f *testing.F) {
	f.Add(wire.NewFrame(wire.OpEntry, 0, wire.Entry{Handle: 1}))
	f.Add(wire.NewFrame(wire.OpHole, 0, wire.Hole{Handle: 1}))
	f.Add(wire.NewFrame(wire.OpLive, 0, wire.Live{Handle: 1}))
	f.Add(wire.NewFrame(wire.OpClosed, 0, wire.Closed{Handle: 1}))
	f.Add(wire.NewFrame(wire.OpPing, 2, wire.Nothing{}))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		p := newPipe()
		s := &Session{conn: p, calls: map[uint64]*call{}, queues: map[uint32]chan Event{}, done: make(chan struct{})}
		_, events := s.Subscribe(1)
		answer := make(chan wire.Frame, 1)
		s.calls[2] = &call{op: wire.OpPing, answer: answer}
		err := s.take(t.Context(), b)
		select {
		case e := <-events:
			n := 0
			for _, set := range []bool{e.Entry != nil, e.Hole != nil, e.Live != nil, e.Closed != nil} {
				if set {
					n++
				}
			}
			if n != 1 || err != nil {
				t.Fatalf("an event of %d kinds, %v", n, err)
			}
		case a := <-answer:
			if a.ID != 2 || err != nil {
				t.Fatalf("an answer to %d, %v", a.ID, err)
			}
		default:
		}
	})
}
