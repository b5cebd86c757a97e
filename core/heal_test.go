package core_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"hearth/core"
	"hearth/hearthtest"
	"hearth/wire"
)

// friends are people in one group, "kitchen", that the first of them owns, all of
// whom have said something.
type friends struct {
	*hearthtest.World
	people []*hearthtest.Person
	room   string
}

func newFriends(w *hearthtest.World, names ...string) *friends {
	w.T.Helper()
	f := &friends{World: w}
	for _, n := range names {
		f.people = append(f.people, w.Person(n))
	}
	f.room = f.people[0].Group("kitchen", f.people[1:]...)
	for _, p := range f.people {
		p.Send(f.room, p.Name+" is here")
		for _, q := range f.people {
			if q != p {
				q.Expect(p.Name + " is here")
			}
		}
	}
	w.Sleep(15 * time.Minute) // past the renewals that follow joining
	for _, p := range f.people {
		p.Seen()
	}
	return f
}

// everybodyHears has each say something, which all others must read, and sees
// that all list the same members.
func (f *friends) everybodyHears(when string) {
	f.T.Helper()
	for _, p := range f.people {
		p.Send(f.room, p.Name+" "+when)
		for _, q := range f.people {
			if q != p {
				q.Expect(p.Name + " " + when)
			}
		}
	}
	want := f.people[0].Room(f.room)
	for _, p := range f.people {
		got := p.Room(f.room)
		if got.State != core.RoomOK || got.Epoch != want.Epoch {
			f.T.Errorf("%s: %s in epoch %d, want ok in %d", p.Name, got.State, got.Epoch, want.Epoch)
		}
		for _, m := range got.Members {
			if m.State != "joined" {
				f.T.Errorf("%s lists %s as %s", p.Name, m.Handle, m.State)
			}
		}
		if len(got.Members) != len(f.people) {
			f.T.Errorf("%s lists %d members, want %d", p.Name, len(got.Members), len(f.people))
		}
	}
}

// change has somebody change the group, by a commit.
func (f *friends) change(p *hearthtest.Person, retention string) {
	f.T.Helper()
	if _, err := p.Client.GroupSet(p.Patience(), f.room, core.GroupSettings{Retention: &retention}); err != nil {
		f.T.Fatal(err)
	}
}

// noticesOf returns the codes of the notices that somebody has read, each once,
// in order.
func noticesOf(p *hearthtest.Person) (codes []string) {
	for _, e := range p.Seen() {
		if e.Type == core.EventNotice && !slices.Contains(codes, e.Code) {
			codes = append(codes, e.Code)
		}
	}
	return codes
}

func wantNotices(t *testing.T, p *hearthtest.Person, want ...string) {
	t.Helper()
	if got := noticesOf(p); !slices.Equal(got, want) {
		t.Errorf("%s reads the notices %q, want %q", p.Name, got, want)
	}
}

// spoil garbles the next commit on its way to one person.
func spoil(w *hearthtest.World, person string) {
	done := false
	w.Net.Tamper(func(l *hearthtest.Link, d hearthtest.Direction, f wire.Frame) []wire.Frame {
		var e wire.Entry
		if done || l.Person != person || d != hearthtest.ToClient || f.Op != wire.OpEntry || wire.Decode(f.Body, &e) != nil || e.Kind != wire.KindCommit {
			return []wire.Frame{f}
		}
		done = true
		e.Payload = slices.Clone(e.Payload)
		e.Payload[len(e.Payload)/2] ^= 1
		f.Body = wire.Encode(e)
		return []wire.Frame{f}
	})
}

// TestHealACommitThatOnlySomeFollow: who cannot follow says so by a notice, is
// put back by a member, and what it had to say meanwhile reaches everybody.
func TestHealACommitThatOnlySomeFollow(t *testing.T) {
	hearthtest.Run(t, func(w *hearthtest.World) {
		f := newFriends(w, "alice", "bob", "carol")
		alice, bob, carol := f.people[0], f.people[1], f.people[2]
		spoil(w, "bob")
		f.change(alice, "7d")
		bob.Notice(core.NoticeOutOfStep)
		if s, err := bob.TrySend(f.room, "said while stuck"); err != nil || s.State == "" {
			t.Fatalf("bob cannot even queue: %v", err)
		}
		began := time.Now()
		bob.Notice(core.NoticeRejoined)
		if d := time.Since(began); d > 30*time.Second {
			t.Errorf("bob is back after %v, want within 30 s", d)
		}
		alice.Expect("said while stuck")
		carol.Expect("said while stuck")
		f.everybodyHears("afterwards")
		wantNotices(t, bob, core.NoticeOutOfStep, core.NoticeRejoined)
		wantNotices(t, carol, core.NoticeChanged, core.NoticeRefreshed)
		wantNotices(t, alice, core.NoticeRefreshed)
	})
}

