package core

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"hearth/core/roster"
	"hearth/wire"
)

// self returns the room of a home's own devices, its state, and how many of them
// have a leaf in it.
func (h *home) self() (id wire.RoomID, state roomState, leaves int) {
	h.t.Helper()
	err := h.c.look(h.ctx(), func(s *step) error {
		me, err := s.me()
		if err != nil {
			return err
		}
		r, _, err := s.selfRoom(me)
		if err != nil || r == nil {
			state = roomRemoved
			return err
		}
		id, state = r.ID, r.State
		ro, err := s.lastRoster(r.ID)
		if err == nil && ro != nil {
			leaves = len(ro.Leaves())
		}
		return err
	})
	if err != nil {
		h.t.Fatalf("%s: the self room: %v", h.name, err)
	}
	return id, state, leaves
}

// together checks that homes are in step in one self room, in which there are so
// many devices.
func together(t *testing.T, devices int, homes ...*home) wire.RoomID {
	t.Helper()
	var room wire.RoomID
	for _, h := range homes {
		id, state, n := h.self()
		if room == (wire.RoomID{}) {
			room = id
		}
		if id != room || state != roomOK || n != devices {
			t.Errorf("%s: self room in state %d with %d devices, the same as the first: %v; want %d devices", h.name, state, n, id == room, devices)
		}
	}
	agree(t, homes[0].selfConv(), homes...)
	return room
}

// selfConv is the conversation of a home's own devices.
func (h *home) selfConv() string {
	h.t.Helper()
	me, err := h.c.self(h.ctx())
	if err != nil {
		h.t.Fatal(err)
	}
	return convID(roster.SelfID(me.ID)).String()
}

// tells checks that a value which one device sets arrives on others.
func tells(t *testing.T, from *home, to ...*home) {
	t.Helper()
	value := time.Now().String()
	if err := from.c.step(t.Context(), func(s *step) error { return s.shareSetting("told", []byte(value), 0) }); err != nil {
		t.Fatal(err)
	}
	settle(append(to, from)...)
	time.Sleep(time.Minute)
	synctest.Wait()
	for _, h := range to {
		if got := h.shared("told"); got != value {
			t.Errorf("%s was not told by %s", h.name, from.name)
		}
	}
}

