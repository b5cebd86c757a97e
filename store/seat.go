package store

import (
	"context"
	"fmt"
	"slices"

	"hearth/wire"
)

// OpenSeat is a seat that someone reads. At most one is open for each seat: a
// second ends the first. It keeps its room in memory until Close.
type OpenSeat struct {
	rooms *Rooms
	rm    *room
	wake  func() // there may be something to read; must not block or call back

	// under rm.mu
	seat  wire.SeatID
	code  wire.Code   // why it has ended; "" while it goes on
	endAt wire.Number // what is still read before the end
	// rest is, for a seat that was removed, what it may still read: it holds
	// nothing back any more, and the others may acknowledge before it has read.
	rest     []*entry
	restFrom wire.Number
	done     bool

	// Tag is the owner's, to tell which of its seats this is.
	Tag any
}

// end lets the seat read through number n, then no more; rm.mu is held.
func (o *OpenSeat) end(n wire.Number, code wire.Code) {
	if o.code == "" {
		o.code, o.endAt = code, n
		o.wake()
	}
}

// OpenSeat begins to read a seat. wake is called, under locks, whenever there
// may be something new; tag comes back in Tag.
func (r *Rooms) OpenSeat(ctx context.Context, req *wire.SeatOpen, tag any, wake func()) (*OpenSeat, wire.SeatOpened, error) {
	rm, err := r.enter(ctx, req.Room, false)
	if err != nil {
		return nil, wire.SeatOpened{}, err
	}
	rm.mu.Lock()
	s := rm.opens(req.Seat, req.Secret)
	switch {
	case rm.gone > 0:
		err = wire.ErrGone
	case s == nil:
		err = wire.ErrDenied
	default:
		err = r.failure()
	}
	if err != nil {
		rm.mu.Unlock()
		r.put(rm)
		return nil, wire.SeatOpened{}, err
	}
	for _, w := range rm.watchers {
		if w.seat == req.Seat {
			w.end(0, wire.Denied) // opened elsewhere
		}
	}
	o := &OpenSeat{rooms: r, rm: rm, seat: req.Seat, wake: wake, Tag: tag}
	rm.watchers = append(rm.watchers, o)
	r.touch(rm)
	if was := s.gen; rm.show(s, req.Token) && s.gen != was {
		r.markDirty(rm)
	}
	a := wire.SeatOpened{Cursor: s.cursor, Head: rm.durable, Epoch: rm.epoch, Lapsed: !rm.holds(s), Traced: rm.traced, Closing: rm.closing > 0}
	if a.Lapsed {
		o.end(0, wire.Lapsed)
	}
	pending := rm.durable < rm.head
	rm.mu.Unlock()
	if pending {
		// The epoch may be of a commit that is not on disk yet: say nothing that
		// a crash could take back.
		settled := make(chan error, 1)
		r.wait(wire.Appended{}, func(_ wire.Appended, err error) { settled <- err })
		if err := <-settled; err != nil {
			o.Close()
			return nil, wire.SeatOpened{}, err
		}
		rm.mu.Lock()
		a.Head = max(a.Head, rm.durable)
		rm.mu.Unlock()
	}
	return o, a, nil
}

// touch notes that the room was opened today; rm.mu is held.
func (r *Rooms) touch(rm *room) {
	if today := r.today(); rm.opened != today {
		rm.opened = today
		r.markDirty(rm)
	}
}

// Event is an entry, or a hole where entries have ended.
type Event struct {
	// From and To are the numbers it stands for: equal for an entry.
	From, To wire.Number
	// Tail is the entry's wire.EntryTail, nil for a hole. It is shared: it must
	// not be changed.
	Tail []byte
	// Early is a hole's: see wire.Hole.
	Early bool
}

// Reading is what Read found.
type Reading struct {
	Events []Event
	// Head is the newest entry that the seat may see.
	Head wire.Number
	// Ended is why nothing will come after Events; "" while the seat goes on.
	Ended wire.Code
}

// Read returns up to max entries, about bytes in all, after number n.
func (o *OpenSeat) Read(ctx context.Context, n wire.Number, max, bytes int) (Reading, error) {
	o.rm.mu.Lock()
	limit, code := o.rm.durable, wire.Code("")
	if o.code != "" {
		limit, code = min(limit, o.endAt), o.code
		if o.endAt > o.rm.durable {
			code = "" // what it still reads is not on disk yet
		}
	}
	out := Reading{Head: limit, Ended: code}
	now := o.rooms.cfg.Now().Unix()
	from, tailFrom, stored, early := o.rm.tail, o.rm.tailFrom, o.rm.stored > 0, o.rm.early
	if o.rest != nil {
		from, tailFrom = o.rest, o.restFrom
	}
	var tail []*entry
	if limit > n {
		tail = after(from, limitLow(n, tailFrom))
		tail = slices.Clone(tail[:min(len(tail), max)])
	}
	o.rm.mu.Unlock()
	if limit <= n {
		return out, nil
	}
	at := n // everything through it is in out
	hole := func(to wire.Number) {
		out.Events = append(out.Events, Event{From: at + 1, To: to, Early: at < early})
	}
	add := func(num wire.Number, expires int64, body []byte) bool {
		if num > limit || max <= 0 || bytes <= 0 {
			return false
		}
		if expires <= now {
			return true
		}
		if num > at+1 {
			hole(num - 1)
		}
		out.Events = append(out.Events, Event{From: num, To: num, Tail: body})
		at = num
		max--
		bytes -= len(body)
		return true
	}
	whole := true
	if n+1 < tailFrom && stored {
		var err error
		if whole, err = o.readStored(ctx, n, tailFrom, max, add); err != nil {
			return Reading{}, err
		}
	}
	if whole {
		for _, e := range tail {
			if whole = add(e.number, e.expires, e.tail); !whole {
				break
			}
		}
	}
	if whole && max > 0 && at < limit {
		hole(limit)
		at = limit
	}
	if at < limit {
		out.Ended = "" // not yet: there is more to read first
	}
	return out, nil
}

