package core

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"hearth/core/letter"
	"hearth/identity"
	"hearth/wire"
)

// fallOut makes a home believe that it cannot follow a room.
func (h *home) fallOut(room, code string) {
	h.t.Helper()
	h.inRoom(room, func(s *step, r *roomRecord, cv *conversation) error {
		return s.outOfStep(r, cv, code, "a test")
	})
}

// roomRecord is a room; tests call conversations rooms.
type roomRecord = room

// inRoom runs a step on a conversation's room.
func (h *home) inRoom(conv string, f func(s *step, r *roomRecord, cv *conversation) error) {
	h.t.Helper()
	err := h.c.step(h.ctx(), func(s *step) error {
		id, _ := parseConv(conv)
		cv, err := s.conv(id)
		if err != nil {
			return err
		}
		r, err := s.room(cv.Room)
		if err != nil {
			return err
		}
		if err := f(s, r, cv); err != nil {
			return err
		}
		s.putRoom(r)
		return nil
	})
	if err != nil {
		h.t.Fatalf("%s: %v", h.name, err)
	}
}

// healing returns how a home wants to come back.
func (h *home) healing(conv string) (out *healing) {
	h.t.Helper()
	h.inRoom(conv, func(s *step, r *roomRecord, _ *conversation) (err error) {
		out, err = s.healing(r.ID)
		return err
	})
	return out
}

// club is a group of these, owned by the first of them, past the renewals that
// follow joining.
func club(t *testing.T, names ...string) (homes []*home, room string) {
	t.Helper()
	w := newWorld(t)
	for _, n := range names {
		homes = append(homes, w.person(n))
	}
	room = groupOf(t, "club", homes...)
	time.Sleep(15 * time.Minute)
	return homes, room
}

// count returns how many notices with a code there are.
func count(events []Event, code string) (n int) {
	for _, e := range events {
		if e.Code == code {
			n++
		}
	}
	return n
}

// TestStateLost: records of a conversation are gone from a disk; what is left
// decides how the device is put back, and it is.
func TestStateLost(t *testing.T) {
	for name, lose := range map[string]func(s *step, r *room){
		"the group":    func(s *step, r *room) { s.del(epochName(r.ID)); s.del(ratchetName(r.ID)) },
		"the ratchets": func(s *step, r *room) { s.del(ratchetName(r.ID)) },
		"all but the room": func(s *step, r *room) { // it is told which leaf it holds
			for _, n := range []string{epochName(r.ID), ratchetName(r.ID), rosterName(r.ID), linkName(r.ID)} {
				s.del(n)
			}
		},
		"the room": func(s *step, r *room) { s.del(roomName(r.ID)) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t)
				alice, bob := w.person("alice"), w.person("bob")
				room := alice.send("bob", "hello").Room
				bob.accept()
				bob.send(room, "hello alice")
				time.Sleep(15 * time.Minute)
				alice.got()
				bob.got()
				r, _ := bob.record(room)
				bob.inRoomless(func(s *step) error {
					lose(s, r)
					return nil
				})
				bob.kill()
				bob.start()
				time.Sleep(15 * time.Minute)
				if got := codes(bob.got()); !slices.Equal(got, []string{NoticeStateLost, NoticeRejoined}) {
					t.Errorf("bob reads the notices %q", got)
				}
				alice.send(room, "from alice")
				bob.send(room, "from bob")
				if got := texts(bob.got()); !slices.Equal(got, []string{"from alice"}) {
					t.Errorf("bob reads %q", got)
				}
				if got := texts(alice.got()); !slices.Equal(got, []string{"from bob"}) {
					t.Errorf("alice reads %q", got)
				}
			})
		})
	}
}

