package core_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"hearth/core"
	"hearth/core/letter"
	"hearth/core/roster"
	"hearth/core/vault/vaulttest"
	"hearth/hearthtest"
	"hearth/mls"
	"hearth/wire"
)

// kitchen is a group of alice, its owner, and others, in which everybody has
// spoken.
func kitchen(w *hearthtest.World, others ...*hearthtest.Person) (alice *hearthtest.Person, room string) {
	w.T.Helper()
	alice = w.Person("alice")
	room = alice.Group("kitchen", others...)
	for _, p := range append([]*hearthtest.Person{alice}, others...) {
		p.Send(room, p.Name+" is here")
	}
	for _, p := range append([]*hearthtest.Person{alice}, others...) {
		p.Seen()
	}
	return alice, room
}

// stick commits garbage as somebody whose client is offline: nobody can enter
// the room's epoch any more.
func stick(w *hearthtest.World, p *hearthtest.Person, room string) *insider {
	w.T.Helper()
	m := turn(&stage{World: w}, p, room)
	b := make([]byte, 3000)
	rand.Read(b)
	m.sendCommit(b, wire.NewSecret().Hash(), nil, nil)
	return m
}

// reaches has somebody say something that all others must hear, once.
func reaches(w *hearthtest.World, room, text string, from *hearthtest.Person, others ...*hearthtest.Person) {
	w.T.Helper()
	from.Send(room, text)
	for _, p := range others {
		p.Expect(text)
		n := 0
		for _, t := range p.Texts() {
			if t == text {
				n++
			}
		}
		if n != 1 {
			w.T.Errorf("%s has %q %d times", p.Name, text, n)
		}
	}
}

// told checks which notices somebody was given.
func told(w *hearthtest.World, p *hearthtest.Person, want ...string) {
	w.T.Helper()
	var got []string
	for _, e := range p.Seen() {
		if e.Type == core.EventNotice {
			got = append(got, e.Code)
		}
	}
	if !slices.Equal(got, want) {
		w.T.Errorf("%s was told %q, want %q", p.Name, got, want)
	}
}

// TestStuckRoom: a commit that nobody can follow. After ten minutes the owner
// founds a successor, and the next message reaches all.
func TestStuckRoom(t *testing.T) {
	hearthtest.Run(t, func(w *hearthtest.World) {
		bob, carol := w.Person("bob"), w.Person("carol")
		alice, room := kitchen(w, bob, carol)
		stick(w, carol, room)
		w.Sleep(time.Minute)
		if s, err := bob.TrySend(room, "said while stuck"); err != nil || s.State != core.StateQueued {
			t.Errorf("bob says something: %s, %v", s.State, err)
		}
		w.Net.Online("carol")
		w.Sleep(11 * time.Minute)
		alice.Expect("said while stuck")
		carol.Expect("said while stuck")
		reaches(w, room, "again", alice, bob, carol)
		reaches(w, room, "and back", carol, alice, bob)
		told(w, alice, core.NoticeOutOfStep, core.NoticeMoved)
		told(w, bob, core.NoticeOutOfStep, core.NoticeMoved)
		for _, p := range []*hearthtest.Person{alice, bob, carol} {
			if r := p.Room(room); len(r.Members) != 3 || r.State != core.RoomOK {
				t.Errorf("%s sees %+v", p.Name, r)
			}
		}
	})
}

// TestMovedAtWill: an admin takes a conversation to another server; what is said
// meanwhile reaches all, and who was away follows later.
func TestMovedAtWill(t *testing.T) {
	hearthtest.Run(t, func(w *hearthtest.World) {
		away := w.Server("away")
		bob, carol := w.Person("bob"), w.Person("carol")
		alice, room := kitchen(w, bob, carol)
		w.Net.Offline("carol")
		if _, err := bob.Client.GroupMove(bob.Patience(), room, away.URL); !isCode(err, wire.Denied) {
			t.Errorf("a plain member moves the group: %v", err)
		}
		m, err := alice.Client.GroupMove(alice.Patience(), room, away.URL)
		if err != nil || m.State != core.MoveDone || m.Server != away.URL {
			t.Fatalf("got %+v, %v", m, err)
		}
		reaches(w, room, "over here", alice, bob)
		reaches(w, room, "so we are", bob, alice)
		if in, err := bob.Client.Inside(room); err != nil || in.Server != away.URL {
			t.Errorf("bob is on %s, %v", in.Server, err)
		}
		w.Net.Online("carol")
		carol.Expect("over here")
		carol.Expect("so we are")
		reaches(w, room, "wait for me", carol, alice, bob)
		for _, p := range []*hearthtest.Person{alice, bob, carol} {
			told(w, p, core.NoticeMoved)
			if r := p.Room(room); len(r.Members) != 3 || r.State != core.RoomOK {
				t.Errorf("%s sees %+v", p.Name, r)
			}
			joined := map[string]int{}
			for _, e := range p.Seen() {
				if e.Type == core.EventJoined {
					if joined[e.Who]++; joined[e.Who] > 1 {
						t.Errorf("%s is told again that %s joins", p.Name, e.Who)
					}
				}
			}
		}
		if m, err := alice.Client.GroupMove(alice.Patience(), room, w.Server("home").URL); err != nil || m.State != core.MoveDone {
			t.Errorf("back home: %+v, %v", m, err)
		}
		reaches(w, room, "home again", carol, alice, bob)
	})
}

