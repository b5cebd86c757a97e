package core_test

import (
	"slices"
	"testing"
	"time"

	"hearth/core"
	"hearth/hearthtest"
)

// cloneOf starts somebody's home a second time, from a copy of its disk.
func cloneOf(w *hearthtest.World, p *hearthtest.Person, name string) *hearthtest.Person {
	w.T.Helper()
	twin := w.Stranger(name)
	twin.Stop()
	twin.Disk, twin.Key = p.Disk.Copy(), p.Key.Copy()
	if err := twin.Start(); err != nil {
		w.T.Fatal(err)
	}
	return twin
}

func device(p *hearthtest.Person) string {
	id, err := p.Client.Whoami()
	if err != nil {
		panic(err)
	}
	return id.Device
}

// hear waits until everybody listed reads what one of them says.
func hear(room, text string, from *hearthtest.Person, to ...*hearthtest.Person) {
	from.Send(room, text)
	for _, p := range to {
		p.Expect(text)
	}
}

// TestClone: a home that is copied while it runs. Whichever says something first
// stays the device it was; the other finds out before it has sealed anything,
// becomes a device of its own, and both go on.
func TestClone(t *testing.T) {
	hearthtest.Run(t, func(w *hearthtest.World) {
		f := newFriends(w, "alice", "bob", "carol")
		alice, bob, carol := f.people[0], f.people[1], f.people[2]
		was := device(bob)
		clone := cloneOf(w, bob, "clone")
		w.Sleep(time.Minute)
		// The two take the seat from each other until one of them says something.
		if _, err := bob.TrySend(f.room, "the first of the two"); err != nil {
			t.Fatal(err)
		}
		alice.Expect("the first of the two")
		carol.Expect("the first of the two")
		clone.Notice(core.NoticeTwin)
		clone.Notice(core.NoticeRejoined)
		bob.Notice(core.NoticeTwin)
		if device(bob) != was || device(clone) == was {
			t.Error("the wrong one of the two became another device")
		}
		hear(f.room, "from the clone", clone, alice, carol)
		hear(f.room, "from its twin", bob, alice, carol)
		hear(f.room, "from alice", alice, bob, carol, clone)
		for _, p := range []*hearthtest.Person{alice, bob, carol, clone} {
			if got := p.Room(f.room); got.State != core.RoomOK || len(got.Members) != 3 {
				t.Errorf("%s: %s with %d members", p.Name, got.State, len(got.Members))
			}
		}
		clone.Restart()
		hear(f.room, "once more", alice, bob, carol, clone)
		wantNotices(t, clone, core.NoticeTwin, core.NoticeRejoined)
		wantNotices(t, carol, core.NoticeRefreshed)
	})
}

// TestRollback: a home goes on, and is then restored from a copy of its disk. It
// uses no generation again, says what happened, and is back.
func TestRollback(t *testing.T) {
	hearthtest.Run(t, func(w *hearthtest.World) {
		f := newFriends(w, "alice", "bob", "carol")
		alice, bob, carol := f.people[0], f.people[1], f.people[2]
		bob.Stop()
		disk, key := bob.Disk.Copy(), bob.Key.Copy()
		if err := bob.Start(); err != nil {
			t.Fatal(err)
		}
		was := device(bob)
		for _, text := range []string{"one", "two"} {
			hear(f.room, text, bob, alice, carol)
		}
		hear(f.room, "three", alice, bob, carol)
		bob.Stop()
		bob.Disk, bob.Key = disk, key
		if err := bob.Start(); err != nil {
			t.Fatal(err)
		}
		bob.Notice(core.NoticeTwin)
		if s, err := bob.TrySend(f.room, "said at once"); err != nil || s.ID == "" {
			t.Fatalf("a restored home takes nothing to say: %v", err)
		}
		bob.Notice(core.NoticeRejoined)
		if device(bob) == was {
			t.Error("a restored home goes on as the device it was")
		}
		alice.Expect("said at once")
		f.everybodyHears("afterwards")
		for _, p := range f.people {
			for _, e := range p.Seen() {
				if slices.Contains([]string{core.EventLeft}, e.Type) {
					t.Errorf("%s is told that somebody left", p.Name)
				}
			}
		}
	})
}

