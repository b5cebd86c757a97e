package store

import (
	"crypto/rand"
	"encoding/binary"
	"math"
	"sort"
	"sync"

	"hearth/wire"
)

// room is the state of one room or door that is in use. The truth on disk is
// its row in SQLite plus the journal's records with a higher rev.
//
// Lock order: a room's mu, then Rooms.mu. No I/O happens under mu but reading
// SQLite while loading, and by a claim.
type room struct {
	id wire.RoomID

	pins int // under Rooms.mu: uses under way and open seats; in memory while > 0

	mu     sync.Mutex
	loaded bool
	absent bool // there is no such room; the struct is thrown away
	gone   Day  // > 0: dropped, answers "gone" until that day
	dirty  bool // waits for the next checkpoint; in memory until then

	rev     uint64
	door    bool
	made    [32]byte
	epoch   wire.Epoch
	head    wire.Number // the newest entry accepted
	durable wire.Number // the newest entry on disk: what seats may see
	lapsed  wire.Number // the newest commit dropped by ttl (protocol §1)
	early   wire.Number // entries through it may have gone before their end (protocol §10)
	token   wire.SecretHash
	traced  bool
	opened  Day // the last day on which a seat is known to have been open
	hoard   Day // since when one seat alone holds back half of the budget; 0: none
	closing Day // from when the room takes no posts; 0: never

	// gen grows by 2 with each commit that removes seats. A seat that is added
	// starts with the room's gen; one that shows a right token gets gen+1, which
	// so means "shown since the last removal" without any time on the seat. marks
	// says on which days removals fell, the last gen of each day: a seat whose
	// gen lies below a mark of 31 days ago is dropped (protocol §2).
	gen   uint32
	marks []mark

	seats   []seat
	floor   wire.Number // every holding seat has acknowledged through it
	atFloor int         // how many holding seats stand at it

	// Entries below tailFrom that still exist are in SQLite; tail holds those
	// from tailFrom on, ascending (and some that are in SQLite too).
	tailFrom wire.Number
	tail     []*entry
	index    map[uint64]*entry // of tail by short(id), while it is long
	stored   int64             // entries in SQLite, and their bytes
	storedB  int64
	tailB    int64           // bytes of entries in tail that are not in SQLite
	ids      map[uint64]bool // first 8 bytes of the ids of entries in SQLite; nil until needed
	sweep    bool            // SQLite may hold entries at or below floor

	classes  []class
	packages []pkg
	setDoor  bool // classes or packages differ from SQLite

	seatsGone []int64 // keys of seat rows to delete
	watchers  []*OpenSeat
}

// mark says which gen the last removal of a day began.
type mark struct {
	_   struct{} `cbor:",toarray"`
	Gen uint32
	Day Day
}

// seat is one device's place in the room; no time is kept on it.
type seat struct {
	key     int64
	id      wire.SeatID
	hash    wire.SecretHash
	cursor  wire.Number
	gen     uint32
	claimBy Day // of a provisional seat; 0 once it was claimed
	dirty   bool
}

// entry is one entry in memory. It is immutable but for stored.
type entry struct {
	number  wire.Number
	kind    wire.Kind
	id      wire.EntryID
	epoch   wire.Epoch
	expires int64
	class   *wire.ClassID
	tail    []byte // wire.EntryTail
	stored  bool
}

// cost is what an entry counts against its room's budget, in bytes.
func cost(tail int) int64 { return int64(tail) + 128 }

type class struct {
	wire.DoorClass
	key     int64
	used    uint32
	waiting uint32 // entries not acknowledged
}

// pkg is a sealed KeyPackage; its bytes stay in SQLite once they are there.
type pkg struct {
	key        int64
	id         wire.EntryID // of the sealed bytes
	sealed     []byte       // nil: in SQLite
	lastResort bool
	used       bool
}

// randomKey returns a fresh row key: random, so that rows made together do not
// lie together.
func randomKey() int64 {
	var b [8]byte
	rand.Read(b[:])
	return int64(binary.BigEndian.Uint64(b[:]) & math.MaxInt64)
}

func (rm *room) seat(id wire.SeatID) *seat {
	for i := range rm.seats {
		if rm.seats[i].id == id {
			return &rm.seats[i]
		}
	}
	return nil
}

// opens returns the seat if the secret opens it. An unknown seat costs the same
// hash as a wrong secret.
func (rm *room) opens(id wire.SeatID, secret wire.Secret) *seat {
	s := rm.seat(id)
	if s == nil {
		secret.Opens(wire.SecretHash{})
		return nil
	}
	if !secret.Opens(s.hash) {
		return nil
	}
	return s
}

