package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"hearth/wire"
)

// Done reports an append: the entry is on disk, or why it is not there. It is
// called once, on any goroutine, and must not block.
type Done func(wire.Appended, error)

// errInput is a request that no honest client sends.
func errInput(what string) error { return wire.Errorf(wire.BadInput, "%s", what) }

// Create makes a room (protocol §1).
func (r *Rooms) Create(ctx context.Context, req *wire.RoomCreate, done Done) {
	switch {
	case len(req.Payload) == 0 || len(req.Payload) > wire.MaxCommit:
		done(wire.Appended{}, errInput("a founding commit is empty or too large"))
		return
	case len(req.Seats) == 0 || len(req.Seats) > wire.MaxSeats || !distinct(req.Seats, req.Room.Region()):
		done(wire.Appended{}, errInput("the seats of a new room do not fit it"))
		return
	}
	made := sha256.Sum256(wire.Encode(req))
	r.create(ctx, req.Room, &createChange{Made: made, Token: req.TokenHash, Seats: req.Seats, Day: r.today()}, done)
}

func (r *Rooms) create(ctx context.Context, id wire.RoomID, c *createChange, done Done) {
	first := wire.Appended{Number: 1, Epoch: 1}
	if c.Door {
		first = wire.Appended{}
	}
	rm, err := r.enter(ctx, id, true)
	if err != nil {
		done(wire.Appended{}, err)
		return
	}
	defer r.put(rm)
	rm.mu.Lock()
	defer rm.mu.Unlock()
	switch {
	case !rm.absent && rm.gone == 0 && rm.made == c.Made && rm.door == c.Door:
		r.wait(first, done) // repeated
	case !rm.absent:
		done(wire.Appended{}, wire.ErrDenied)
	default:
		if err := r.mayGrow(); err != nil {
			done(wire.Appended{}, err)
			return
		}
		if r.change(rm, &record{Op: opCreate}, c, first, done) == nil {
			rm.absent = false
		}
	}
}

// distinct reports whether new seats have ids of their own in the region.
func distinct(seats []wire.NewSeat, region wire.Region) bool {
	seen := make(map[wire.SeatID]bool, len(seats))
	for _, s := range seats {
		if seen[s.ID] || s.ID.Region() != region {
			return false
		}
		seen[s.ID] = true
	}
	return true
}

// change makes rec, with c as its Change, in memory and queues it; rm.mu is
// held. done is called when it is on disk, or at once with the error returned.
func (r *Rooms) change(rm *room, rec *record, c any, a wire.Appended, done Done) error {
	err := r.failure()
	if err == nil {
		rec.Room, rec.Rev = rm.id, rm.rev+1
		if c != nil {
			rec.Change = wire.Encode(c)
		}
		err = rm.apply(rec)
	}
	if err == nil {
		r.markDirty(rm)
		if rec.Expires > 0 {
			r.expects(rec.Expires)
		}
		if !r.queue.put(item{room: rm, number: rm.head, record: appendRecord(nil, rec), done: func(err error) { done(a, err) }}) {
			err = r.failure()
		}
	}
	if err != nil {
		done(wire.Appended{}, err)
	}
	return err
}

// wait reports a once everything queued so far is on disk.
func (r *Rooms) wait(a wire.Appended, done Done) {
	if !r.queue.put(item{done: func(err error) { done(a, err) }}) {
		done(wire.Appended{}, r.failure())
	}
}

// mayGrow refuses new bytes while the disk is nearly full.
func (r *Rooms) mayGrow() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tight {
		return wire.Errorf(wire.DiskFull, "the server's disk is nearly full").WithNext("try again later; tell the operator")
	}
	return nil
}

// use pins a room that is there, or says that it is gone or denied.
func (r *Rooms) use(ctx context.Context, id wire.RoomID, door bool) (*room, error) {
	rm, err := r.enter(ctx, id, false)
	if err != nil {
		return nil, err
	}
	rm.mu.Lock()
	if rm.gone > 0 {
		err = wire.ErrGone
	} else if rm.door != door {
		err = wire.ErrDenied
	}
	rm.mu.Unlock()
	if err != nil {
		r.put(rm)
		return nil, err
	}
	return rm, nil
}