// TestRemovedWhileAway: whoever was removed is told so by somebody who had the
// right to do it.
func TestRemovedWhileAway(t *testing.T) {
	bubble(t, func(t *testing.T) {
		homes, room := club(t, "alice", "bob", "carol")
		alice, bob, carol := homes[0], homes[1], homes[2]
		bob.got()
		bob.stop()
		if _, err := alice.c.GroupRemove(alice.ctx(), room, []string{"bob"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(40 * 24 * time.Hour)
		bob.start()
		time.Sleep(time.Minute)
		events := bob.got()
		if r := bob.room(room); r.State != RoomRemoved {
			t.Errorf("bob's room is %s after the notices %q", r.State, codes(events))
		}
		left := slices.ContainsFunc(events, func(e Event) bool { return e.Type == EventLeft && e.By == "alice@home.example" })
		if !left {
			t.Error("bob is not told by whom")
		}
		// Who was online all the while keeps its seat, for it has shown that it
		// entered the epoch behind the removal.
		for _, p := range []*home{alice, carol} {
			if r := p.room(room); r.State != RoomOK || len(r.Members) != 2 {
				t.Errorf("%s: %s with %d members", p.name, r.State, len(r.Members))
			}
		}
	})
}

// TestGroupLost: all that a device knew of a group is gone, who is in it included,
// and the account has no other device. It asks those who spoke there.
func TestGroupLost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob, carol := w.person("alice"), w.person("bob"), w.person("carol")
		room := groupOf(t, "club", alice, bob, carol)
		alice.send(room, "alice is here")
		time.Sleep(15 * time.Minute)
		bob.got()
		bob.inRoom(room, func(s *step, r *roomRecord, _ *conversation) error {
			for _, n := range []string{epochName(r.ID), ratchetName(r.ID), rosterName(r.ID), linkName(r.ID)} {
				s.del(n)
			}
			return nil
		})
		bob.kill()
		bob.start()
		time.Sleep(15 * time.Minute)
		if got := codes(bob.got()); !slices.Equal(got, []string{NoticeStateLost, NoticeRejoined}) {
			t.Errorf("bob reads the notices %q", got)
		}
		alice.send(room, "there you are")
		if got := texts(bob.got()); !slices.Contains(got, "there you are") {
			t.Errorf("bob reads %q", got)
		}
		agree(t, room, alice, bob, carol)
	})
}

// badSeats is the connection of somebody who gives those that it adds to a room
// places which do not open.
type badSeats struct{ wire.Conn }

func (c badSeats) Write(ctx context.Context, b []byte) error {
	var f wire.Frame
	var q wire.RoomCommit
	if wire.Decode(b, &f) == nil && f.Op == wire.OpRoomCommit && wire.Decode(f.Body, &q) == nil {
		for i := range q.Add {
			q.Add[i].Hash = wire.NewSecret().Hash()
		}
		f.Body = wire.Encode(q)
		b = wire.Encode(f)
	}
	return c.Conn.Write(ctx, b)
}

// TestSeatSuspect: the place on the server that a device was given does not open.
// It comes in by doors, and admins are told who gave it the place.
func TestSeatSuspect(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob, carol := w.person("alice"), w.person("bob"), w.person("carol")
		room := groupOf(t, "club", alice, bob, carol)
		if _, err := alice.c.GroupRole(alice.ctx(), room, "bob", "admin"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(15 * time.Minute)
		bob.stop()
		bob.wrap = func(c wire.Conn) wire.Conn { return badSeats{c} }
		bob.start()
		dave := w.person("dave")
		if _, err := bob.c.GroupAdd(bob.ctx(), room, []string{"dave"}); err != nil {
			t.Fatal(err)
		}
		for _, p := range []*home{alice, bob, carol} {
			p.got()
		}
		dave.accept()
		time.Sleep(15 * time.Minute)
		if got := codes(dave.got()); !slices.Equal(got, []string{NoticeSeatLost, NoticeRejoined}) {
			t.Errorf("dave reads the notices %q", got)
		}
		var suspects []string
		for _, e := range alice.got() {
			if e.Code == NoticeSuspect {
				suspects = append(suspects, e.From)
			}
		}
		if !slices.Equal(suspects, []string{"bob@home.example"}) {
			t.Errorf("alice is told of %q", suspects)
		}
		// Neither the suspect nor those who can't do anything about it.
		for _, p := range []*home{bob, carol} {
			if got := codes(p.got()); slices.Contains(got, NoticeSuspect) || !slices.Contains(got, NoticeRefreshed) {
				t.Errorf("%s reads the notices %q", p.name, got)
			}
		}
		agree(t, room, alice, bob, carol, dave)
	})
}

// TestAskedWhileOut: whoever is asked to put somebody back while it is out of step
// itself does so when it is back.
func TestAskedWhileOut(t *testing.T) {
	bubble(t, func(t *testing.T) {
		homes, room := club(t, "alice", "bob", "carol")
		alice, bob, carol := homes[0], homes[1], homes[2]
		alice.stop()
		carol.inRoom(room, func(s *step, r *roomRecord, cv *conversation) error {
			ro, err := s.roster(r.ID)
			if err != nil {
				return err
			}
			me, err := s.me()
			if err != nil {
				return err
			}
			r.State = roomOutOfStep
			later := s.c.now().Add(askAgain).Unix() // nobody else is asked
			h := &healing{Room: r.ID, Conv: r.Conv, Since: s.c.now().Unix(), Siblings: later, Members: later, Unseated: true}
			h.Leaves = append(h.Leaves, ro.LeavesOf(me.ID)[0].Hash)
			err = s.ask(h, cv, ro)
			s.put(healingName(r.ID), h)
			return err
		})
		body := letter.Rejoin{Request: carol.healing(room).Request}.Encode()
		bob.fallOut(room, NoticeSeatLost)
		bob.inRoomless(func(s *step) error { return s.hearRejoin(body) })
		time.Sleep(time.Minute)
		alice.start()
		time.Sleep(5 * time.Minute)
		agree(t, room, alice, bob, carol)
	})
}

