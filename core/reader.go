package core

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"hearth/core/lane"
	"hearth/wire"
)

// A reader reads one seat, of a room or a door: backlog first, then live, and
// hands each entry to the client, which saves its effects before the entry is
// acknowledged.
type reader struct {
	c      *Client
	id     wire.RoomID
	server string
	// log is what is read: the room's or the door's side of it.
	log log

	// live says that the backlog of the present connection is done; guarded by
	// the client's lock.
	live bool
	// ended says that the seat is not read any more; refused, that it did not
	// open the last time.
	ended, refused bool
	// gapAt is the entry that was missing the last time; the second time it is
	// passed over.
	gapAt wire.Number
	// failed says that posts together had no effects: those before the one at
	// fault come through one by one.
	failed bool
	stop   context.CancelFunc
}

// log is what a reader needs of a room or a door.
type log interface {
	// seats returns the seats to try, newest first, where in the log it is, and
	// the epoch's token if there is one. No seats: there is nothing to read.
	seats(*step) (seats []seat, at position, token wire.Secret, err error)
	// opened is told which of the seats opened, and what the server says of
	// the log. It returns false to stop reading.
	opened(ctx context.Context, which int, o wire.SeatOpened) (bool, error)
	// entry deals with an entry and saves its effects.
	entry(ctx context.Context, e *wire.Entry) error
	// posts is entry for posts that follow one another: all of their effects are
	// saved, or none.
	posts(ctx context.Context, es []*wire.Entry) error
	// again is shown an entry that was read before; cursor is what the server has
	// acknowledged of the seat.
	again(ctx context.Context, e *wire.Entry, cursor wire.Number) error
	// hole passes over entries that expired.
	hole(ctx context.Context, h *wire.Hole) error
	// gap passes over entries that the server does not give out, again and
	// again, without saying that they expired.
	gap(ctx context.Context, from, to wire.Number) error
	// refused is told that no seat opens any more.
	refused(ctx context.Context, code wire.Code) error
}

// position is where in a log a reader is.
type position struct {
	// read is the last entry that was dealt with; the log is asked for from
	// behind after, which is not further.
	read, after wire.Number
}

const (
	// credit is how many entries the server may push ahead of us.
	credit = 64
	// ackEvery bounds how many entries wait for an acknowledgement.
	ackEvery = 32
	// postsAtOnce bounds how many posts are one step, and with that how long a
	// backlog keeps everything else waiting.
	postsAtOnce = 16
)

// errEnough ends a reader for good.
var errEnough = errors.New("nothing more to read here")

// run reads until there is nothing more to read.
func (r *reader) run(ctx context.Context) {
	backoff := lane.BackoffFirst
	for ctx.Err() == nil {
		began := time.Now()
		err := r.session(ctx)
		r.setLive(false)
		if errors.Is(err, errEnough) {
			break
		}
		if time.Since(began) > lane.BackoffMax {
			backoff = lane.BackoffFirst
		}
		again := errors.Is(err, errClosed) && time.Since(began) > lane.BackoffFirst || errors.Is(err, lane.ErrEnded)
		if !again {
			// The lane waits for a lost connection; this is for a disk that
			// fails, or a server that misbehaves.
			r.c.debug("a seat stopped", err)
			select {
			case <-time.After(backoff/2 + rand.N(backoff)):
			case <-ctx.Done():
			}
			backoff = min(2*backoff, lane.BackoffMax)
			if r.isRefused() {
				backoff = refusedWait
			}
		}
	}
	r.c.mu.Lock()
	r.ended = true
	r.c.mu.Unlock()
	r.c.notify()
}

// setLive publishes that the backlog is done, or no longer known to be.
func (r *reader) setLive(live bool) {
	r.c.mu.Lock()
	changed := r.live != live
	r.live = live
	r.refused = r.refused && !live
	r.failed = r.failed && !live
	r.c.mu.Unlock()
	if changed {
		r.c.notify()
		r.c.wakeRoom(r.id)
		r.c.wakeDevices(r.id)
	}
}

// refusedWait is how long a seat that does not open is left alone.
const refusedWait = time.Hour

func (r *reader) isRefused() bool {
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	return r.refused
}

// setRefused publishes that the seat does not open, for now or for good: nobody
// waits for it.
func (r *reader) setRefused() {
	r.c.mu.Lock()
	r.refused = true
	r.c.mu.Unlock()
	r.c.notify()
}