// within runs f on a room that is there, pinned and locked: how every change of
// one begins. What f returns, or why the room is not there, is reported; nil
// says that f has seen to that.
func within[T any](ctx context.Context, r *Rooms, id wire.RoomID, door bool, done func(T, error), f func(*room) error) {
	err := func() error {
		rm, err := r.use(ctx, id, door)
		if err != nil {
			return err
		}
		defer r.put(rm)
		rm.mu.Lock()
		defer rm.mu.Unlock()
		return f(rm)
	}()
	if err != nil {
		var nothing T
		done(nothing, err)
	}
}

// Post appends one entry (protocol §1).
func (r *Rooms) Post(ctx context.Context, req *wire.RoomPost, done Done) {
	if err := checkPost(req.Payload, wire.MaxPost, req.TTL, r.cfg.Keep); err != nil {
		done(wire.Appended{}, err)
		return
	}
	id := wire.EntryIDOf(req.Payload)
	within(ctx, r, req.Room, false, done, func(rm *room) error {
		if a, err := r.known(ctx, rm, id); err != nil || a.Number > 0 {
			return r.repeat(a, err, done)
		}
		if err := r.judgePost(rm, req); err != nil {
			return err
		}
		e := wire.Entry{Number: rm.head + 1, Kind: wire.KindPost, Epoch: rm.epoch, Payload: req.Payload}
		if rm.traced {
			e.Seat = req.Seat
		}
		r.append(rm, e, r.expiry(time.Duration(req.TTL)*time.Second), nil, done)
		return nil
	})
}

func checkPost(payload []byte, limit int, ttl uint32, keep time.Duration) error {
	switch {
	case len(payload) == 0 || len(payload) > limit:
		return errInput("a payload is empty or too large")
	case ttl == 0 || time.Duration(ttl)*time.Second > keep:
		return errInput("a ttl is 0 or longer than the server keeps anything")
	}
	return nil
}

func (r *Rooms) judgePost(rm *room, req *wire.RoomPost) error {
	switch {
	case rm.closing > 0 && r.today() >= rm.closing:
		return wire.ErrClosing
	case req.Epoch != rm.epoch:
		return wire.ErrStale
	case !req.Token.Opens(rm.token):
		return wire.ErrStuck
	case rm.traced && (req.Seat == nil || rm.opens(*req.Seat, req.SeatSecret) == nil):
		return wire.ErrDenied
	}
	return r.fits(rm, len(req.Payload))
}

// fits refuses what is over the room's budget, or the disk's.
func (r *Rooms) fits(rm *room, n int) error {
	if rm.bytes()+cost(n) > r.cfg.RoomBytes {
		return wire.ErrFull
	}
	return r.mayGrow()
}

func (r *Rooms) append(rm *room, e wire.Entry, expires int64, class *wire.ClassID, done Done) {
	r.change(rm, &record{Op: opAppend, Expires: expires, Class: class, Entry: wire.EntryTail(e)}, nil, wire.Appended{Number: e.Number, Epoch: rm.epoch}, done)
}

// expiry is when an entry posted now with this ttl ends, in Unix seconds. Long
// ones end on a full minute or hour before.
func (r *Rooms) expiry(ttl time.Duration) int64 {
	return r.cfg.Now().Add(ttl).Truncate(wire.Grain(ttl)).Unix()
}

// repeat answers a request whose entry is known as the first time.
func (r *Rooms) repeat(a wire.Appended, err error, done Done) error {
	if err == nil {
		r.wait(a, done)
	}
	return err
}

// short is what the set of stored ids keeps of each.
func short(id wire.EntryID) uint64 { return binary.BigEndian.Uint64(id[:]) }