// TestMoveReachesNobody: a conversation whose other person cannot be reached stays
// where it is, and what is said there is not held for ever.
func TestMoveReachesNobody(t *testing.T) {
	hearthtest.Run(t, func(w *hearthtest.World) {
		away := w.Server("away")
		alice, _ := w.Person("alice"), w.PersonAt("bob", "third")
		room := alice.Send("bob@third.example", "hello").Room
		w.Server("third").Stop()
		m, err := alice.Client.GroupMove(alice.Patience(), room, away.URL)
		if err != nil || m.State != core.MoveUnderWay {
			t.Fatalf("got %+v, %v", m, err)
		}
		w.Sleep(time.Hour)
		told(w, alice, core.NoticeNotMoved)
		if s := alice.Send(room, "still there?"); s.State != core.StateSent {
			t.Errorf("a message is %s", s.State)
		}
	})
}

// TestLostServer: the server that carries a conversation is gone. After a day it
// goes on elsewhere; what nobody could read any more is said again.
func TestLostServer(t *testing.T) {
	hearthtest.Run(t, func(w *hearthtest.World) {
		away := w.Server("away")
		bob, carol := w.Person("bob"), w.Person("carol")
		alice, room := kitchen(w, bob, carol)
		if _, err := alice.Client.GroupMove(alice.Patience(), room, away.URL); err != nil {
			t.Fatal(err)
		}
		reaches(w, room, "over here", alice, bob, carol)
		w.Net.Offline("carol")
		reaches(w, room, "carol can't read this yet", bob, alice)
		away.Stop()
		w.Net.Online("carol")
		w.Sleep(time.Hour)
		if s, err := carol.TrySend(room, "anybody here?"); err != nil || s.State != core.StateQueued {
			t.Errorf("carol says something: %s, %v", s.State, err)
		}
		w.Sleep(30 * time.Hour)
		carol.Expect("carol can't read this yet")
		alice.Expect("anybody here?")
		bob.Expect("anybody here?")
		reaches(w, room, "here we are", alice, bob, carol)
		for _, p := range []*hearthtest.Person{alice, bob, carol} {
			told(w, p, core.NoticeMoved, core.NoticeServerLost, core.NoticeMovedUntold)
		}
		agreed(w, room, alice, bob, carol)
	})
}

// agreed checks that all are in one epoch of one room.
func agreed(w *hearthtest.World, room string, people ...*hearthtest.Person) {
	w.T.Helper()
	w.Sleep(time.Minute)
	var first core.Inside
	for i, p := range people {
		in, err := p.Client.Inside(room)
		if err != nil {
			w.T.Errorf("%s: %v", p.Name, err)
			continue
		}
		if i == 0 {
			first = in
		}
		if in.Room != first.Room || string(in.Group.EpochAuthenticator()) != string(first.Group.EpochAuthenticator()) {
			w.T.Errorf("%s is elsewhere than %s", p.Name, people[0].Name)
		}
		if r := p.Room(room); r.State != core.RoomOK || len(r.Members) != len(people) {
			w.T.Errorf("%s sees %+v", p.Name, r)
		}
	}
}

// snapshot copies a server's disk; what it returns puts the copy back.
func snapshot(w *hearthtest.World) (restore func()) {
	w.T.Helper()
	home := w.Server("home")
	home.Stop()
	backup := w.T.TempDir()
	if err := os.CopyFS(backup, os.DirFS(home.Dir)); err != nil {
		w.T.Fatal(err)
	}
	home.Start()
	w.Sleep(time.Minute)
	return func() {
		w.T.Helper()
		home.Stop()
		if err := errors.Join(os.RemoveAll(home.Dir), os.CopyFS(home.Dir, os.DirFS(backup))); err != nil {
			w.T.Fatal(err)
		}
		home.Start()
	}
}

// TestRestoredServer: a server's disk is restored from a backup: its log is
// shorter than what people have read.
func TestRestoredServer(t *testing.T) {
	hearthtest.Run(t, func(w *hearthtest.World) {
		bob, carol := w.Person("bob"), w.Person("carol")
		alice, room := kitchen(w, bob, carol)
		w.Net.Offline("carol") // she reads nothing behind the backup
		restore := snapshot(w)
		reaches(w, room, "after the backup", bob, alice)
		restore()
		w.Net.Online("carol")
		carol.Expect("after the backup")
		w.Sleep(time.Minute)
		reaches(w, room, "all here", carol, alice, bob)
		told(w, alice, core.NoticeRolledBack, core.NoticeMoved)
		told(w, bob, core.NoticeRolledBack, core.NoticeMoved)
		told(w, carol, core.NoticeMoved)
		agreed(w, room, alice, bob, carol)
	})
}

