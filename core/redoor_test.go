package core

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"hearth/wire"
)

// asksDirectory counts the questions to a directory that leave a home.
type asksDirectory struct {
	wire.Conn
	n *int
}

func (c asksDirectory) Write(ctx context.Context, b []byte) error {
	var f wire.Frame
	if wire.Decode(b, &f) == nil && f.Op == wire.OpAccountGet {
		*c.n++
	}
	return c.Conn.Write(ctx, b)
}

// noSeats is the connection to a server that opens no seat, until it was asked for
// so many doors that somebody must have lost their patience.
type noSeats struct {
	wire.Conn
	doors *int
}

func (c noSeats) Write(ctx context.Context, b []byte) error {
	var f wire.Frame
	var q wire.SeatOpen
	if wire.Decode(b, &f) != nil {
		return c.Conn.Write(ctx, b)
	}
	if f.Op == wire.OpDoorCreate {
		*c.doors++
	}
	if f.Op == wire.OpSeatOpen && *c.doors < 50 && wire.Decode(f.Body, &q) == nil {
		q.Secret = wire.NewSecret()
		f.Body = wire.Encode(q)
		b = wire.Encode(f)
	}
	return c.Conn.Write(ctx, b)
}

// TestDoorsThatNeverOpen: a server that opens no door of ours is asked for new ones
// now and then, not one after another.
func TestDoorsThatNeverOpen(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.person("alice"), w.person("bob")
		alice.stop()
		doors := 0
		alice.wrap = func(c wire.Conn) wire.Conn { return noSeats{c, &doors} }
		alice.start()
		time.Sleep(30 * time.Minute)
		if doors != 2 { // the private one, and the one behind the handle
			t.Errorf("in half an hour alice makes %d doors", doors)
		}
		time.Sleep(5 * time.Hour)
		if doors < 4 || doors > 12 {
			t.Errorf("in five hours alice makes %d doors", doors)
		}
		alice.stop()
		alice.wrap = nil
		alice.start()
		time.Sleep(2 * time.Hour)
		bob.send("alice", "there you are")
		alice.accept()
	})
}

// TestSeekPerson: the directory that knows a person's handle says where it is
// reached by now. Where it does not answer, what was known stays; about somebody
// without a handle nobody is asked.
func TestSeekPerson(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		asked := 0
		alice, bob, carol := w.person("alice"), w.home("bob"), w.person("")
		bob.wrap = func(c wire.Conn) wire.Conn { return asksDirectory{c, &asked} }
		bob.start()
		if _, err := bob.c.Register(bob.ctx(), RegisterOptions{Name: "bob", Server: testServer}); err != nil {
			t.Fatal(err)
		}
		groupOf(t, "club", alice, bob)
		known := func(h *home) (p *person) {
			t.Helper()
			me, err := h.c.self(h.ctx())
			if err != nil {
				t.Fatal(err)
			}
			bob.inRoomless(func(s *step) error {
				p, err = s.person(me.ID)
				return err
			})
			return p
		}
		seek := func(p *person) *person {
			t.Helper()
			return bob.c.seekPerson(bob.ctx(), p)
		}
		if _, err := bob.c.Safety(bob.ctx(), "alice"); err != nil {
			t.Fatal(err)
		}
		before := known(alice)
		if before.Handle != "alice@home.example" {
			t.Fatalf("bob knows alice as %q", before.Handle)
		}
		var next wire.RoomID
		alice.inRoomless(func(s *step) error {
			public, _, err := s.doors()
			if err != nil {
				return err
			}
			if err := s.replaceDoor(public.ID); err != nil {
				return err
			}
			public, _, err = s.doors()
			next = public.ID
			return err
		})
		synctest.Wait()
		time.Sleep(time.Minute)
		leads := func(a address) bool { return a.ID == next }
		if slices.ContainsFunc(known(alice).Knocks, leads) {
			t.Fatal("bob knows alice's new door already")
		}

		// Nobody answers.
		w.cut()
		at := time.Now()
		if p := seek(before); p != before || time.Since(at) > introduceWithin {
			t.Errorf("without an answer after %v: %+v", time.Since(at), p)
		}
		w.mend()
		time.Sleep(10 * time.Minute)

		asked = 0
		if p := seek(before); !slices.ContainsFunc(p.Knocks, leads) || !slices.ContainsFunc(known(alice).Knocks, leads) {
			t.Errorf("alice is reached at %+v", p.Knocks)
		}
		if asked != 1 {
			t.Errorf("bob asked %d times", asked)
		}

		// carol has no name.
		link, err := carol.c.Invite(carol.ctx(), 1, 0)
		if err != nil {
			t.Fatal(err)
		}
		bob.send(link.Link, "hello")
		synctest.Wait()
		asked = 0
		if p := known(carol); seek(p) != p || len(p.Chain) == 0 || asked != 0 {
			t.Errorf("bob asks %d times about somebody without a handle", asked)
		}
	})
}
