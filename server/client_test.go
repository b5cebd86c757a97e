package server

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"hearth/wire"
)

// world is a server in a folder of its own, and the clients of a test.
type world struct {
	t    testing.TB
	cfg  Config
	s    *Server
	stop func()
}

// newWorld starts a server. Call it inside a synctest bubble for tests of time.
func newWorld(t *testing.T, change ...func(*Config)) *world {
	t.Helper()
	cfg := Config{Dir: t.TempDir(), Domain: "test.example", Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	cfg.Store.MinFree = -1
	for _, f := range change {
		f(&cfg)
	}
	w := &world{t: t, cfg: cfg}
	w.start()
	t.Cleanup(func() { w.stop() })
	return w
}

func (w *world) start() {
	w.t.Helper()
	s, err := New(w.cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.s = s
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Errorf("the server ended with %v", err)
		}
	})
}

// restart stops the server gracefully and opens its folder again.
func (w *world) restart() {
	w.stop()
	w.start()
}

// client is one connection.
type client struct {
	t       testing.TB
	c       wire.Conn
	welcome wire.Welcome

	mu     sync.Mutex
	next   uint64
	wait   map[uint64]chan wire.Frame
	events chan wire.Frame
	done   chan struct{}
}

func (w *world) client() *client {
	w.t.Helper()
	a, b := wire.Pipe()
	go w.s.ServeConn(context.Background(), b)
	return newClient(w.t, a)
}

func newClient(t testing.TB, conn wire.Conn) *client {
	t.Helper()
	c := &client{t: t, c: conn, wait: map[uint64]chan wire.Frame{}, events: make(chan wire.Frame, 100000), done: make(chan struct{})}
	t.Cleanup(func() { conn.Close(); <-c.done })
	go c.read()
	c.must(wire.OpHello, wire.Hello{Version: wire.Version}, &c.welcome)
	return c
}

func (c *client) read() {
	defer close(c.done)
	for {
		b, err := c.c.Read(context.Background())
		if err != nil {
			c.mu.Lock()
			for id, ch := range c.wait {
				close(ch)
				delete(c.wait, id)
			}
			c.wait = nil
			c.mu.Unlock()
			close(c.events)
			return
		}
		var f wire.Frame
		if err := wire.Decode(b, &f); err != nil {
			c.t.Errorf("the server sent what is no frame: %v", err)
			return
		}
		if f.ID == 0 {
			c.events <- f
			continue
		}
		c.mu.Lock()
		ch := c.wait[f.ID]
		delete(c.wait, f.ID)
		c.mu.Unlock()
		if ch == nil {
			c.t.Errorf("an answer to no request: op %d", f.Op)
			return
		}
		ch <- f
	}
}

var errEnded = errors.New("the connection ended")

// begin sends a request; the answer comes through the channel.
func (c *client) begin(op wire.Op, body any) chan wire.Frame {
	c.mu.Lock()
	c.next++
	id, ch := c.next, make(chan wire.Frame, 1)
	if c.wait == nil {
		close(ch)
		c.mu.Unlock()
		return ch
	}
	c.wait[id] = ch
	c.mu.Unlock()
	c.c.Write(context.Background(), wire.NewFrame(op, id, body))
	return ch
}

// call sends a request and waits for its answer.
func (c *client) call(op wire.Op, body, answer any) error {
	return finish(<-c.begin(op, body), op, answer)
}

func finish(f wire.Frame, op wire.Op, answer any) error {
	if f.Op == 0 {
		return errEnded
	}
	if f.Op == wire.OpError {
		e := new(wire.Error)
		if err := wire.Decode(f.Body, e); err != nil {
			return err
		}
		return e
	}
	if f.Op != op {
		return errors.New("an answer of another op")
	}
	if answer == nil {
		answer = new(wire.Nothing)
	}
	return wire.Decode(f.Body, answer)
}

func (c *client) must(op wire.Op, body, answer any) {
	c.t.Helper()
	if err := c.call(op, body, answer); err != nil {
		c.t.Fatalf("op %d: %v", op, err)
	}
}

// refused checks that a request is answered with the code.
func (c *client) refused(code wire.Code, op wire.Op, body any) {
	c.t.Helper()
	var got *wire.Error
	err := finishAny(<-c.begin(op, body))
	if !errors.As(err, &got) || got.Code != code {
		c.t.Fatalf("op %d: got %v, want %s", op, err, code)
	}
}

