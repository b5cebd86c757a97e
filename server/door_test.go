package server

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"hearth/wire"
)

// testDoor is a door with one class.
type testDoor struct {
	id    wire.RoomID
	seat  key
	class wire.ClassID
	key   wire.Secret
}

func (c *client) door(class wire.DoorClass, packages ...wire.DoorPackage) (*testDoor, wire.DoorCreate) {
	c.t.Helper()
	d := &testDoor{id: wire.NewRoomID(1), seat: newKey(), class: class.ID, key: wire.NewSecret()}
	class.Hash = d.key.Hash()
	req := wire.DoorCreate{Door: d.id, Seat: d.seat.seat(), Classes: []wire.DoorClass{class}, Packages: packages}
	c.must(wire.OpDoorCreate, req, nil)
	return d, req
}

func (d *testDoor) post(text string) wire.DoorPost {
	return wire.DoorPost{Door: d.id, Key: d.key, Payload: []byte(text), TTL: 3600}
}

func (d *testDoor) open(handle uint32) wire.SeatOpen {
	return wire.SeatOpen{Handle: handle, Room: d.id, Seat: d.seat.id, Secret: d.seat.secret, Credit: 100}
}

func (d *testDoor) set() wire.DoorSet {
	return wire.DoorSet{Door: d.id, Seat: d.seat.id, Secret: d.seat.secret}
}

func TestDoorQuotaUsesAndEnd(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := w.client()
		d, req := c.door(wire.DoorClass{ID: wire.ClassID{1}, Quota: 2, Uses: 4, Until: time.Now().Add(10 * day).Unix()})
		c.must(wire.OpDoorCreate, req, nil) // repeated
		changed := req
		changed.Packages = []wire.DoorPackage{{Sealed: []byte("x")}}
		c.refused(wire.Denied, wire.OpDoorCreate, changed)

		c.must(wire.OpDoorPost, d.post("one"), &wire.Appended{})
		var a wire.Appended
		c.must(wire.OpDoorPost, d.post("one"), &a) // a repeat takes no place
		if a.Number != 1 {
			t.Errorf("got %v", a)
		}
		c.must(wire.OpDoorPost, d.post("two"), &wire.Appended{})
		c.refused(wire.Full, wire.OpDoorPost, d.post("three"))
		bad := d.post("x")
		bad.Key = wire.NewSecret()
		c.refused(wire.Denied, wire.OpDoorPost, bad)
		bad = d.post("x")
		bad.Door = wire.NewRoomID(1)
		c.refused(wire.Denied, wire.OpDoorPost, bad)

		w.restart() // the counts are on disk
		c = w.client()
		c.refused(wire.Full, wire.OpDoorPost, d.post("three"))
		c.must(wire.OpSeatOpen, d.open(1), &wire.SeatOpened{})
		if e := c.entry(); e.Kind != wire.KindKnock || e.Number != 1 || string(e.Payload) != "one" {
			t.Errorf("got %+v", e)
		}
		c.entry()
		c.live()
		c.ack(1, 2)
		time.Sleep(3 * time.Second)
		c.must(wire.OpDoorPost, d.post("three"), &wire.Appended{})
		c.must(wire.OpDoorPost, d.post("four"), &wire.Appended{})
		c.entry()
		c.entry()
		c.ack(1, 4)
		time.Sleep(3 * time.Second)
		c.refused(wire.Full, wire.OpDoorPost, d.post("five")) // all uses are spent
		set := d.set()
		set.Put = []wire.DoorClass{{ID: d.class, Hash: d.key.Hash(), Quota: 2, Until: time.Now().Add(day).Unix()}}
		c.must(wire.OpDoorSet, set, &wire.DoorState{})
		c.must(wire.OpDoorPost, d.post("five"), &wire.Appended{})
		time.Sleep(2 * day)
		c.refused(wire.Denied, wire.OpDoorPost, d.post("six")) // the class has ended
	})
}