// TestRestoredAndGoneOn: when people come back to a server that was restored, its
// log is as long again, with what somebody said who knew nothing of it: at the
// numbers that they have read are other entries.
func TestRestoredAndGoneOn(t *testing.T) {
	hearthtest.Run(t, func(w *hearthtest.World) {
		bob, carol := w.Person("bob"), w.Person("carol")
		alice, room := kitchen(w, bob, carol)
		w.Sleep(20 * time.Minute) // what follows joining is done
		w.Net.Offline("carol")
		restore := snapshot(w)
		reaches(w, room, "after the backup", bob, alice)
		reaches(w, room, "and more", alice, bob)
		w.Net.Offline("alice")
		w.Net.Offline("bob")
		restore()
		w.Net.Online("carol")
		w.Sleep(10 * time.Minute) // until her client has tried again
		for i := range 12 {
			carol.Send(room, fmt.Sprint("said by carol ", i))
		}
		w.Net.Online("bob")
		w.Net.Online("alice")
		for _, p := range []*hearthtest.Person{alice, bob} {
			for i := range 12 {
				p.Expect(fmt.Sprint("said by carol ", i))
			}
		}
		for _, text := range []string{"after the backup", "and more"} {
			if _, ok := carol.TryAwait(hearthtest.Patience, func(e core.Event) bool { return e.Text == text }); !ok && !slices.Contains(carol.Texts(), text) {
				t.Errorf("carol never reads %q", text)
			}
		}
		reaches(w, room, "all here", carol, alice, bob)
		wantNotices(t, alice, core.NoticeRolledBack, core.NoticeMoved)
		wantNotices(t, bob, core.NoticeRolledBack, core.NoticeMoved)
		agreed(w, room, alice, bob, carol)
	})
}

// linked links a device to somebody's account.
func linked(w *hearthtest.World, p *hearthtest.Person, name string) *hearthtest.Person {
	w.T.Helper()
	d := w.Stranger(name)
	code, err := p.Client.LinkDevice(p.Patience())
	if err != nil {
		w.T.Fatal(err)
	}
	if _, err := d.Client.LinkJoin(d.Patience(), code.Code, name); err != nil {
		w.T.Fatal(err)
	}
	asked, err := p.Client.LinkAsked(p.Patience())
	if err != nil {
		w.T.Fatal(err)
	}
	if _, err := p.Client.LinkConfirm(p.Patience(), asked.ID); err != nil {
		w.T.Fatal(err)
	}
	w.Sleep(10 * time.Minute)
	return d
}

// TestRestoredDirectory: a device was linked after the backup that a server was
// restored from. Its directory is given the chain that it lacks, and nothing of it
// a second time.
func TestRestoredDirectory(t *testing.T) {
	hearthtest.Run(t, func(w *hearthtest.World) {
		alice, bob := w.Person("alice"), w.Person("bob")
		room := alice.Befriend(bob)
		chain := func() [][]byte {
			raw := w.Raw("somebody")
			defer raw.Close()
			return raw.Record("alice").Chain
		}
		before := chain()
		restore := snapshot(w)
		linked(w, alice, "phone")
		reaches(w, room, "after the backup", alice, bob)
		want := chain()
		if len(want) != 2 || len(before) != 1 {
			t.Errorf("the chain has %d entries, and %d in the backup", len(want), len(before))
		}
		restore()
		w.Sleep(20 * time.Minute)
		if got := chain(); !slices.EqualFunc(got, want, bytes.Equal) {
			t.Errorf("the restored directory shows %d entries, want %d", len(got), len(want))
		}
		alice.Notice(core.NoticeRolledBack)
	})
}

// TestRestoredDoors: what a server hands out after it was restored was not handed
// out before, and letters that come then are read.
func TestRestoredDoors(t *testing.T) {
	hearthtest.Run(t, func(w *hearthtest.World) {
		bob := w.Person("bob")
		alice := w.Person("alice")
		alice.Befriend(bob)
		w.Sleep(20 * time.Minute)
		restore := snapshot(w)
		used := map[string]bool{}
		claim := func() {
			raw := w.Raw("somebody")
			defer raw.Close()
			k := raw.Record("bob").Knocks[0]
			for range 3 {
				var got wire.DoorClaimed
				if err := raw.Ask(wire.OpDoorClaim, wire.DoorClaim{Door: k.Door, Key: k.Key}, &got); err != nil {
					t.Fatal(err)
				}
				if used[string(got.Sealed)] {
					t.Error("a KeyPackage is handed out twice")
				}
				used[string(got.Sealed)] = true
			}
		}
		claim()
		dave := w.Person("carol")
		dave.Send("bob", "hello from carol")
		bob.Request()
		restore()
		w.Sleep(10 * time.Minute)
		claim()
		alice.Send("bob", "do you read me?")
		bob.Expect("do you read me?")
	})
}