// TestRollbackBeforeTheAcknowledgement: what a home said last is in the log, and
// its seat has acknowledged nothing of it; only the log can tell.
func TestRollbackBeforeTheAcknowledgement(t *testing.T) {
	hearthtest.Run(t, func(w *hearthtest.World) {
		f := newFriends(w, "alice", "bob", "carol")
		alice, bob, carol := f.people[0], f.people[1], f.people[2]
		bob.Stop()
		disk, key := bob.Disk.Copy(), bob.Key.Copy()
		w.Net.Tamper(noAcks("bob"))
		if err := bob.Start(); err != nil {
			t.Fatal(err)
		}
		hear(f.room, "the last of the old", bob, alice, carol)
		bob.Stop()
		bob.Disk, bob.Key = disk, key
		if err := bob.Start(); err != nil {
			t.Fatal(err)
		}
		bob.Notice(core.NoticeTwin)
		bob.Notice(core.NoticeRejoined)
		f.everybodyHears("afterwards")
	})
}

// TestRestoredFromBeforeLeaving: an owner leaves a group, and is restored from a
// copy that still stands in it. Nobody left there had the right to remove it; that
// it is out is believed of all together, and of no one alone.
func TestRestoredFromBeforeLeaving(t *testing.T) {
	hearthtest.Run(t, func(w *hearthtest.World) {
		f := newFriends(w, "alice", "bob", "carol")
		alice, bob, carol := f.people[0], f.people[1], f.people[2]
		alice.Stop()
		disk, key := alice.Disk.Copy(), alice.Key.Copy()
		if err := alice.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := alice.Client.GroupLeave(alice.Patience(), f.room); err != nil {
			t.Fatal(err)
		}
		hear(f.room, "she is gone", bob, carol)
		alice.Stop()
		alice.Disk, alice.Key = disk, key
		w.Net.Offline("carol")
		if err := alice.Start(); err != nil {
			t.Fatal(err)
		}
		w.Sleep(6 * time.Hour)
		if got := alice.State(f.room); got != core.RoomOutOfStep {
			t.Errorf("by bob's word alone the room is %s", got)
		}
		w.Net.Online("carol")
		w.Sleep(26 * time.Hour)
		if got := alice.State(f.room); got != core.RoomRemoved {
			t.Errorf("the room is %s", got)
		}
		hear(f.room, "still fine", carol, bob)
	})
}

// TestRestoredWhileTheOtherHasNewDevices: a copy of long ago knows only a device of
// the other one that was revoked since. It looks up where that person is reached.
func TestRestoredWhileTheOtherHasNewDevices(t *testing.T) {
	for _, away := range []time.Duration{3 * 24 * time.Hour, 40 * 24 * time.Hour} {
		t.Run(away.String(), func(t *testing.T) {
			hearthtest.Run(t, func(w *hearthtest.World) {
				alice, bob := w.Person("alice"), w.Person("bob")
				room := alice.Befriend(bob)
				alice.Send(room, "before")
				bob.Expect("before")
				w.Sleep(time.Hour)
				alice.Stop()
				disk, key := alice.Disk.Copy(), alice.Key.Copy()
				if err := alice.Start(); err != nil {
					t.Fatal(err)
				}
				phone := w.Stranger("phone")
				if err := bob.LinkTo(phone); err != nil {
					t.Fatal(err)
				}
				w.Sleep(time.Hour)
				if _, err := phone.Client.RevokeDevice(phone.Patience(), device(bob)); err != nil {
					t.Fatal(err)
				}
				hear(room, "on the phone now", phone, alice)
				w.Sleep(away)
				hear(room, "still here", alice, phone)
				alice.Stop()
				alice.Disk, alice.Key = disk, key
				if err := alice.Start(); err != nil {
					t.Fatal(err)
				}
				w.Sleep(50 * time.Hour)
				hear(room, "restored", alice, phone)
				hear(room, "so I see", phone, alice)
			})
		})
	}
}

// TestRestoredWhereTheOthersClockIsBehind: the only one who can put a restored home
// back has a clock that is days behind, by which what was made today is of the
// future.
func TestRestoredWhereTheOthersClockIsBehind(t *testing.T) {
	hearthtest.Run(t, func(w *hearthtest.World) {
		alice, bob := w.Person("alice"), w.Person("bob")
		bob.Stop()
		bob.Skew = -5 * 24 * time.Hour
		if err := bob.Start(); err != nil {
			t.Fatal(err)
		}
		room := bob.Send("alice", "from a week ago").Room // takes a KeyPackage of today
		alice.Accept()
		hear(room, "hello", alice, bob)
		alice.Stop()
		disk, key := alice.Disk.Copy(), alice.Key.Copy()
		if err := alice.Start(); err != nil {
			t.Fatal(err)
		}
		hear(room, "after the copy", alice, bob)
		alice.Stop()
		alice.Disk, alice.Key = disk, key
		if err := alice.Start(); err != nil {
			t.Fatal(err)
		}
		alice.Notice(core.NoticeTwin)
		w.Sleep(time.Hour)
		hear(room, "restored", alice, bob)
		hear(room, "so I see", bob, alice)
	})
}