// holds reports whether a seat's cursor keeps entries. A lapsed seat's does not
// (protocol §1).
func (rm *room) holds(s *seat) bool { return s.cursor >= rm.lapsed }

// show notes that a seat has shown the current token.
func (rm *room) show(s *seat, token wire.Secret) bool {
	if !token.Opens(rm.token) {
		return false
	}
	if !rm.shown(s) {
		s.gen, s.dirty = rm.gen+1, true
	}
	return true
}

// shown reports whether a seat has shown a right token since the last removal.
func (rm *room) shown(s *seat) bool { return s.gen == rm.gen+1 }

// refloor finds the floor again and forgets what lies at or below it.
func (rm *room) refloor() {
	floor, at := rm.head, 0
	for i := range rm.seats {
		s := &rm.seats[i]
		if !rm.holds(s) {
			continue
		}
		switch {
		case s.cursor < floor:
			floor, at = s.cursor, 1
		case s.cursor == floor:
			at++
		}
	}
	rm.atFloor = at
	if floor <= rm.floor {
		rm.floor = max(rm.floor, floor)
		return
	}
	rm.floor = floor
	rm.forget()
}

// forget drops the tail's entries at or below the floor.
func (rm *room) forget() {
	n := sort.Search(len(rm.tail), func(i int) bool { return rm.tail[i].number > rm.floor })
	for _, e := range rm.tail[:n] {
		if !e.stored {
			rm.tailB -= cost(len(e.tail))
			rm.release(e.class)
		}
	}
	rm.cut(n)
	if rm.floor >= rm.tailFrom {
		rm.tailFrom = rm.floor + 1
	}
	if rm.stored > 0 {
		rm.sweep = true
	}
}

// release gives a class its place back.
func (rm *room) release(id *wire.ClassID) {
	if id == nil {
		return
	}
	if c := rm.class(*id); c != nil && c.waiting > 0 {
		c.waiting--
	}
}

func (rm *room) class(id wire.ClassID) *class {
	for i := range rm.classes {
		if rm.classes[i].ID == id {
			return &rm.classes[i]
		}
	}
	return nil
}

// bytes is what the room's entries count against its budget.
func (rm *room) bytes() int64 { return rm.storedB + rm.tailB }

// after returns the tail's entries with a number above n.
func (rm *room) after(n wire.Number) []*entry { return after(rm.tail, n) }

func after(tail []*entry, n wire.Number) []*entry {
	i := sort.Search(len(tail), func(i int) bool { return tail[i].number > n })
	return tail[i:]
}

// indexFrom is the length from which a tail has an index.
const indexFrom = 16

// find returns the entry with this id if it is in the tail.
func (rm *room) find(id wire.EntryID) *entry {
	if rm.index != nil {
		if e := rm.index[short(id)]; e == nil || e.id == id {
			return e
		} // else two ids begin alike: look through all
	}
	for i := len(rm.tail) - 1; i >= 0; i-- {
		if rm.tail[i].id == id {
			return rm.tail[i]
		}
	}
	return nil
}

// keep appends an entry to the tail.
func (rm *room) keep(e *entry) {
	rm.tail = append(rm.tail, e)
	switch {
	case rm.index != nil:
		rm.index[short(e.id)] = e
	case len(rm.tail) >= indexFrom:
		rm.index = make(map[uint64]*entry, 2*indexFrom)
		for _, e := range rm.tail {
			rm.index[short(e.id)] = e
		}
	}
}

// cut takes the first n entries out of the tail.
func (rm *room) cut(n int) {
	for _, e := range rm.tail[:n] {
		rm.unindex(e)
	}
	clear(rm.tail[:n]) // the array may live on
	rm.tail = rm.tail[n:]
	if len(rm.tail) == 0 {
		rm.tail, rm.index = nil, nil
	}
}

func (rm *room) unindex(e *entry) {
	if rm.index[short(e.id)] == e {
		delete(rm.index, short(e.id))
	}
}

// bury forgets everything but that there was a room.
func (rm *room) bury(until Day) {
	for i := range rm.seats {
		rm.seatsGone = append(rm.seatsGone, rm.seats[i].key)
	}
	rm.gone, rm.head, rm.durable, rm.floor = until, 0, 0, 0
	rm.seats, rm.tail, rm.index, rm.tailB, rm.marks = nil, nil, nil, 0, nil
	rm.classes, rm.packages, rm.setDoor = nil, nil, true
	rm.made, rm.token = [32]byte{}, wire.SecretHash{}
}
