package core_test

import (
	"testing"
	"time"

	"hearth/core"
	"hearth/hearthtest"
)

// rolledBack lets somebody's home be restored from a copy of its disk of before
// it said something in a room.
func rolledBack(t *testing.T, p *hearthtest.Person, room string) {
	t.Helper()
	p.Stop()
	disk, key := p.Disk.Copy(), p.Key.Copy()
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	p.Send(room, "of the old device")
	p.Stop()
	p.Disk, p.Key = disk, key
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	p.Notice(core.NoticeTwin)
}

func TestACopyComesBackToWhoHadNotAccepted(t *testing.T) {
	hearthtest.Run(t, func(w *hearthtest.World) {
		f := newFriends(w, "alice", "bob", "carol")
		bob := f.people[1]
		dave, eve := w.Person("dave"), w.Person("eve")
		bob.Send("dave", "hello dave")
		g, err := bob.Client.GroupNew(bob.Patience(), "two", []string{"eve"})
		if err != nil {
			t.Fatal(err)
		}
		w.Sleep(time.Minute)
		rolledBack(t, bob, f.room)
		w.Sleep(3 * time.Hour)
		direct := dave.Accept()
		eve.Accept()
		w.Sleep(26 * time.Hour)
		for _, r := range []string{direct, g.Room} {
			t.Log(bob.Room(r))
		}
		hear(direct, "from dave", dave, bob)
		hear(direct, "from bob", bob, dave)
		hear(g.Room, "from eve", eve, bob)
		hear(g.Room, "from bob", bob, eve)
	})
}

// TestACopyThatIsAloneGoesOn once the device that it was is gone: a group in a new
// room, and a direct conversation that nobody has accepted is begun again.
func TestACopyThatIsAloneGoesOn(t *testing.T) {
	hearthtest.Run(t, func(w *hearthtest.World) {
		f := newFriends(w, "alice", "bob", "carol")
		alice, bob := f.people[0], f.people[1]
		dave, eve := w.Person("dave"), w.Person("eve")
		keep := "keep"
		if _, err := bob.Client.Configure(bob.Patience(), core.SettingsChange{Retention: &keep}); err != nil {
			t.Fatal(err)
		}
		bob.Send("dave", "hello dave")
		g, err := bob.Client.GroupNew(bob.Patience(), "alone", []string{"eve"})
		if err != nil {
			t.Fatal(err)
		}
		w.Sleep(time.Minute)
		rolledBack(t, bob, f.room)
		w.Sleep(time.Hour)
		devices, err := bob.Client.Devices(bob.Patience())
		if err != nil || len(devices) != 2 {
			t.Fatalf("devices: %+v, %v", devices, err)
		}
		w.Sleep(33 * 24 * time.Hour) // the invitations are over
		if got := bob.Room(g.Room); got.State != core.RoomOutOfStep {
			t.Errorf("while its twin may be there: %s", got.State)
		}
		if _, err := bob.Client.RevokeDevice(bob.Patience(), devices[0].Device); err != nil {
			t.Fatal(err)
		}
		w.Sleep(time.Minute)
		if got := bob.Room(g.Room); got.State != core.RoomOK || len(got.Members) != 1 || got.Role != "owner" || got.Name != "alone" {
			t.Errorf("the group: %+v", got)
		}
		for _, who := range []string{"alice", "eve"} {
			if ch, err := bob.Client.GroupAdd(bob.Patience(), g.Room, []string{who}); err != nil || len(ch.Changed) != 1 {
				t.Fatalf("add %s: %+v, %v", who, ch, err)
			}
		}
		alice.Accept()
		eve.Accept()
		hear(g.Room, "from bob", bob, alice, eve)
		hear(g.Room, "from eve", eve, alice, bob)
		bob.Send("dave", "hello again")
		direct := dave.Accept()
		dave.Expect("hello again")
		dave.Expect("hello dave")
		hear(direct, "from dave", dave, bob)
	})
}

// TestACopyWaitsForWhoMayHaveCome while it could not tell: its letters are answered
// by then.
func TestACopyWaitsForWhoMayHaveCome(t *testing.T) {
	hearthtest.Run(t, func(w *hearthtest.World) {
		f := newFriends(w, "alice", "bob", "carol")
		bob := f.people[1]
		w.Person("eve")
		g, err := bob.Client.GroupNew(bob.Patience(), "alone", []string{"eve"})
		if err != nil {
			t.Fatal(err)
		}
		w.Sleep(6 * 24 * time.Hour)
		rolledBack(t, bob, f.room)
		w.Sleep(time.Hour)
		devices, err := bob.Client.Devices(bob.Patience())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := bob.Client.RevokeDevice(bob.Patience(), devices[0].Device); err != nil {
			t.Fatal(err)
		}
		w.Sleep(27 * 24 * time.Hour) // the invitation is over
		if got := bob.Room(g.Room); got.State != core.RoomOutOfStep {
			t.Errorf("before who came could have answered: %s", got.State)
		}
		w.Sleep(5 * 24 * time.Hour)
		if got := bob.Room(g.Room); got.State != core.RoomOK {
			t.Errorf("nobody has answered: %s", got.State)
		}
	})
}
