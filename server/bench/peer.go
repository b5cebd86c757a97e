package bench

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/coder/websocket"

	"hearth/wire"
)

// peer is one connection. Answers go to whoever asked, events to on.
type peer struct {
	ws *websocket.Conn
	on func(f wire.Frame) // called by the reader

	write sync.Mutex
	next  uint64
	mu    sync.Mutex
	wait  map[uint64]func(wire.Frame)
	err   error
	done  chan struct{}
}

// dial opens a connection and says hello. on receives events.
func (b *run) dial(ctx context.Context, on func(wire.Frame)) (*peer, error) {
	ws, _, err := websocket.Dial(ctx, strings.Replace(b.p.URL, "http", "ws", 1)+"/v1/stream", nil)
	if err != nil {
		return nil, wire.Errorf(wire.Unreachable, "the server does not answer: %w", err)
	}
	ws.SetReadLimit(wire.MaxFrame)
	p := &peer{ws: ws, on: on, wait: map[uint64]func(wire.Frame){}, done: make(chan struct{})}
	b.mu.Lock()
	b.peers = append(b.peers, p)
	b.mu.Unlock()
	go p.read()
	return p, p.call(ctx, wire.OpHello, wire.Hello{Version: wire.Version}, &wire.Welcome{})
}

func (p *peer) read() {
	defer close(p.done)
	var buf []byte
	for {
		_, r, err := p.ws.Reader(context.Background())
		if err == nil {
			buf, err = readAll(r, buf[:0])
		}
		var f wire.Frame
		if err == nil {
			err = wire.Decode(buf, &f)
		}
		if err != nil {
			p.fail(err)
			return
		}
		if f.ID == 0 {
			if p.on != nil {
				p.on(f)
			}
			continue
		}
		p.mu.Lock()
		got := p.wait[f.ID]
		delete(p.wait, f.ID)
		p.mu.Unlock()
		if got != nil {
			got(f)
		}
	}
}

func readAll(r io.Reader, b []byte) ([]byte, error) {
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return b, err
		}
	}
}

// fail ends every request that waits.
func (p *peer) fail(err error) {
	p.mu.Lock()
	p.err = err
	all := p.wait
	p.wait = nil
	p.mu.Unlock()
	for _, got := range all {
		got(wire.Frame{})
	}
}

// send sends a request; got is called with its answer, or with a zero frame if
// the connection ends first.
func (p *peer) send(ctx context.Context, op wire.Op, body any, got func(wire.Frame)) error {
	p.write.Lock()
	defer p.write.Unlock()
	p.next++
	p.mu.Lock()
	if p.wait == nil {
		p.mu.Unlock()
		return p.err
	}
	if got != nil {
		p.wait[p.next] = got
	}
	p.mu.Unlock()
	return p.ws.Write(ctx, websocket.MessageBinary, wire.NewFrame(op, p.next, body))
}

// call sends a request and waits for its answer.
func (p *peer) call(ctx context.Context, op wire.Op, body, answer any) error {
	ch := make(chan wire.Frame, 1)
	if err := p.send(ctx, op, body, func(f wire.Frame) { ch <- f }); err != nil {
		return err
	}
	select {
	case f := <-ch:
		return failure(f, answer)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// failure reads an answer.
func failure(f wire.Frame, answer any) error {
	switch {
	case f.Op == 0:
		return errors.New("the connection ended")
	case f.Op == wire.OpError:
		e := new(wire.Error)
		if err := wire.Decode(f.Body, e); err != nil {
			return err
		}
		return e
	case answer == nil:
		return nil
	}
	return wire.Decode(f.Body, answer)
}

// run is one run of a bench.
type run struct {
	Options
	p          *Process
	cpu0, own0 float64

	mu    sync.Mutex
	peers []*peer
}

func (b *run) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.peers {
		p.ws.CloseNow()
	}
	for _, p := range b.peers {
		<-p.done
	}
}

// place is one seat of a bench's room.
type place struct {
	room   wire.RoomID
	seat   wire.SeatID
	secret wire.Secret
	token  wire.Secret
}

// makeRoom makes a room of n seats.
func makeRoom(ctx context.Context, p *peer, n int) ([]place, error) {
	req := wire.RoomCreate{Room: wire.NewRoomID(1), Payload: []byte("bench")}
	token := wire.NewSecret()
	req.TokenHash = token.Hash()
	var out []place
	for range n {
		pl := place{room: req.Room, seat: wire.NewSeatID(1), secret: wire.NewSecret(), token: token}
		out = append(out, pl)
		req.Seats = append(req.Seats, wire.NewSeat{ID: pl.seat, Hash: pl.secret.Hash()})
	}
	return out, p.call(ctx, wire.OpRoomCreate, req, &wire.Appended{})
}

// window is how much credit a bench's seats give.
const window = 1024

func (pl place) open(ctx context.Context, p *peer, handle uint32) error {
	return p.call(ctx, wire.OpSeatOpen, wire.SeatOpen{Handle: handle, Room: pl.room, Seat: pl.seat, Secret: pl.secret, Token: pl.token, Credit: window}, &wire.SeatOpened{})
}

// ackEvery is how many entries a bench's receiver gathers before it
// acknowledges and gives credit.
const ackEvery = 64

// reader takes a seat's entries, acknowledging as it goes.
type reader struct {
	p      *peer
	handle uint32
	each   func(e *wire.Entry)
	n      int
	last   wire.Number
	acks   *atomic.Int64
}

// on takes one event; it is the peer's reader that calls it.
func (r *reader) on(f wire.Frame) {
	if f.Op != wire.OpEntry {
		return
	}
	var e wire.Entry
	if wire.Decode(f.Body, &e) != nil {
		return
	}
	r.each(&e)
	r.last = e.Number
	if r.n++; r.n%ackEvery == 0 {
		r.ack()
		r.p.send(context.Background(), wire.OpSeatCredit, wire.SeatCredit{Handle: r.handle, More: ackEvery}, nil)
	}
}

func (r *reader) ack() {
	r.p.send(context.Background(), wire.OpSeatAck, wire.SeatAck{Handle: r.handle, Through: r.last}, nil)
	if r.acks != nil {
		r.acks.Add(1)
	}
}