// session opens the seat on a living connection and reads it until it closes.
func (r *reader) session(ctx context.Context) error {
	s, err := r.c.net.To(r.server, lane.Seats).Up(ctx)
	if err != nil {
		return err
	}
	handle, queue := s.Subscribe(credit)
	defer s.Unsubscribe(handle)
	read, acked, err := r.open(ctx, s, handle)
	if err != nil {
		return err
	}
	defer func() {
		if ctx.Err() != nil {
			s.Tell(context.WithoutCancel(ctx), wire.OpSeatClose, wire.SeatClose{Handle: handle})
		}
	}()
	spent := uint32(0)
	// What was read and not acknowledged comes again first. It is acknowledged
	// once that has shown that the log is the same.
	same := acked >= read
	var held *lane.Event // came behind posts, and is dealt with next
	for {
		var p lane.Event
		if held != nil {
			p, held = *held, nil
		} else {
			select {
			case p = <-queue:
			default:
				// Nothing waits: a good moment to say what is saved.
				if same {
					if err := r.ack(ctx, s, handle, &acked, read); err != nil {
						return err
					}
				}
				select {
				case p = <-queue:
				case <-s.Done():
					return lane.ErrEnded
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		}
		switch {
		case p.Entry != nil:
			if p.Entry.Kind == wire.KindEphemeral {
				spent++
				if err := r.log.entry(ctx, p.Entry); err != nil {
					return err
				}
				break
			}
			spent++
			same = same || p.Entry.Number >= read
			if p.Entry.Number <= read {
				// A repetition: it had its effects.
				if err := r.log.again(ctx, p.Entry, acked); err != nil {
					return err
				}
				break
			}
			if p.Entry.Number != read+1 {
				if err := r.missing(ctx, read, p.Entry.Number-1); err != nil {
					return err
				}
			}
			var more []*wire.Entry
			if p.Entry.Kind == wire.KindPost && !r.failed {
				more, held = following(p.Entry, queue)
			}
			if len(more) == 0 {
				if err := r.log.entry(ctx, p.Entry); err != nil {
					return err
				}
				read = p.Entry.Number
				break
			}
			if err := r.log.posts(ctx, append([]*wire.Entry{p.Entry}, more...)); err != nil {
				r.failed = true
				return err
			}
			spent += uint32(len(more))
			read = more[len(more)-1].Number
		case p.Hole != nil:
			same = same || p.Hole.To >= read
			if p.Hole.To < p.Hole.From || p.Hole.From > read+1 {
				return errMisled
			}
			if p.Hole.To <= read {
				break
			}
			if err := r.log.hole(ctx, p.Hole); err != nil {
				return err
			}
			read = p.Hole.To
		case p.Live != nil:
			if p.Live.Head > read {
				if err := r.missing(ctx, read, p.Live.Head); err != nil {
					return err
				}
				read = p.Live.Head
			}
			same = true
			if err := r.ack(ctx, s, handle, &acked, read); err != nil {
				return err
			}
			r.setLive(true)
		case p.Closed != nil:
			// Renamed, opened elsewhere, or gone: opening again tells.
			return errClosed
		}
		if same && read >= acked+ackEvery {
			if err := r.ack(ctx, s, handle, &acked, read); err != nil {
				return err
			}
		}
		if spent >= credit/2 {
			if err := s.Tell(ctx, wire.OpSeatCredit, wire.SeatCredit{Handle: handle, More: spent}); err != nil {
				return err
			}
			spent = 0
		}
	}
}

// following takes the posts that wait directly behind e, and the first event that
// is none of them.
func following(e *wire.Entry, queue <-chan lane.Event) (more []*wire.Entry, next *lane.Event) {
	for len(more)+1 < postsAtOnce {
		select {
		case p := <-queue:
			if p.Entry == nil || p.Entry.Kind != wire.KindPost || p.Entry.Number != e.Number+1 {
				return more, &p
			}
			more, e = append(more, p.Entry), p.Entry
		default:
			return more, nil
		}
	}
	return more, nil
}

// errMisled ends a session whose server contradicts itself.
var errMisled = errors.New("the server contradicts itself")

// missing deals with entries that should have come: the first time the seat is
// opened again, the second time they are passed over, and the owner is told.
func (r *reader) missing(ctx context.Context, read, to wire.Number) error {
	if r.gapAt != read+1 {
		r.gapAt = read + 1
		return errMisled
	}
	return r.log.gap(ctx, read+1, to)
}

// open opens the seat, the newest first.
func (r *reader) open(ctx context.Context, s *lane.Session, handle uint32) (read, cursor wire.Number, err error) {
	var seats []seat
	var at position
	var token wire.Secret
	err = r.c.look(ctx, func(st *step) (err error) {
		seats, at, token, err = r.log.seats(st)
		return err
	})
	if err != nil {
		return 0, 0, err
	}
	if len(seats) == 0 {
		return 0, 0, errEnough
	}
	code := wire.Denied
	for i, seat := range seats {
		var o wire.SeatOpened
		err := s.Call(ctx, wire.OpSeatOpen, wire.SeatOpen{
			Handle: handle, Room: r.id, Seat: seat.ID, Secret: seat.Secret,
			Token: token, After: at.after, Credit: credit,
		}, &o)
		var we *wire.Error
		switch {
		case err == nil:
			more, err := r.log.opened(ctx, i, o)
			if err != nil {
				return 0, 0, err
			}
			if !more {
				return 0, 0, errEnough
			}
			if o.Lapsed {
				r.setRefused() // it is never live again
			}
			return max(at.read, o.Cursor), o.Cursor, nil
		case !errors.As(err, &we):
			return 0, 0, err
		}
		code = we.Code
		if code != wire.Denied && code != wire.Lapsed && code != wire.Gone {
			return 0, 0, err
		}
	}
	if err := r.log.refused(ctx, code); err != nil {
		return 0, 0, err
	}
	r.setRefused()
	return 0, 0, fmt.Errorf("the seat does not open: %s", code)
}

// errClosed ends a session whose seat the server has closed.
var errClosed = errors.New("the seat was closed")

// ack says that everything through read is saved.
func (r *reader) ack(ctx context.Context, s *lane.Session, handle uint32, acked *wire.Number, read wire.Number) error {
	if read <= *acked {
		return nil
	}
	// With the token of the epoch that this brought us to: a seat that does not
	// show it within 31 days of a removal is dropped (protocol §2), however long
	// it has been open.
	var token wire.Secret
	err := r.c.look(ctx, func(st *step) (err error) {
		_, _, token, err = r.log.seats(st)
		return err
	})
	if err != nil {
		return err
	}
	if err := s.Tell(ctx, wire.OpSeatAck, wire.SeatAck{Handle: handle, Through: read, Token: token}); err != nil {
		return err
	}
	*acked = read
	return nil
}