func finishAny(f wire.Frame) error {
	if f.Op == wire.OpError || f.Op == 0 {
		return finish(f, f.Op, nil)
	}
	return nil
}

// event waits up to ten seconds for the next event and checks its op.
func (c *client) event(op wire.Op, body any) {
	c.t.Helper()
	select {
	case f := <-c.events:
		if f.Op != op {
			c.t.Fatalf("got event %d, want %d", f.Op, op)
		}
		if err := wire.Decode(f.Body, body); err != nil {
			c.t.Fatal(err)
		}
	case <-time.After(10 * time.Second):
		c.t.Fatalf("no event %d came", op)
	}
}

// silent checks that no event comes within a second.
func (c *client) silent() {
	c.t.Helper()
	select {
	case f, ok := <-c.events:
		if ok {
			c.t.Fatalf("an event came: op %d", f.Op)
		}
	case <-time.After(time.Second):
	}
}

func (c *client) entry() wire.Entry {
	c.t.Helper()
	var e wire.Entry
	c.event(wire.OpEntry, &e)
	return e
}

func (c *client) live() wire.Live {
	c.t.Helper()
	var l wire.Live
	c.event(wire.OpLive, &l)
	return l
}

func (c *client) closed() wire.Closed {
	c.t.Helper()
	var x wire.Closed
	c.event(wire.OpClosed, &x)
	return x
}

// key is a seat that a test holds.
type key struct {
	id     wire.SeatID
	secret wire.Secret
}

func newKey() key { return key{wire.NewSeatID(1), wire.NewSecret()} }

func (k key) seat() wire.NewSeat { return wire.NewSeat{ID: k.id, Hash: k.secret.Hash()} }

// testRoom is a room with its seats, as a client knows it.
type testRoom struct {
	id    wire.RoomID
	epoch wire.Epoch
	token wire.Secret
	seats []key
}

// room makes a room with n seats.
func (c *client) room(n int) *testRoom {
	c.t.Helper()
	r := &testRoom{id: wire.NewRoomID(1), epoch: 1, token: wire.NewSecret()}
	req := wire.RoomCreate{Room: r.id, TokenHash: r.token.Hash(), Payload: []byte("founding")}
	for range n {
		k := newKey()
		r.seats = append(r.seats, k)
		req.Seats = append(req.Seats, k.seat())
	}
	var a wire.Appended
	c.must(wire.OpRoomCreate, req, &a)
	if a != (wire.Appended{Number: 1, Epoch: 1}) {
		c.t.Fatalf("create: got %v", a)
	}
	return r
}

func (r *testRoom) post(text string) wire.RoomPost {
	return wire.RoomPost{Room: r.id, Epoch: r.epoch, Token: r.token, Payload: []byte(text), TTL: 3600}
}

func (r *testRoom) open(i int, handle uint32) wire.SeatOpen {
	return wire.SeatOpen{Handle: handle, Room: r.id, Seat: r.seats[i].id, Secret: r.seats[i].secret, Token: r.token, Credit: 1000}
}

// commit leaves the room's epoch; moved makes the test's view follow it.
func (r *testRoom) commit(i int, text string) (req wire.RoomCommit, moved func()) {
	next := wire.NewSecret()
	req = wire.RoomCommit{Room: r.id, Epoch: r.epoch, Seat: r.seats[i].id, SeatSecret: r.seats[i].secret, Token: r.token, Payload: []byte(text), NewHash: next.Hash()}
	return req, func() { r.epoch++; r.token = next }
}

// send posts and returns the entry's number.
func (c *client) send(r *testRoom, text string) wire.Number {
	c.t.Helper()
	var a wire.Appended
	c.must(wire.OpRoomPost, r.post(text), &a)
	return a.Number
}

// openLive opens a seat that has nothing to catch up.
func (c *client) openLive(r *testRoom, i int, handle uint32) wire.SeatOpened {
	c.t.Helper()
	var o wire.SeatOpened
	c.must(wire.OpSeatOpen, r.open(i, handle), &o)
	c.live()
	return o
}

func (c *client) ack(handle uint32, n wire.Number) {
	c.t.Helper()
	c.must(wire.OpSeatAck, wire.SeatAck{Handle: handle, Through: n}, nil)
}