// TestMembersFound: the owner is away for good and nobody else has a role. A
// plain member founds, for another is out of step as well.
func TestMembersFound(t *testing.T) {
	hearthtest.Run(t, func(w *hearthtest.World) {
		bob, carol, dave := w.Person("bob"), w.Person("carol"), w.Person("dave")
		alice, room := kitchen(w, bob, carol, dave)
		w.Net.Offline("alice")
		stick(w, dave, room)
		w.Sleep(11 * time.Minute)
		if got := bob.State(room); got != core.RoomOutOfStep {
			t.Errorf("after eleven minutes bob's room is %s", got)
		}
		w.Sleep(3 * time.Minute)
		reaches(w, room, "we go on", bob, carol)
		w.Net.Online("dave")
		dave.Expect("we go on")
		w.Net.Online("alice")
		alice.Expect("we go on")
		reaches(w, room, "all of us", alice, bob, carol, dave)
		told(w, carol, core.NoticeOutOfStep, core.NoticeMoved)
		agreed(w, room, alice, bob, carol, dave)
	})
}

// TestMovedWhileAway: a conversation moves while somebody is away for longer than
// its old log keeps that. Whoever comes back asks, is let in, and what was said to
// nobody meanwhile is said again.
func TestMovedWhileAway(t *testing.T) {
	for _, owner := range []string{"there", "away as well"} {
		t.Run("the owner is "+owner, func(t *testing.T) {
			hearthtest.Run(t, func(w *hearthtest.World) {
				away := w.Server("away")
				bob, carol := w.Person("bob"), w.Person("carol")
				alice, room := kitchen(w, bob, carol)
				w.Sleep(20 * time.Minute)
				w.Net.Offline("carol")
				if _, err := alice.Client.GroupMove(alice.Patience(), room, away.URL); err != nil {
					t.Fatal(err)
				}
				reaches(w, room, "over here", alice, bob)
				w.Sleep(40 * 24 * time.Hour)
				if owner != "there" {
					w.Net.Offline("alice")
				}
				w.Net.Online("carol")
				carol.TrySend(room, "is anybody here?")
				w.Sleep(26 * time.Hour)
				w.Net.Online("alice")
				alice.Expect("is anybody here?")
				bob.Expect("is anybody here?")
				reaches(w, room, "here we are", alice, bob, carol)
				reaches(w, room, "so you are", carol, alice, bob)
				told(w, carol, core.NoticeRejoined)
				agreed(w, room, alice, bob, carol)
				if owner != "there" {
					return
				}
				// Whoever asks in a conversation that stayed where it was changes nothing.
				w.Net.Offline("carol")
				bob.Send(room, "for nobody")
				w.Sleep(40 * 24 * time.Hour)
				w.Net.Online("carol")
				w.Sleep(6 * time.Hour)
				reaches(w, room, "still here", bob, alice, carol)
				told(w, bob, core.NoticeMoved, core.NoticeRefreshed) // once
				told(w, carol, core.NoticeRejoined)
				agreed(w, room, alice, bob, carol)
			})
		})
	}
}

// TestTwoFounders: the owner and an admin move the group at once, to two
// servers. The log's first founding wins for everybody.
func TestTwoFounders(t *testing.T) {
	hearthtest.Run(t, func(w *hearthtest.World) {
		one, two := w.Server("one"), w.Server("two")
		bob, carol := w.Person("bob"), w.Person("carol")
		alice, room := kitchen(w, bob, carol)
		if _, err := alice.Client.GroupRole(alice.Patience(), room, "bob", "admin"); err != nil {
			t.Fatal(err)
		}
		w.Sleep(time.Second)
		ended := make(chan error)
		go func() {
			_, err := bob.Client.GroupMove(bob.Patience(), room, two.URL)
			ended <- err
		}()
		if _, err := alice.Client.GroupMove(alice.Patience(), room, one.URL); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
		reaches(w, room, "where are we?", carol, alice, bob)
		reaches(w, room, "here", bob, alice, carol)
		agreed(w, room, alice, bob, carol)
		w.Sleep(time.Hour)
		reaches(w, room, "still", alice, bob, carol)
		agreed(w, room, alice, bob, carol)
	})
}

