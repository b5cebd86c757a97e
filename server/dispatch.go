package server

import (
	"context"

	"hearth/store"
	"hearth/wire"
)

// dispatch begins what a request asks. Every path ends in exactly one answer;
// those of changes come later, when the change is on disk.
func (c *conn) dispatch(ctx context.Context, f wire.Frame) {
	switch f.Op {
	case wire.OpPing:
		request(c, f, func(*wire.Nothing) { c.answer(f.Op, f.ID, wire.Nothing{}) })
	case wire.OpHello:
		c.fail(f.ID, errInput("a second hello on one connection"))

	case wire.OpRoomCreate:
		request(c, f, func(q *wire.RoomCreate) {
			if c.here(f, q.Room.Region()) {
				c.rooms().Create(ctx, q, c.appended(f))
			}
		})
	case wire.OpRoomPost:
		request(c, f, func(q *wire.RoomPost) { c.rooms().Post(ctx, q, c.appended(f)) })
	case wire.OpRoomCommit:
		request(c, f, func(q *wire.RoomCommit) { c.rooms().Commit(ctx, q, c.appended(f)) })
	case wire.OpRoomNotice:
		request(c, f, func(q *wire.RoomNotice) { c.rooms().Notice(ctx, q, c.appended(f)) })
	case wire.OpRoomEphemeral:
		request(c, f, func(q *wire.RoomEphemeral) { c.ephemeral(ctx, f, q) })

	case wire.OpSeatOpen:
		request(c, f, func(q *wire.SeatOpen) { c.openSeat(ctx, f, q) })
	case wire.OpSeatCredit:
		request(c, f, func(q *wire.SeatCredit) { c.creditSeat(f, q) })
	case wire.OpSeatAck:
		request(c, f, func(q *wire.SeatAck) { c.ackSeat(f, q) })
	case wire.OpSeatRename:
		request(c, f, func(q *wire.SeatRename) { c.rooms().Rename(ctx, q, c.nothing(f)) })
	case wire.OpSeatClose:
		request(c, f, func(q *wire.SeatClose) { c.shutSeat(f, q) })

	case wire.OpDoorCreate:
		request(c, f, func(q *wire.DoorCreate) {
			if c.here(f, q.Door.Region()) {
				c.rooms().CreateDoor(ctx, q, func(err error) { c.reply(f.Op, f.ID, wire.Nothing{}, err) })
			}
		})
	case wire.OpDoorSet:
		request(c, f, func(q *wire.DoorSet) {
			c.rooms().SetDoor(ctx, q, func(st wire.DoorState, err error) { c.reply(f.Op, f.ID, st, err) })
		})
	case wire.OpDoorPost:
		request(c, f, func(q *wire.DoorPost) { c.rooms().PostDoor(ctx, q, c.appended(f)) })
	case wire.OpDoorClaim:
		request(c, f, func(q *wire.DoorClaim) {
			c.rooms().Claim(ctx, q, func(a wire.DoorClaimed, err error) { c.reply(f.Op, f.ID, a, err) })
		})

	case wire.OpAccountCreate:
		request(c, f, func(q *wire.AccountCreate) { c.reply(f.Op, f.ID, wire.Nothing{}, c.s.createAccount(ctx, q)) })
	case wire.OpAccountAppend:
		request(c, f, func(q *wire.AccountAppend) { c.reply(f.Op, f.ID, wire.Nothing{}, c.s.appendAccount(ctx, q)) })
	case wire.OpAccountGet:
		request(c, f, func(q *wire.AccountGet) {
			if !c.lookups.take(c.s.cfg.Limits.Lookups, c.s.cfg.Now()) {
				c.fail(f.ID, wire.ErrFull)
				return
			}
			rec, err := c.s.getAccount(ctx, q)
			c.reply(f.Op, f.ID, rec, err)
		})
	case wire.OpAccountKnock:
		request(c, f, func(q *wire.AccountKnock) { c.reply(f.Op, f.ID, wire.Nothing{}, c.s.setKnock(ctx, c.challenge[:], q)) })

	default:
		c.fail(f.ID, wire.Errorf(wire.Unsupported, "this server does not know that request").WithNext("update the server"))
	}
}