func (h *home) shared(name string) (value string) {
	h.t.Helper()
	err := h.c.look(h.ctx(), func(s *step) error {
		b, err := s.setting(name)
		value = string(b)
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return value
}

func (h *home) share(name, value string, until int64) {
	h.t.Helper()
	if err := h.c.step(h.ctx(), func(s *step) error { return s.shareSetting(name, []byte(value), until) }); err != nil {
		h.t.Fatal(err)
	}
}

func (v *savers) back(from string) *home {
	v.t.Helper()
	h, _, err := v.restore(RestoreOptions{From: from, Words: v.recovery})
	if err != nil {
		v.t.Fatalf("restore: %v", err)
	}
	return h
}

// TestARestoredDeviceComesBackAmongItsSiblings: it is let into the self room that
// there is, and what it missed and its backup does not hold comes from there:
// conversations that began meanwhile, too.
func TestARestoredDeviceComesBackAmongItsSiblings(t *testing.T) {
	bubble(t, func(t *testing.T) {
		v := newSavers(t)
		phone := v.link(v.alice, "phone")
		carol := v.person("carol")
		settle(v.alice, phone, v.bob)
		v.backup("a")
		before, _, _ := phone.self()
		v.alice.stop() // and lost
		v.bob.send(v.room, "meanwhile")
		other := carol.send("alice", "a new one").Room
		settle(phone)
		phone.accept()
		phone.share("meanwhile", "yes", 0)
		settle(phone, v.bob, carol)

		h := v.back("a")
		quiet()
		settle(phone, h)
		if id := together(t, 3, phone, h); id != before && !t.Failed() {
			t.Error("it is another self room")
		}
		want := []string{"MARKER hello", "MARKER hello back", "meanwhile"}
		if got := v.history(h); !slices.Equal(got, want) {
			t.Errorf("history: %q", got)
		}
		if got, _ := h.linesOf(other, ""); !slices.Equal(got, []string{"a new one"}) {
			t.Errorf("history of a conversation that began meanwhile: %q", got)
		}
		if got := h.shared("meanwhile"); got != "yes" {
			t.Errorf("what was set meanwhile: %q", got)
		}
		if _, said := h.linesOf(v.room, NoticeRejoined); len(said) != 1 || said[0][len(said[0])-len(textFilled):] != textFilled {
			t.Errorf("it says %q", said)
		}
		tells(t, phone, h)
		tells(t, h, phone)
		if list, err := phone.c.Devices(phone.ctx()); err != nil || len(list) != 3 || list[2].Added == nil {
			t.Errorf("the phone lists %+v, %v", list, err)
		}
		if got := codes(phone.got()); slices.Contains(got, NoticeTwin) || !slices.Contains(got, NoticeDeviceAdded) {
			t.Errorf("the phone says %q", got)
		}
	})
}

// TestARestoredDeviceFindsOneThatHadNoSiblings: the account had one device, which
// turned up again; the two of them get a self room, and what was said meanwhile.
func TestARestoredDeviceFindsOneThatHadNoSiblings(t *testing.T) {
	bubble(t, func(t *testing.T) {
		v := newSavers(t)
		v.bob.send(v.room, "meanwhile")
		v.alice.got()
		v.alice.stop()
		h := v.back("a")
		quiet()
		v.alice.start() // not lost after all
		quiet()
		settle(v.alice, h)
		together(t, 2, v.alice, h)
		if got := v.history(h); !slices.Equal(got, []string{"MARKER hello", "MARKER hello back", "meanwhile"}) {
			t.Errorf("history: %q", got)
		}
		tells(t, v.alice, h)
		tells(t, h, v.alice)
	})
}

// TestWhatWasUnreadIsUnreadAgain after a restore, unless it has ended.
func TestWhatWasUnreadIsUnreadAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		v := newSavers(t)
		v.bob.send(v.room, "not read yet")
		settle(v.bob, v.alice)
		v.backup("a")
		v.alice.stop()
		unread := func(h *home) int {
			rooms, err := h.c.Rooms(h.ctx())
			if err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(rooms, func(r Room) bool { return r.Room == v.room })
			return rooms[i].Unread
		}
		h := v.back("a")
		if got := unread(h); got != 1 {
			t.Errorf("%d unread, want 1", got)
		}
		h.stop()
		time.Sleep(31 * day)
		if got := unread(v.back("a")); got != 0 {
			t.Errorf("%d unread of what has ended", got)
		}
	})
}

// TestARestoredDeviceThatIsLeftAloneHasASelfRoom: whoever could let it into the
// old one was removed, one after the other; who is linked later comes into the new
// one.
func TestARestoredDeviceThatIsLeftAloneHasASelfRoom(t *testing.T) {
	bubble(t, func(t *testing.T) {
		v := newSavers(t)
		phone := v.link(v.alice, "phone")
		settle(v.alice, phone)
		v.backup("a")
		old, _, _ := phone.self()
		v.alice.stop()
		phone.stop() // both are lost
		h := v.back("a")
		for i, d := range h.devices()[:2] {
			if _, state, _ := h.self(); state != roomOutOfStep {
				t.Errorf("with %d siblings the self room is in state %d", 2-i, state)
			}
			if _, err := h.c.RevokeDevice(h.ctx(), d.Device); err != nil {
				t.Fatal(err)
			}
		}
		quiet()
		if together(t, 1, h) == old {
			t.Error("it is the old room")
		}
		tablet := v.link(h, "tablet")
		settle(h, tablet)
		together(t, 2, h, tablet)
		tells(t, tablet, h)
		if got := v.history(tablet); !slices.Equal(got, []string{"MARKER hello", "MARKER hello back"}) {
			t.Errorf("the linked device has %q", got)
		}
		// It falls out of step once more, alone.
		if _, err := h.c.RevokeDevice(h.ctx(), h.devices()[1].Device); err != nil {
			t.Fatal(err)
		}
		id, _, _ := h.self()
		h.fallOut(h.selfConv(), NoticeStateLost)
		quiet()
		if together(t, 1, h) == id {
			t.Error("it is the room that it fell out of")
		}
	})
}