// TestMovedWhileADeviceIsRevoked: a device is taken out while an admin moves the
// conversation: the new room is judged by what the old one says, and nobody is
// left behind in either.
func TestMovedWhileADeviceIsRevoked(t *testing.T) {
	for _, after := range []time.Duration{0, 0, 0, 0, 0, 0, time.Second, 2 * time.Second} { // the first ones race
		hearthtest.Run(t, func(w *hearthtest.World) {
			away := w.Server("away")
			bob, carol, phone := w.Person("bob"), w.Person("carol"), w.Stranger("phone")
			if err := bob.LinkTo(phone); err != nil {
				t.Fatal(err)
			}
			alice, room := kitchen(w, bob, carol)
			w.Sleep(time.Minute)
			lost, err := phone.Client.Whoami()
			if err != nil {
				t.Fatal(err)
			}
			ended := make(chan error)
			go func() {
				w.Sleep(after)
				_, err := bob.Client.RevokeDevice(bob.Patience(), lost.Device)
				ended <- err
			}()
			if _, err := alice.Client.GroupMove(alice.Patience(), room, away.URL); err != nil {
				t.Error(err)
			}
			if err := <-ended; err != nil {
				t.Error(err)
			}
			w.Sleep(time.Hour)
			reaches(w, room, "where are we?", carol, alice, bob)
			reaches(w, room, "here", bob, alice, carol)
			agreed(w, room, alice, bob, carol)
			for _, p := range []*hearthtest.Person{alice, bob, carol} {
				for _, e := range p.Seen() {
					if e.Code == core.NoticeSuccessorRefused {
						t.Errorf("%s after %v: %s", p.Name, after, e.Text)
					}
				}
			}
		})
	}
}

// TestClosingRoom: the host closes the room with a week's notice: the clients
// move it long before.
func TestClosingRoom(t *testing.T) {
	hearthtest.Run(t, func(w *hearthtest.World) {
		away := w.Server("away")
		bob, carol := w.Person("bob"), w.Person("carol")
		alice, room := kitchen(w, bob, carol)
		if _, err := alice.Client.GroupMove(alice.Patience(), room, away.URL); err != nil {
			t.Fatal(err)
		}
		reaches(w, room, "over here", alice, bob, carol)
		in, err := alice.Client.Inside(room)
		if err != nil {
			t.Fatal(err)
		}
		away.CloseRoom(in.Room, 7*24*time.Hour)
		w.Sleep(10 * time.Minute)
		reaches(w, room, "out of the house", bob, alice, carol)
		for _, p := range []*hearthtest.Person{alice, bob, carol} {
			told(w, p, core.NoticeMoved, core.NoticeClosing, core.NoticeMoved)
		}
		agreed(w, room, alice, bob, carol)
		if in, err := bob.Client.Inside(room); err != nil || in.Server == away.URL {
			t.Errorf("bob is still on the server that closes the room, %v", err)
		}
	})
}

// TestDirectStuck: a conversation of two heals like any other.
func TestDirectStuck(t *testing.T) {
	hearthtest.Run(t, func(w *hearthtest.World) {
		alice, bob := w.Person("alice"), w.Person("bob")
		room := alice.Befriend(bob)
		bob.Send(room, "hello")
		stick(w, alice, room)
		w.Sleep(11 * time.Minute)
		bob.TrySend(room, "are you there?")
		w.Net.Online("alice")
		w.Sleep(15 * time.Minute)
		alice.Expect("are you there?")
		reaches(w, room, "I am", alice, bob)
		agreed(w, room, alice, bob)
	})
}

// TestBogusFounding: an owner names a successor that there is not. Who cannot
// enter it asks the members, and after two hours the others found one that
// everybody can.
func TestBogusFounding(t *testing.T) {
	hearthtest.Run(t, func(w *hearthtest.World) {
		bob, carol := w.Person("bob"), w.Person("carol")
		alice, room := kitchen(w, bob, carol)
		m := turn(&stage{World: w}, alice, room)
		m.notice(letter.NoticeFounding, roster.Founding{Conversation: m.Roster.State().ID, Generation: 1,
			Base: m.Group.Epoch(), Transcript: core.CommitHash(m.Group), Info: [32]byte{1}}.Encode())
		w.Sleep(time.Minute)
		if s, err := bob.TrySend(room, "said into the void"); err != nil || s.State != core.StateQueued {
			t.Errorf("bob says something: %s, %v", s.State, err)
		}
		w.Sleep(3 * time.Hour)
		carol.Expect("said into the void")
		reaches(w, room, "there you are", carol, bob)
		w.Net.Online("alice")
		alice.Expect("there you are")
		reaches(w, room, "all back", bob, alice, carol)
		agreed(w, room, alice, bob, carol)
	})
}

// TestFoundedOften: who sees three foundings in a day and can do something about
// it is asked to.
func TestFoundedOften(t *testing.T) {
	hearthtest.Run(t, func(w *hearthtest.World) {
		away := w.Server("away")
		bob := w.Person("bob")
		alice, room := kitchen(w, bob)
		for i, server := range []string{away.URL, w.Server("home").URL, away.URL} {
			if _, err := alice.Client.GroupMove(alice.Patience(), room, server); err != nil {
				t.Fatal(err)
			}
			reaches(w, room, fmt.Sprint("move ", i), alice, bob)
			w.Sleep(time.Hour)
		}
		told(w, alice, core.NoticeMoved, core.NoticeMoved, core.NoticeFoundedOften, core.NoticeMoved)
		told(w, bob, core.NoticeMoved, core.NoticeMoved, core.NoticeMoved)
	})
}