func TestOneFullClassBlocksNoOther(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := w.client()
		d, _ := c.door(wire.DoorClass{ID: wire.ClassID{1}, Quota: 1})
		other := wire.NewSecret()
		set := d.set()
		set.Put = []wire.DoorClass{{ID: wire.ClassID{2}, Hash: other.Hash(), Quota: 1}}
		c.must(wire.OpDoorSet, set, &wire.DoorState{})
		c.must(wire.OpDoorPost, d.post("a"), &wire.Appended{})
		c.refused(wire.Full, wire.OpDoorPost, d.post("b"))
		p := d.post("b")
		p.Key = other
		c.must(wire.OpDoorPost, p, &wire.Appended{})
		set = d.set()
		set.Drop = []wire.ClassID{{2}}
		c.must(wire.OpDoorSet, set, &wire.DoorState{})
		p.Payload = []byte("c")
		c.refused(wire.Denied, wire.OpDoorPost, p)
		wrong := d.set()
		wrong.Secret = wire.NewSecret()
		c.refused(wire.Denied, wire.OpDoorSet, wrong)
	})
}

func TestClaimHandsEachPackageOutOnce(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := w.client()
		packages := []wire.DoorPackage{{Sealed: []byte("MARKER-p0")}, {Sealed: []byte("MARKER-p1")}, {Sealed: []byte("MARKER-p2")}, {Sealed: []byte("last"), LastResort: true}}
		d, _ := c.door(wire.DoorClass{ID: wire.ClassID{1}, Quota: 10}, packages...)
		claim := wire.DoorClaim{Door: d.id, Key: d.key}
		seen := map[string]bool{}
		take := func() wire.DoorClaimed {
			var got wire.DoorClaimed
			c.must(wire.OpDoorClaim, claim, &got)
			return got
		}
		state := func() (s wire.DoorState) {
			c.must(wire.OpDoorSet, d.set(), &s)
			return s
		}
		if s := state(); s != (wire.DoorState{Packages: 3, LastResort: true}) {
			t.Errorf("got %+v", s)
		}
		for i := range 3 {
			got := take()
			if got.LastResort || seen[string(got.Sealed)] {
				t.Errorf("claim %d: got %q again, or the last resort", i, got.Sealed)
			}
			seen[string(got.Sealed)] = true
			if i == 0 {
				w.restart()
				c = w.client()
			}
		}
		for range 2 {
			if got := take(); !got.LastResort || string(got.Sealed) != "last" {
				t.Errorf("got %+v", got)
			}
		}
		if s := state(); s != (wire.DoorState{LastResort: true, LastUsed: true}) {
			t.Errorf("got %+v", s)
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		w.mustNotContain("MARKER-p")
		wrong := claim
		wrong.Key = wire.NewSecret()
		c.refused(wire.Denied, wire.OpDoorClaim, wrong)
		set := d.set()
		set.Replace, set.Add = true, []wire.DoorPackage{{Sealed: []byte("new")}}
		var s wire.DoorState
		c.must(wire.OpDoorSet, set, &s)
		if s != (wire.DoorState{Packages: 1}) {
			t.Errorf("got %+v", s)
		}
		if got := take(); string(got.Sealed) != "new" {
			t.Errorf("got %q", got.Sealed)
		}
		c.refused(wire.Full, wire.OpDoorClaim, claim)
	})
}

func TestAClassCannotDrainADoor(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := w.client()
		var packages []wire.DoorPackage
		for i := range 40 {
			packages = append(packages, wire.DoorPackage{Sealed: fmt.Append(nil, "package ", i)})
		}
		d, _ := c.door(wire.DoorClass{ID: wire.ClassID{1}, Quota: 1}, packages...)
		for range 16 {
			c.must(wire.OpDoorClaim, wire.DoorClaim{Door: d.id, Key: d.key}, &wire.DoorClaimed{})
		}
		c.refused(wire.Full, wire.OpDoorClaim, wire.DoorClaim{Door: d.id, Key: d.key})
		time.Sleep(day + time.Second)
		c = w.client()
		c.must(wire.OpDoorClaim, wire.DoorClaim{Door: d.id, Key: d.key}, &wire.DoorClaimed{})
	})
}

func TestRoomsAndDoorsAreNotMixedUp(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := w.client()
		r := c.room(1)
		d, _ := c.door(wire.DoorClass{ID: wire.ClassID{1}, Quota: 10})
		p := d.post("x")
		p.Door = r.id
		c.refused(wire.Denied, wire.OpDoorPost, p)
		q := r.post("x")
		q.Room = d.id
		c.refused(wire.Denied, wire.OpRoomPost, q)
		c.refused(wire.Denied, wire.OpRoomNotice, wire.RoomNotice{Room: d.id, Seat: d.seat.id, SeatSecret: d.seat.secret, Payload: []byte("x")})
	})
}