// request reads a frame's body and hands it on, or answers bad_input.
func request[T any](c *conn, f wire.Frame, do func(*T)) {
	q := new(T)
	if err := wire.Decode(f.Body, q); err != nil {
		c.fail(f.ID, err)
		return
	}
	do(q)
}

func (c *conn) rooms() *store.Rooms { return c.s.rooms.Load() }

// here checks that a thing to be made belongs to this server's region and is
// within the server's budget.
func (c *conn) here(f wire.Frame, r wire.Region) bool {
	if r != c.s.cfg.Region {
		c.fail(f.ID, errInput("the id names another region than this server's"))
		return false
	}
	if !c.s.made.take(c.s.cfg.Limits.Rooms, c.s.cfg.Now()) {
		c.fail(f.ID, wire.ErrFull)
		return false
	}
	return true
}

// appended answers an append once it is on disk.
func (c *conn) appended(f wire.Frame) store.Done {
	return func(a wire.Appended, err error) { c.reply(f.Op, f.ID, a, err) }
}

func (c *conn) nothing(f wire.Frame) store.Done {
	return func(_ wire.Appended, err error) { c.reply(f.Op, f.ID, wire.Nothing{}, err) }
}

func (c *conn) ephemeral(ctx context.Context, f wire.Frame, q *wire.RoomEphemeral) {
	seats, epoch, err := c.rooms().Ephemeral(ctx, q)
	if err == nil {
		tail := wire.EntryTail(wire.Entry{Kind: wire.KindEphemeral, Epoch: epoch, Payload: q.Payload})
		for _, o := range seats {
			o.Tag.(*seat).pushFleet(tail)
		}
	}
	c.reply(f.Op, f.ID, wire.Nothing{}, err)
}

func (c *conn) openSeat(ctx context.Context, f wire.Frame, q *wire.SeatOpen) {
	c.mu.Lock()
	_, used := c.seats[q.Handle]
	full := len(c.seats) >= c.s.cfg.Limits.SeatsPerConn
	c.mu.Unlock()
	switch {
	case used:
		c.fail(f.ID, errInput("the handle is in use"))
		return
	case full:
		c.fail(f.ID, wire.ErrFull)
		return
	}
	s := &seat{c: c, handle: q.Handle, credit: uint64(q.Credit)}
	open, a, err := c.rooms().OpenSeat(ctx, q, s, s.wake)
	if err != nil {
		c.fail(f.ID, err)
		return
	}
	c.mu.Lock()
	s.open, s.sent = open, max(q.After, a.Cursor)
	if c.seats == nil {
		c.seats = map[uint32]*seat{}
	}
	c.seats[q.Handle] = s
	c.mu.Unlock()
	c.answer(f.Op, f.ID, a)
	s.wake()
}

func (c *conn) seat(handle uint32) *seat {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seats[handle]
}

func (c *conn) creditSeat(f wire.Frame, q *wire.SeatCredit) {
	s := c.seat(q.Handle)
	if s == nil {
		c.fail(f.ID, wire.ErrDenied)
		return
	}
	c.mu.Lock()
	s.credit = min(s.credit+uint64(q.More), 1<<32)
	c.mu.Unlock()
	c.answer(f.Op, f.ID, wire.Nothing{})
	s.wake()
}

func (c *conn) ackSeat(f wire.Frame, q *wire.SeatAck) {
	s := c.seat(q.Handle)
	err := error(wire.ErrDenied)
	if s != nil {
		err = s.open.Ack(q.Through, q.Token)
	}
	c.reply(f.Op, f.ID, wire.Nothing{}, err)
}

func (c *conn) shutSeat(f wire.Frame, q *wire.SeatClose) {
	if s := c.seat(q.Handle); s != nil {
		c.dropSeat(s)
	}
	c.answer(f.Op, f.ID, wire.Nothing{})
}