// TestFounderKilled: the founder's client is killed at each durable step of a
// move, with what it was writing kept or not. The move comes to its end, and
// nothing is lost.
func TestFounderKilled(t *testing.T) {
	steps := 0 // of the move
	story := func(t *testing.T, f *vaulttest.Faults) {
		hearthtest.Run(t, func(w *hearthtest.World) {
			away := w.Server("away")
			bob := w.Person("bob")
			alice, room := kitchen(w, bob)
			bob.Send(room, "before")
			alice.Expect("before")
			w.Sleep(20 * time.Minute) // renewals are done
			alice.Stop()
			alice.Faults = f
			for alice.Start() != nil {
				alice.Faults = nil
			}
			alice.Client.GroupMove(alice.Patience(), room, away.URL)
			w.Sleep(5 * time.Minute)
			steps = f.Steps()
			alice.Faults = nil
			alice.Restart()
			w.Sleep(20 * time.Minute)
			if in, err := alice.Client.Inside(room); err == nil && in.Server != away.URL {
				// It was killed before it had begun.
				if m, err := alice.Client.GroupMove(alice.Patience(), room, away.URL); err != nil || m.State != core.MoveDone {
					t.Errorf("again: %+v, %v", m, err)
				}
			}
			reaches(w, room, "after", bob, alice)
			reaches(w, room, "and back", alice, bob)
			agreed(w, room, alice, bob)
		})
	}
	var count vaulttest.Faults
	story(t, &count)
	last := steps
	t.Logf("%d durable steps", last)
	if last < 12 {
		t.Fatalf("counted %d durable steps", last)
	}
	first, stride := 1, 1
	if os.Getenv("CI") != "true" && os.Getenv("HEARTH_FULL") == "" {
		stride = 7
		first = 1 + mathrand.IntN(stride)
	}
	for n := first; n <= last; n += stride {
		for _, kept := range []bool{true, false} {
			t.Run(fmt.Sprintf("%d,kept=%v", n, kept), func(t *testing.T) {
				story(t, &vaulttest.Faults{At: n, Kept: kept, Kill: true})
			})
		}
	}
}

// spoiled makes a commit that opens, and whose path leads nowhere: its sender
// has another secret than everybody else.
func spoiled(m *insider, reader core.Inside, o mls.CommitOptions) []byte {
	m.st.T.Helper()
	epoch, ratchets := m.Group.MarshalEpoch(), m.Group.MarshalRatchets()
	for at := len(epoch) - 1; at > 0; at -= 16 {
		bent := slices.Clone(epoch)
		bent[at] ^= 1
		g, err := mls.ParseGroup(bent, ratchets)
		if err != nil {
			continue
		}
		pending, err := g.Commit(o)
		if err != nil {
			continue
		}
		if _, err := reader.Group.Peek(pending.Message()); err != nil {
			continue
		}
		if _, err := reader.Group.Process(pending.Message()); err != nil {
			return pending.Message()
		}
	}
	m.st.T.Fatal("no commit could be spoiled")
	return nil
}

// TestProposalsHold: a commit that removes somebody cannot be entered, for its
// path is bad; its proposals were signed by one who may, so that the successor
// is without whom they removed.
func TestProposalsHold(t *testing.T) {
	hearthtest.Run(t, func(w *hearthtest.World) {
		bob, carol, dave := w.Person("bob"), w.Person("carol"), w.Person("dave")
		alice, room := kitchen(w, bob, carol, dave)
		m := turn(&stage{World: w}, alice, room)
		reader, err := bob.Client.Inside(room)
		m.must(err)
		o := changing(m.Roster.Without(account(dave)), roster.Change{})
		o.Remove = []mls.LeafIndex{m.leafOf(dave)}
		m.sendCommit(spoiled(m, reader, o), wire.NewSecret().Hash(), []wire.SeatID{wire.NewSeatID(m.Room.Region())}, nil)
		w.Sleep(16 * time.Minute)
		reaches(w, room, "without dave", bob, carol)
		for _, p := range []*hearthtest.Person{bob, carol} {
			members := p.Members(room)
			if len(members) != 3 || slices.ContainsFunc(members, func(m core.Member) bool { return m.Account == account(dave).String() }) {
				t.Errorf("%s lists %+v", p.Name, members)
			}
		}
		dave.ExpectNever("without dave", time.Hour)
	})
}

// TestOffenderLeftOut: a plain member has signed the removal of another. That
// sticks the room, and the successor is without the one who did it.
func TestOffenderLeftOut(t *testing.T) {
	hearthtest.Run(t, func(w *hearthtest.World) {
		bob, carol := w.Person("bob"), w.Person("carol")
		alice, room := kitchen(w, bob, carol)
		m := turn(&stage{World: w}, carol, room)
		o := changing(m.Roster.Without(account(bob)), roster.Change{})
		o.Remove = []mls.LeafIndex{m.leafOf(bob)}
		m.commit(o)
		w.Sleep(12 * time.Minute)
		reaches(w, room, "without carol", alice, bob)
		w.Net.Online("carol")
		agreed(w, room, alice, bob)
		carol.ExpectNever("without carol", time.Hour)
		told(w, bob, core.NoticeOutOfStep, core.NoticeMoved)
	})
}