// TestOwnSeatIsNobodysFault: once a device's own seat has taken the place of the
// one that it was given, who gave it cannot have spoiled it. That is when it has
// joined: no later renewal helps it.
func TestOwnSeatIsNobodysFault(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		homes := []*home{w.person("alice"), w.person("bob"), w.person("carol")}
		room := groupOf(t, "club", homes...)
		settle(homes...)
		for _, h := range homes[1:] {
			h.inRoom(room, func(s *step, r *roomRecord, _ *conversation) error {
				if by, err := s.suspect(r.ID); err != nil || by != (wire.AccountID{}) || r.Old != nil {
					t.Errorf("%s would suspect who added them: %v; its seat is its own: %v, %v", h.name, by != (wire.AccountID{}), r.Old == nil, err)
				}
				return nil
			})
		}
	})
}

// TestLiars: a plain member says that somebody was removed, and which leaf it
// holds; neither has an effect, and whoever tells the truth is believed.
func TestLiars(t *testing.T) {
	bubble(t, func(t *testing.T) {
		homes, room := club(t, "alice", "bob", "carol")
		alice, bob, carol := homes[0], homes[1], homes[2]
		bob.got()
		alice.stop()
		key, chain, _, err := carol.c.Identity()
		if err != nil {
			t.Fatal(err)
		}
		carol.stop() // its client would put bob back
		bob.fallOut(room, NoticeLapsed)
		synctest.Wait()
		id, _ := parseConv(room)
		lie := func(v letter.Verdict) {
			t.Helper()
			h := bob.healing(room)
			v.Conversation, v.Ref, v.Account = id, h.Ref, chain.Account()
			body, err := letter.NewVerdict(key, v)
			if err != nil {
				t.Fatal(err)
			}
			parsed, err := letter.ParseVerdict(body, func(wire.AccountID) (*identity.Chain, bool) { return chain, true })
			if err != nil {
				t.Fatal(err)
			}
			bob.inRoomless(func(s *step) error { return s.hearVerdict(&parsed) })
		}
		lie(letter.Verdict{Removed: true})
		if r := bob.room(room); r.State != RoomOutOfStep {
			t.Errorf("after a plain member's lie bob's room is %s", r.State)
		}
		for i := range 100 {
			lie(letter.Verdict{Leaf: [32]byte{byte(i), 1}})
		}
		if n := len(bob.healing(room).Leaves); n > 40 {
			t.Errorf("bob believes in %d leaves", n)
		}
		alice.start()
		time.Sleep(time.Minute)
		if r := bob.room(room); r.State != RoomOK {
			t.Errorf("with alice online bob's room is %s", r.State)
		}
		alice.send(room, "welcome back")
		if got := texts(bob.got()); !slices.Contains(got, "welcome back") {
			t.Errorf("bob reads %q", got)
		}
	})
}

// inRoomless runs a step that needs no room.
func (h *home) inRoomless(f func(*step) error) {
	h.t.Helper()
	if err := h.c.step(h.ctx(), f); err != nil {
		h.t.Fatalf("%s: %v", h.name, err)
	}
}

// TestOneRefreshEach: several members could answer: one does, a request that
// comes again changes nothing, one that was changed is not heard, and a device
// that asks all day is put back as often as its seat may speak.
func TestOneRefreshEach(t *testing.T) {
	bubble(t, func(t *testing.T) {
		homes, room := club(t, "alice", "bob", "carol", "dave")
		alice, bob, carol, dave := homes[0], homes[1], homes[2], homes[3]
		carol.got()
		epoch := alice.room(room).Epoch
		bob.fallOut(room, NoticeOutOfStep)
		body := letter.Rejoin{Request: bob.healing(room).Request}.Encode()
		time.Sleep(15 * time.Minute)
		// One commit puts bob back, one renews his leaf.
		if r := bob.room(room); r.State != RoomOK || r.Epoch > epoch+2 {
			t.Errorf("bob's room is %s, %d commits later", r.State, r.Epoch-epoch)
		}
		epoch = alice.room(room).Epoch
		for _, p := range []*home{alice, carol, dave} {
			p.inRoomless(func(s *step) error { return s.hearRejoin(body) })
			changed := mustRejoin(t, body)
			changed.Request = slices.Clone(changed.Request)
			changed.Request[len(changed.Request)/2] ^= 1
			p.inRoomless(func(s *step) error { return s.hearRejoin(changed.Encode()) })
		}
		time.Sleep(time.Minute)
		if got := alice.room(room).Epoch; got != epoch {
			t.Errorf("an old request makes %d commits", got-epoch)
		}
		if n := count(carol.got(), NoticeRefreshed); n != 1 {
			t.Errorf("carol is told %d times that bob was put back", n)
		}
		for range 10 {
			time.Sleep(time.Hour)
			if bob.room(room).State == RoomOK {
				bob.fallOut(room, NoticeOutOfStep)
			}
		}
		time.Sleep(15 * time.Minute)
		if n := count(carol.got(), NoticeRefreshed); n > refreshesPerDay {
			t.Errorf("in a day bob is put back %d times", n)
		}
		time.Sleep(2 * noticeDay)
		if r := bob.room(room); r.State != RoomOK {
			t.Errorf("two days later bob's room is %s", r.State)
		}
		agree(t, room, alice, bob, carol, dave)
	})
}