// known finds a stored entry by its id; Number is 0 if there is none. rm.mu is
// held.
func (r *Rooms) known(ctx context.Context, rm *room, id wire.EntryID) (wire.Appended, error) {
	if e := rm.find(id); e != nil {
		return rm.answer(e.number, e.kind, e.epoch), nil
	}
	if rm.stored == 0 {
		return wire.Appended{}, nil
	}
	if rm.ids == nil {
		if err := r.loadIDs(ctx, rm); err != nil {
			return wire.Appended{}, err
		}
	}
	if !rm.ids[short(id)] {
		return wire.Appended{}, nil
	}
	var n wire.Number
	var body []byte
	err := r.queryRow(ctx, `SELECT number, body FROM entries WHERE room = $1 AND number > $2 AND entry = $3`, rm.id[:], rm.floor, id[:]).Scan(&n, &body)
	if errors.Is(err, sql.ErrNoRows) {
		return wire.Appended{}, nil
	}
	if err != nil {
		return wire.Appended{}, fmt.Errorf("look an entry up: %w", err)
	}
	e, err := wire.EntryOfTail(body)
	if err != nil {
		return wire.Appended{}, fmt.Errorf("read an entry: %w", err)
	}
	return rm.answer(n, e.Kind, e.Epoch), nil
}

// answer is what the append of an entry was answered with.
func (rm *room) answer(n wire.Number, k wire.Kind, epoch wire.Epoch) wire.Appended {
	switch k {
	case wire.KindCommit:
		return wire.Appended{Number: n, Epoch: epoch + 1}
	case wire.KindPost:
		return wire.Appended{Number: n, Epoch: epoch}
	}
	return wire.Appended{Number: n, Epoch: rm.epoch}
}

func (r *Rooms) loadIDs(ctx context.Context, rm *room) error {
	rows, err := r.query(ctx, `SELECT entry FROM entries WHERE room = $1`, rm.id[:])
	if err != nil {
		return fmt.Errorf("load the ids of a room's entries: %w", err)
	}
	defer rows.Close()
	ids := make(map[uint64]bool, rm.stored)
	for rows.Next() {
		var id []byte
		if err := rows.Scan(&id); err != nil {
			return fmt.Errorf("load the ids of a room's entries: %w", err)
		}
		ids[short(wire.EntryID(id))] = true
	}
	for _, e := range rm.tail {
		if e.stored { // by a checkpoint that may not have ended
			ids[short(e.id)] = true
		}
	}
	rm.ids = ids
	return rows.Err()
}

// Commit moves the epoch, appends the commit and changes the seats, all or
// nothing (protocol §1).
func (r *Rooms) Commit(ctx context.Context, req *wire.RoomCommit, done Done) {
	if len(req.Payload) == 0 || len(req.Payload) > wire.MaxCommit || len(req.Add) > wire.MaxSeats || len(req.Remove) > wire.MaxSeats || !distinct(req.Add, req.Room.Region()) {
		done(wire.Appended{}, errInput("a commit is empty or too large, or its seats do not fit the room"))
		return
	}
	id := wire.EntryIDOf(req.Payload)
	within(ctx, r, req.Room, false, done, func(rm *room) error {
		s := rm.opens(req.Seat, req.SeatSecret)
		if s == nil {
			return wire.ErrDenied
		}
		if a, err := r.known(ctx, rm, id); err != nil || a.Number > 0 {
			return r.repeat(a, err, done)
		}
		right := req.Token.Opens(rm.token)
		if err := r.judgeCommit(rm, s, right, req); err != nil {
			return err
		}
		e := wire.Entry{Number: rm.head + 1, Kind: wire.KindCommit, Epoch: rm.epoch, Payload: req.Payload, Remove: req.Remove, Seat: &req.Seat}
		for _, n := range req.Add {
			e.Add = append(e.Add, n.ID)
		}
		c := &commitChange{Token: req.NewHash, Add: req.Add, Remove: req.Remove, Traced: req.Traced, Day: r.today()}
		if right {
			c.Shown = &req.Seat
		}
		r.change(rm, &record{Op: opCommit, Expires: r.expiry(wire.MaxTTL), Entry: wire.EntryTail(e)}, c, wire.Appended{Number: e.Number, Epoch: rm.epoch + 1}, done)
		return nil
	})
}