// garble garbles the first commit behind an epoch on its way to some.
func garble(w *hearthtest.World, epoch uint64, people ...string) {
	w.Net.Tamper(func(l *hearthtest.Link, d hearthtest.Direction, f wire.Frame) []wire.Frame {
		var e wire.Entry
		if slices.Contains(people, l.Person) && d == hearthtest.ToClient && f.Op == wire.OpEntry && wire.Decode(f.Body, &e) == nil &&
			e.Kind == wire.KindCommit && uint64(e.Epoch) == epoch {
			e.Payload = slices.Clone(e.Payload)
			e.Payload[len(e.Payload)/2] ^= 1
			f.Body = wire.Encode(e)
		}
		return []wire.Frame{f}
	})
}

// outrun has bob commit while some are away, who then can't follow the first of
// it; then they are alone.
func outrun(w *hearthtest.World, room string, bob *hearthtest.Person, commit func(), others []*hearthtest.Person, away ...*hearthtest.Person) core.Inside {
	w.T.Helper()
	before, err := bob.Client.Inside(room)
	if err != nil {
		w.T.Fatal(err)
	}
	var names []string
	for _, p := range away {
		w.Net.Offline(p.Name)
		names = append(names, p.Name)
	}
	commit()
	w.Sleep(time.Minute)
	for _, p := range others {
		w.Net.Offline(p.Name)
	}
	garble(w, before.Group.Epoch(), names...)
	for _, p := range away {
		w.Net.Online(p.Name)
	}
	return before
}

// twice commits twice, to the end that all is as before.
func twice(w *hearthtest.World, room string, p *hearthtest.Person) func() {
	return func() {
		for _, timer := range []string{"7d", "30d"} {
			if _, err := p.Client.GroupSet(p.Patience(), room, core.GroupSettings{Retention: &timer}); err != nil {
				w.T.Fatal(err)
			}
		}
	}
}

// TestReturns: a device that was alone out of step has founded a successor; the
// others had gone further, so that it does not count. Whoever of them is there
// first puts the device back, and what it said in its successor reaches them.
func TestReturns(t *testing.T) {
	for _, order := range []string{"an admin", "a plain member", "both"} {
		t.Run(order+" first", func(t *testing.T) {
			hearthtest.Run(t, func(w *hearthtest.World) {
				bob, carol := w.Person("bob"), w.Person("carol")
				alice, room := kitchen(w, bob, carol)
				if _, err := alice.Client.GroupRole(alice.Patience(), room, "bob", "admin"); err != nil {
					t.Fatal(err)
				}
				w.Sleep(20 * time.Minute) // what follows joining is done
				before := outrun(w, room, bob, twice(w, room, bob), []*hearthtest.Person{bob, carol}, alice)
				w.Sleep(15 * time.Minute)
				alice.Notice(core.NoticeMoved)
				alice.Send(room, "all alone")
				switch order {
				case "an admin":
					w.Net.Online("bob")
					bob.Expect("all alone")
					w.Net.Online("carol")
					carol.Expect("all alone")
				case "a plain member":
					w.Net.Online("carol")
					carol.Expect("all alone")
					w.Net.Online("bob")
					bob.Expect("all alone")
				case "both":
					w.Net.Online("bob")
					w.Net.Online("carol")
					bob.Expect("all alone")
					carol.Expect("all alone")
				}
				agreed(w, room, alice, bob, carol)
				reaches(w, room, "not any more", bob, alice, carol)
				if in, err := alice.Client.Inside(room); err != nil || in.Room != before.Room {
					t.Errorf("alice is in another room, %v", err)
				}
				told(w, alice, core.NoticeOutOfStep, core.NoticeMoved, core.NoticeRejoined)
				// A month later nobody waits for anything there any more.
				w.Sleep(32 * 24 * time.Hour)
				reaches(w, room, "a month later", alice, bob, carol)
				agreed(w, room, alice, bob, carol)
			})
		})
	}
}

// TestReturnsTogether: two were out of step and are in the successor together. A
// plain member's word does not part them; an admin's brings both back.
func TestReturnsTogether(t *testing.T) {
	hearthtest.Run(t, func(w *hearthtest.World) {
		bob, carol, dave := w.Person("bob"), w.Person("carol"), w.Person("dave")
		alice, room := kitchen(w, bob, carol, dave)
		if _, err := alice.Client.GroupRole(alice.Patience(), room, "bob", "admin"); err != nil {
			t.Fatal(err)
		}
		w.Sleep(20 * time.Minute)
		before := outrun(w, room, bob, twice(w, room, bob), []*hearthtest.Person{bob, carol}, alice, dave)
		w.Sleep(20 * time.Minute)
		reaches(w, room, "two of us", alice, dave)
		w.Net.Online("carol")
		w.Sleep(10 * time.Minute)
		reaches(w, room, "still two of us", dave, alice)
		w.Net.Online("bob")
		for _, p := range []*hearthtest.Person{bob, carol} {
			p.Expect("two of us")
			p.Expect("still two of us")
		}
		agreed(w, room, alice, bob, carol, dave)
		if in, err := alice.Client.Inside(room); err != nil || in.Room != before.Room {
			t.Errorf("alice is in another room, %v", err)
		}
		for _, p := range []*hearthtest.Person{alice, dave} {
			// Whoever comes first is told of the other one.
			wantNotices(t, p, slices.DeleteFunc([]string{core.NoticeOutOfStep, core.NoticeMoved, core.NoticeRejoined, core.NoticeRefreshed},
				func(code string) bool { return code == core.NoticeRefreshed && !slices.Contains(noticesOf(p), code) })...)
		}
	})
}