func (h *home) devices() []Device {
	h.t.Helper()
	list, err := h.c.Devices(h.ctx())
	if err != nil {
		h.t.Fatal(err)
	}
	return list
}

// TestTwoSelfRoomsBecomeOne: a device that was restored from a backup older than
// its sibling, and a sibling that never heard of it, meet, whichever room wins;
// what was set in either counts in both.
func TestTwoSelfRoomsBecomeOne(t *testing.T) {
	for i := range 4 { // which room wins is chance
		bubble(t, func(t *testing.T) {
			v := newSavers(t)
			phone := v.link(v.alice, "phone")
			settle(v.alice, phone, v.bob)
			v.alice.stop() // and lost; the backup knows no phone
			phone.share("on the phone", "yes", 0)
			if i%2 == 1 {
				phone.stop() // until the other one has a room
			}
			h := v.back("a")
			synctest.Wait()
			together(t, 2, h) // and the lost one
			h.share("on the restored one", "yes", 0)
			quiet()
			if i%2 == 1 {
				phone.start()
			}
			v.bob.send(v.room, "hello both")
			quiet()
			quiet()
			settle(phone, h)
			together(t, 3, phone, h)
			for _, d := range []*home{phone, h} {
				if d.shared("on the phone") != "yes" || d.shared("on the restored one") != "yes" {
					t.Errorf("%s lacks what was set in the other room", d.name)
				}
			}
			tells(t, phone, h)
			tells(t, h, phone)
		})
	}
}

// TestADeviceIsLinkedWithoutWaitingForSiblings who could let the old one into the
// self room, but are away. Later they meet.
func TestADeviceIsLinkedWithoutWaitingForSiblings(t *testing.T) {
	for range 4 {
		bubble(t, func(t *testing.T) {
			v := newSavers(t)
			phone := v.link(v.alice, "phone")
			settle(v.alice, phone, v.bob)
			v.backup("a")
			v.alice.stop()
			phone.stop()
			h := v.back("a")
			quiet()
			if _, state, _ := h.self(); state != roomOutOfStep {
				t.Fatalf("the self room is in state %d", state)
			}
			tablet := v.link(h, "tablet")
			if got := v.history(tablet); len(got) != 2 {
				t.Errorf("the linked device has %q", got)
			}
			tells(t, h, tablet)
			phone.start()
			quiet()
			v.bob.send(v.room, "hello all")
			quiet()
			settle(phone, h, tablet)
			together(t, 4, h, tablet, phone)
			tells(t, phone, h, tablet)
			tells(t, h, phone, tablet)
			tells(t, tablet, h, phone)
		})
	}
}

// TestASiblingThatWasPutBackIsThereOnceItSpeaks: until then it may be in another
// self room, and which of the two wins is not decided by its place in this one.
func TestASiblingThatWasPutBackIsThereOnceItSpeaks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice := w.person("alice")
		phone := w.link(alice, "phone")
		settle(alice, phone)
		there := func() (joined bool) {
			phone.inRoom(phone.selfConv(), func(s *step, r *roomRecord, _ *conversation) error {
				me, err := s.me()
				if err != nil {
					return err
				}
				ro, err := s.roster(r.ID)
				if err != nil {
					return err
				}
				l, err := s.leaf(r.ID, ro.LeavesOf(me.ID)[0].Index)
				joined = l.Joined
				return err
			})
			return joined
		}
		if !there() {
			t.Fatal("alice is not there")
		}
		alice.fallOut(alice.selfConv(), NoticeLapsed)
		synctest.Wait()
		alice.stop()
		quiet()
		if there() {
			t.Error("alice is there, and has said nothing")
		}
		alice.start()
		quiet()
		if !there() {
			t.Error("alice is not there again")
		}
		together(t, 2, alice, phone)
	})
}