func (r *Rooms) judgeCommit(rm *room, s *seat, right bool, req *wire.RoomCommit) error {
	switch {
	case rm.closing > 0 && r.today() >= rm.closing:
		return wire.ErrClosing
	case req.Epoch != rm.epoch:
		return wire.ErrStale
	case !right && !rm.shown(s):
		// A wrong token passes only from a seat that has shown a right one
		// since the last removal: a removed member whose seat nobody knew to
		// remove cannot move the room.
		return wire.ErrStuck
	}
	left := 0
	for i := range rm.seats {
		if !slices.Contains(req.Remove, rm.seats[i].id) {
			left++
		}
	}
	for _, n := range req.Add {
		if old := rm.seat(n.ID); old != nil {
			return errInput("a seat to add is already in the room")
		}
	}
	if left+len(req.Add) > wire.MaxSeats {
		return wire.ErrFull
	}
	if err := r.fits(rm, len(req.Payload)); err != nil {
		return err
	}
	if !r.budgets.take(budgetCommit, req.Seat[:], wire.CommitsPerHour, time.Hour, r.cfg.Now()) {
		return wire.ErrFull
	}
	return nil
}

// Notice appends a notice, outside epochs (protocol §5).
func (r *Rooms) Notice(ctx context.Context, req *wire.RoomNotice, done Done) {
	if len(req.Payload) == 0 || len(req.Payload) > wire.MaxNotice {
		done(wire.Appended{}, errInput("a notice is empty or too large"))
		return
	}
	id := wire.EntryIDOf(req.Payload)
	within(ctx, r, req.Room, false, done, func(rm *room) error {
		if rm.opens(req.Seat, req.SeatSecret) == nil {
			return wire.ErrDenied
		}
		if a, err := r.known(ctx, rm, id); err != nil || a.Number > 0 {
			return r.repeat(a, err, done)
		}
		if err := r.fits(rm, len(req.Payload)); err != nil {
			return err
		}
		if !r.budgets.take(budgetNotice, req.Seat[:], wire.NoticesPerDay, dayLength, r.cfg.Now()) {
			return wire.ErrFull
		}
		e := wire.Entry{Number: rm.head + 1, Kind: wire.KindNotice, Payload: req.Payload, Seat: &req.Seat}
		r.append(rm, e, r.expiry(wire.MaxTTL), nil, done)
		return nil
	})
}

// Ephemeral reports which open seats an ephemeral post goes to. Nothing of it
// is stored.
func (r *Rooms) Ephemeral(ctx context.Context, req *wire.RoomEphemeral) ([]*OpenSeat, wire.Epoch, error) {
	if len(req.Payload) == 0 || len(req.Payload) > wire.MaxPost {
		return nil, 0, errInput("a payload is empty or too large")
	}
	rm, err := r.use(ctx, req.Room, false)
	if err != nil {
		return nil, 0, err
	}
	defer r.put(rm)
	rm.mu.Lock()
	defer rm.mu.Unlock()
	switch {
	case rm.closing > 0 && r.today() >= rm.closing:
		return nil, 0, wire.ErrClosing
	case req.Epoch != rm.epoch:
		return nil, 0, wire.ErrStale
	case !req.Token.Opens(rm.token):
		return nil, 0, wire.ErrStuck
	}
	return slices.Clone(rm.watchers), rm.epoch, nil
}

// MayUpload reports whether the token opens the room now, or is the secret of
// the door's own seat: a blob upload shows it, and it is not kept with the blob
// (protocol §10).
func (r *Rooms) MayUpload(ctx context.Context, room wire.RoomID, token wire.Secret) error {
	rm, err := r.enter(ctx, room, false)
	if err != nil {
		return err
	}
	defer r.put(rm)
	rm.mu.Lock()
	defer rm.mu.Unlock()
	switch {
	case rm.gone > 0:
		return wire.ErrGone
	case rm.door && !slices.ContainsFunc(rm.seats, func(s seat) bool { return token.Opens(s.hash) }),
		!rm.door && !token.Opens(rm.token):
		return wire.ErrDenied
	}
	return r.mayGrow()
}
