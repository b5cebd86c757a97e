package store

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"hearth/wire"
)

// apply makes the change that rec describes. Live changes and replay go through
// it alike, so it decides nothing: who may do what was judged before.
func (rm *room) apply(rec *record) error {
	if rec.Rev != rm.rev+1 {
		return fmt.Errorf("%w: a change of a room is missing", errSegmentDamaged)
	}
	var err error
	switch rec.Op {
	case opCreate:
		err = change(rec, rm.applyCreate)
	case opAppend:
		err = rm.applyEntry(rec)
	case opCommit:
		if err = rm.applyEntry(rec); err == nil {
			err = change(rec, rm.applyCommit)
		}
	case opRename:
		err = change(rec, func(c *renameChange) {
			if s := rm.seat(c.Old); s != nil {
				s.id, s.hash, s.claimBy, s.dirty = c.New.ID, c.New.Hash, 0, true
			}
		})
	case opLeave:
		err = change(rec, func(c *leaveChange) { rm.removeSeats(c.Seats); rm.refloor() })
	case opDoorSet:
		err = change(rec, rm.applyDoorSet)
	case opClaim:
		err = change(rec, rm.applyClaim)
	case opDrop:
		err = change(rec, func(c *dropChange) { rm.bury(c.Until) })
	case opClose:
		err = change(rec, func(c *closeChange) { rm.closing = c.Day })
	default:
		err = errRecord
	}
	if err == nil {
		rm.rev = rec.Rev
	}
	return err
}

// change reads a record's Change and hands it to f.
func change[T any](rec *record, f func(*T)) error {
	c := new(T)
	if err := wire.Decode(rec.Change, c); err != nil {
		return fmt.Errorf("%w: %w", errSegmentDamaged, err)
	}
	f(c)
	return nil
}

func (rm *room) applyCreate(c *createChange) {
	rm.door, rm.made, rm.token, rm.opened = c.Door, c.Made, c.Token, c.Day
	if !c.Door {
		// Entry 1 is the founding commit: every first seat's cursor is already
		// there, so its bytes are never kept (protocol §1).
		rm.epoch, rm.head, rm.durable = 1, 1, 1
	}
	rm.floor, rm.tailFrom = rm.head, rm.head+1
	for _, s := range c.Seats {
		rm.addSeat(s, c.Day)
	}
	rm.atFloor = len(rm.seats)
	for _, d := range c.Classes {
		rm.classes = append(rm.classes, class{DoorClass: d, key: randomKey()})
	}
	rm.addPackages(c.Packages)
	rm.setDoor = c.Door
}

func (rm *room) addSeat(n wire.NewSeat, today Day) {
	s := seat{key: randomKey(), id: n.ID, hash: n.Hash, cursor: rm.head, gen: rm.gen, dirty: true}
	if n.Provisional {
		s.claimBy = today + Day(wire.ClaimWithin/dayLength)
	}
	rm.seats = append(rm.seats, s)
}

// applyEntry appends the record's entry.
func (rm *room) applyEntry(rec *record) error {
	e, err := wire.EntryOfTail(rec.Entry)
	if err != nil || e.Number != rm.head+1 {
		return fmt.Errorf("%w: an entry does not fit its room", errSegmentDamaged)
	}
	rm.push(&entry{number: e.Number, kind: e.Kind, id: wire.EntryIDOf(e.Payload), epoch: e.Epoch, expires: rec.Expires, class: rec.Class, tail: rec.Entry})
	return nil
}

func (rm *room) push(e *entry) {
	rm.head = e.number
	if len(rm.tail) == 0 && rm.tailFrom > e.number {
		rm.tailFrom = e.number
	}
	rm.keep(e)
	rm.tailB += cost(len(e.tail))
	if e.class != nil {
		if c := rm.class(*e.class); c != nil {
			c.waiting++
			c.used++
			rm.setDoor = true
		}
	}
	if len(rm.seats) == 0 {
		rm.refloor()
	}
}

func (rm *room) applyCommit(c *commitChange) {
	rm.epoch++
	rm.token, rm.traced = c.Token, c.Traced
	if c.Shown != nil {
		if s := rm.seat(*c.Shown); s != nil {
			s.gen, s.dirty = rm.gen+1, true
		}
	}
	if len(c.Remove) > 0 {
		rm.gen += 2
		if n := len(rm.marks); n > 0 && rm.marks[n-1].Day == c.Day {
			rm.marks[n-1].Gen = rm.gen
		} else {
			rm.marks = append(rm.marks, mark{Gen: rm.gen, Day: c.Day})
		}
		rm.removeSeats(c.Remove)
	}
	for _, s := range c.Add {
		rm.addSeat(s, c.Day)
	}
	rm.refloor()
}

// removeSeats takes seats away; who reads one still sees the entries through
// the head, then that it is closed.
func (rm *room) removeSeats(ids []wire.SeatID) {
	rm.seats = slices.DeleteFunc(rm.seats, func(s seat) bool {
		if !slices.Contains(ids, s.id) {
			return false
		}
		rm.seatsGone = append(rm.seatsGone, s.key)
		for _, w := range rm.watchers {
			if w.seat == s.id {
				if w.code == "" {
					w.rest, w.restFrom = slices.Clone(rm.tail), rm.tailFrom
				}
				w.end(rm.head, wire.Denied)
			}
		}
		return true
	})
}

func (rm *room) applyDoorSet(c *doorSetChange) {
	rm.classes = slices.DeleteFunc(rm.classes, func(k class) bool { return slices.Contains(c.Drop, k.ID) })
	for _, d := range c.Put {
		if k := rm.class(d.ID); k != nil {
			k.DoorClass = d
		} else {
			rm.classes = append(rm.classes, class{DoorClass: d, key: randomKey()})
		}
	}
	if c.Replace {
		rm.packages = nil
	}
	rm.addPackages(c.Add)
	rm.setDoor = true
}

func (rm *room) addPackages(ps []wire.DoorPackage) {
	for _, p := range ps {
		if p.LastResort { // there is one at most: the new one replaces it
			rm.packages = slices.DeleteFunc(rm.packages, func(o pkg) bool { return o.lastResort })
		}
		rm.packages = append(rm.packages, pkg{key: randomKey(), id: sealedID(p.Sealed), sealed: p.Sealed, lastResort: p.LastResort})
	}
}

func sealedID(b []byte) wire.EntryID {
	h := sha256.Sum256(b)
	return wire.EntryID(h[:16])
}

func (rm *room) applyClaim(c *claimChange) {
	i := slices.IndexFunc(rm.packages, func(p pkg) bool { return p.id == c.Package })
	if i < 0 {
		return
	}
	rm.setDoor = true
	if rm.packages[i].lastResort {
		rm.packages[i].used = true
		return
	}
	rm.packages = slices.Delete(rm.packages, i, i+1)
}