// TestHealLapsed: forty days away, a commit lost for good; a member puts the
// device back by its door.
func TestHealLapsed(t *testing.T) {
	hearthtest.Run(t, func(w *hearthtest.World) {
		f := newFriends(w, "alice", "bob", "carol")
		bob := f.people[1]
		bob.Stop()
		f.change(f.people[0], "7d")
		w.Sleep(40 * 24 * time.Hour)
		if err := bob.Start(); err != nil {
			t.Fatal(err)
		}
		bob.Notice(core.NoticeLapsed)
		bob.Notice(core.NoticeRejoined)
		if e := bob.Seen()[len(bob.Seen())-1]; e.Code != core.NoticeRejoined || !strings.Contains(e.Text, "after 40 days") {
			t.Errorf("bob reads %q", e.Text)
		}
		f.everybodyHears("after forty days")
		wantNotices(t, bob, core.NoticeLapsed, core.NoticeRejoined)
		wantNotices(t, f.people[2], core.NoticeRefreshed) // of the change nothing is kept any more
	})
}

// noAcks lets nobody's acknowledgements through.
func noAcks(person string) hearthtest.Tamper {
	return func(l *hearthtest.Link, d hearthtest.Direction, f wire.Frame) []wire.Frame {
		if l.Person == person && d == hearthtest.ToServer && f.Op == wire.OpSeatAck {
			return nil
		}
		return []wire.Frame{f}
	}
}

// TestHealIntoASuccessor: a device was away for so long that neither the old log
// nor a Welcome is left of the conversation's move. It is let in where the others
// are, and what it had to say and to change is not lost.
func TestHealIntoASuccessor(t *testing.T) {
	hearthtest.Run(t, func(w *hearthtest.World) {
		f := newFriends(w, "alice", "bob", "carol")
		alice, bob, carol := f.people[0], f.people[1], f.people[2]
		if _, err := alice.Client.GroupRole(alice.Patience(), f.room, "bob", "admin"); err != nil {
			t.Fatal(err)
		}
		w.Sleep(time.Minute)
		bob.Seen()
		f.change(alice, "90d")
		w.Sleep(time.Minute)
		bob.Seen()
		w.Net.Offline("bob")
		if _, err := bob.TrySend(f.room, "said on a far island"); err != nil {
			t.Fatal(err)
		}
		name := "larder"
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		bob.Client.GroupSet(ctx, f.room, core.GroupSettings{Name: &name})
		bob.Stop()
		f.change(alice, "60d")
		away := w.Server("away")
		if m, err := alice.Client.GroupMove(alice.Patience(), f.room, away.URL); err != nil || m.State != core.MoveDone {
			t.Fatalf("got %+v, %v", m, err)
		}
		w.Sleep(40 * 24 * time.Hour)
		w.Net.Online("bob")
		if err := bob.Start(); err != nil {
			t.Fatal(err)
		}
		bob.Notice(core.NoticeLapsed)
		bob.Notice(core.NoticeRejoined)
		alice.Expect("said on a far island")
		carol.Expect("said on a far island")
		w.Sleep(10 * time.Minute)
		for _, p := range f.people {
			if r := p.Room(f.room); r.Name != name || r.Retention != "60d" {
				t.Errorf("%s: %q with the timer %s", p.Name, r.Name, r.Retention)
			}
		}
		f.everybodyHears("at the other end")
		wantNotices(t, bob, core.NoticeChanged, core.NoticeLapsed, core.NoticeRejoined)
	})
}

// TestHealAndLeave: somebody has left while offline, and falls out of step before
// anybody hears of it. The word is given again once the device is back.
func TestHealAndLeave(t *testing.T) {
	hearthtest.Run(t, func(w *hearthtest.World) {
		f := newFriends(w, "alice", "bob", "carol")
		alice, bob, carol := f.people[0], f.people[1], f.people[2]
		w.Net.Offline("bob")
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		bob.Client.GroupLeave(ctx, f.room)
		bob.Stop()
		f.change(alice, "60d")
		w.Sleep(40 * 24 * time.Hour)
		w.Net.Online("bob")
		if err := bob.Start(); err != nil {
			t.Fatal(err)
		}
		bob.Notice(core.NoticeLapsed)
		bob.Notice(core.NoticeRejoined)
		w.Sleep(10 * time.Minute)
		if got := bob.State(f.room); got != core.RoomLeft {
			t.Errorf("bob's room is %s", got)
		}
		for _, p := range []*hearthtest.Person{alice, carol} {
			if n := len(p.Members(f.room)); n != 2 {
				t.Errorf("%s lists %d members", p.Name, n)
			}
		}
	})
}
