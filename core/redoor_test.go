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