// TestNotLuredBack: a founding counts, and the only one who is there says that it
// does not: a plain member takes the device back into the old room. It goes over
// again to the others once one of them is in the successor, with what it said.
func TestNotLuredBack(t *testing.T) {
	hearthtest.Run(t, func(w *hearthtest.World) {
		bob, carol := w.Person("bob"), w.Person("carol")
		alice, room := kitchen(w, bob, carol)
		if _, err := alice.Client.GroupRole(alice.Patience(), room, "bob", "admin"); err != nil {
			t.Fatal(err)
		}
		carol.Receipts(false)       // she says nothing by herself
		w.Sleep(8 * 24 * time.Hour) // the next that is said takes a renewal, which changes nothing
		renew := func() { bob.Send(room, "renewed") }
		before := outrun(w, room, bob, renew, []*hearthtest.Person{bob, carol}, alice)
		w.Sleep(15 * time.Minute)
		alice.Notice(core.NoticeMoved)
		// carol's client does not hear of the founding, and goes on in the old room.
		notices := 0
		w.Net.Tamper(func(l *hearthtest.Link, d hearthtest.Direction, f wire.Frame) []wire.Frame {
			var e wire.Entry
			if l.Person == "carol" && d == hearthtest.ToClient && f.Op == wire.OpEntry && wire.Decode(f.Body, &e) == nil && e.Kind == wire.KindNotice {
				if notices++; notices == 2 {
					e.Payload = []byte("nothing that opens")
					f.Body = wire.Encode(e)
				}
			}
			return []wire.Frame{f}
		})
		w.Net.Online("carol")
		alice.Notice(core.NoticeRejoined)
		if in, err := alice.Client.Inside(room); err != nil || in.Room != before.Room {
			t.Fatalf("alice was not lured, %v", err)
		}
		reaches(w, room, "to whom?", alice, carol)
		w.Net.Online("bob")
		bob.Expect("to whom?")
		reaches(w, room, "to both of us", bob, alice)
		in, err := alice.Client.Inside(room)
		if err != nil || in.Room == before.Room {
			t.Errorf("alice is still in the old room, %v", err)
		}
		if other, err := bob.Client.Inside(room); err != nil || other.Room != in.Room {
			t.Errorf("bob is elsewhere than alice, %v", err)
		}
		told(w, alice, core.NoticeOutOfStep, core.NoticeMoved, core.NoticeRejoined, core.NoticeMoved)
	})
}

// TestRoomGone: nobody opens a home for so long that the server drops what is
// there: the room, and everybody's doors. Each finds out when it is back; the
// conversation goes on in a new room, also for who comes a day after the others.
func TestRoomGone(t *testing.T) {
	hearthtest.Run(t, func(w *hearthtest.World) {
		bob, carol := w.Person("bob"), w.Person("carol")
		alice, room := kitchen(w, bob, carol)
		all := []*hearthtest.Person{alice, bob, carol}
		for _, p := range all {
			p.Stop()
		}
		w.Sleep(100 * 24 * time.Hour)
		for _, p := range all[:2] {
			if err := p.Start(); err != nil {
				t.Fatal(err)
			}
		}
		alice.Notice(core.NoticeGone)
		alice.TrySend(room, "is anybody here?")
		w.Sleep(30 * time.Minute)
		bob.Expect("is anybody here?")
		w.Sleep(24 * time.Hour)
		if err := carol.Start(); err != nil {
			t.Fatal(err)
		}
		carol.Notice(core.NoticeGone)
		w.Sleep(30 * time.Minute)
		reaches(w, room, "all here again", carol, alice, bob)
		reaches(w, room, "so we are", alice, bob, carol)
		wantNotices(t, alice, core.NoticeGone, core.NoticeMovedUntold, core.NoticeRefreshed)
		wantNotices(t, bob, core.NoticeGone, core.NoticeMovedUntold, core.NoticeRefreshed)
		wantNotices(t, carol, core.NoticeGone, core.NoticeRejoined)
		agreed(w, room, alice, bob, carol)
		// And whoever looks for one of them by the handle finds the new door.
		bob.Send("carol", "hello by handle")
		carol.Request()
	})
}