// limitLow is the number after which the tail is read: the tail also holds some
// entries that SQLite has, below tailFrom.
func limitLow(n, tailFrom wire.Number) wire.Number {
	if tailFrom > 0 {
		return max(n, tailFrom-1)
	}
	return n
}

// readStored reads entries between n and tailFrom. What is not there has ended:
// everything below tailFrom was in SQLite before tailFrom was.
func (o *OpenSeat) readStored(ctx context.Context, n, tailFrom wire.Number, limit int, add func(wire.Number, int64, []byte) bool) (whole bool, err error) {
	rows, err := o.rooms.query(ctx, `SELECT number, expires, body FROM entries WHERE room = $1 AND number > $2 AND number < $3 ORDER BY number LIMIT $4`,
		o.rm.id[:], n, tailFrom, limit+1)
	if err != nil {
		return false, fmt.Errorf("read a room: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var num wire.Number
		var expires int64
		var body []byte
		if err := rows.Scan(&num, &expires, &body); err != nil {
			return false, fmt.Errorf("read a room: %w", err)
		}
		if !add(num, expires, body) {
			return false, rows.Err()
		}
	}
	return true, rows.Err()
}

// Ack moves the seat's cursor through n. It is in memory when it returns and on
// disk with the next checkpoint: a lost one delivers again.
func (o *OpenSeat) Ack(n wire.Number, token wire.Secret) error {
	rm := o.rm
	rm.mu.Lock()
	defer rm.mu.Unlock()
	s := rm.seat(o.seat)
	if s == nil || o.code != "" || o.done {
		return wire.ErrDenied
	}
	if n > rm.durable {
		return errInput("an acknowledgement of what was never sent")
	}
	o.rooms.touch(rm)
	if was := s.gen; rm.show(s, token) && s.gen != was {
		o.rooms.markDirty(rm)
	}
	if n <= s.cursor {
		return nil
	}
	was, held := s.cursor, rm.holds(s)
	s.cursor, s.dirty = n, true
	o.rooms.markDirty(rm)
	if held && was == rm.floor {
		rm.atFloor--
	}
	if rm.atFloor <= 0 || was < rm.floor {
		rm.refloor()
	}
	return nil
}

// Close ends the reading.
func (o *OpenSeat) Close() {
	o.rm.mu.Lock()
	if o.done {
		o.rm.mu.Unlock()
		return
	}
	o.done = true
	if o.code == "" {
		o.code = wire.Denied
	}
	o.rm.watchers = slices.DeleteFunc(o.rm.watchers, func(w *OpenSeat) bool { return w == o })
	if len(o.rm.watchers) == 0 {
		o.rm.watchers = nil
	}
	if o.rm.gone == 0 && !o.rm.absent {
		o.rooms.touch(o.rm) // it was open until now
	}
	o.rm.mu.Unlock()
	o.rooms.put(o.rm)
}

// Rename puts a new id and secret in a seat's place (protocol §2).
func (r *Rooms) Rename(ctx context.Context, req *wire.SeatRename, done Done) {
	if req.New.ID.Region() != req.Room.Region() || req.New.Provisional {
		done(wire.Appended{}, errInput("a seat's new name does not fit its room"))
		return
	}
	rm, err := r.enter(ctx, req.Room, false)
	if err != nil {
		done(wire.Appended{}, err)
		return
	}
	defer r.put(rm)
	rm.mu.Lock()
	defer rm.mu.Unlock()
	if rm.gone > 0 {
		done(wire.Appended{}, wire.ErrGone)
		return
	}
	if n := rm.seat(req.New.ID); n != nil {
		if n.hash != req.New.Hash || (n.id == req.Seat && !req.Secret.Opens(n.hash)) {
			done(wire.Appended{}, wire.ErrDenied)
			return
		}
		r.wait(wire.Appended{}, done) // repeated
		return
	}
	if rm.opens(req.Seat, req.Secret) == nil {
		done(wire.Appended{}, wire.ErrDenied)
		return
	}
	for _, w := range rm.watchers {
		if w.seat == req.Seat {
			w.end(0, wire.Denied)
		}
	}
	r.change(rm, &record{Op: opRename}, &renameChange{Old: req.Seat, New: req.New}, wire.Appended{}, done)
}