func mustRejoin(t *testing.T, b []byte) letter.Rejoin {
	t.Helper()
	j, err := letter.ParseRejoin(b)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// TestNobodyOnlineForADay: who answers when it comes back does so then, whether
// or not it is the first in rank.
func TestNobodyOnlineForADay(t *testing.T) {
	bubble(t, func(t *testing.T) {
		homes, room := club(t, "alice", "bob", "carol")
		alice, bob, carol := homes[0], homes[1], homes[2]
		bob.got()
		alice.stop()
		carol.stop()
		bob.fallOut(room, NoticeOutOfStep)
		time.Sleep(26 * time.Hour)
		if s := bob.sendSoon(room, "waits"); s.State != StateQueued {
			t.Errorf("a message is %s while nobody could put bob back", s.State)
		}
		carol.start() // the last in rank
		time.Sleep(5 * time.Minute)
		if r := bob.room(room); r.State != RoomOK {
			t.Fatalf("bob's room is %s", r.State)
		}
		alice.start()
		time.Sleep(time.Minute)
		for _, p := range []*home{alice, carol} {
			if got := texts(p.got()); !slices.Contains(got, "waits") {
				t.Errorf("%s reads %q", p.name, got)
			}
		}
		agree(t, room, alice, bob, carol)
	})
}

// sendSoon sends without waiting long.
func (h *home) sendSoon(to, text string) Sent {
	h.t.Helper()
	ctx, cancel := shortly()
	defer cancel()
	s, err := h.c.Send(ctx, SendOptions{To: to, Text: text})
	if err != nil {
		h.t.Fatalf("%s: send: %v", h.name, err)
	}
	return s
}

// TestRemovedWhileNobodyIsThere: who was taken out while away is told so by whoever is
// there, the one who let them in and does not look often included; nobody waits
// for another to say it.
func TestRemovedWhileNobodyIsThere(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob, carol := w.person("alice"), w.person("bob"), w.person("carol")
		g, err := alice.c.GroupNew(alice.ctx(), "Sunday", []string{"bob", "carol"})
		if err != nil {
			t.Fatal(err)
		}
		bob.accept()
		carol.accept()
		synctest.Wait()
		carol.stop()
		if _, err := alice.c.GroupRemove(alice.ctx(), g.Room, []string{"carol"}); err != nil {
			t.Fatal(err)
		}
		alice.stop()
		bob.stop()
		carol.start() // nobody is there who could tell
		if got := codes(carol.got()); !slices.Equal(got, []string{NoticeSeatLost}) {
			t.Fatalf("carol is told %q", got)
		}
		carol.stop()
		alice.start()
		bob.start()
		carol.start()
		time.Sleep(time.Minute)
		rooms, err := carol.c.Rooms(carol.ctx())
		if err != nil || len(rooms) != 1 || rooms[0].State != RoomRemoved {
			t.Errorf("carol's rooms: %+v, %v", rooms, err)
		}
	})
}

// TestRemovedBeforeAnswering: an invitation was taken back before anybody answered
// it. Whoever accepts it then is told so, also by those who know it by its handle
// alone, and by an owner who has left since.
func TestRemovedBeforeAnswering(t *testing.T) {
	for _, leaves := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			w := newWorld(t)
			alice, bob, carol := w.person("alice"), w.person("bob"), w.person("carol")
			g, err := alice.c.GroupNew(alice.ctx(), "Sunday", []string{"bob", "carol"})
			if err != nil {
				t.Fatal(err)
			}
			bob.request()
			carol.accept()
			if _, err := alice.c.GroupRemove(alice.ctx(), g.Room, []string{"bob"}); err != nil {
				t.Fatal(err)
			}
			if leaves {
				if _, err := alice.c.GroupLeave(alice.ctx(), g.Room); err != nil {
					t.Fatal(err)
				}
			}
			bob.accept()
			time.Sleep(2 * time.Hour)
			rooms, err := bob.c.Rooms(bob.ctx())
			if err != nil || len(rooms) != 1 || rooms[0].State != RoomRemoved {
				t.Errorf("the owner has left: %v; bob's rooms: %+v, %v", leaves, rooms, err)
			}
		})
	}
}
