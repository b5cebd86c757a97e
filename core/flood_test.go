package core_test

import (
	"crypto/rand"
	"testing"
	"time"

	"hearth/core"
	"hearth/hearthtest"
	"hearth/wire"
)

// TestFlooder: a member floods the group with what nobody can read. The owner is
// told of it, traces the posts, is told who it is, and takes that member out.
func TestFlooder(t *testing.T) {
	hearthtest.Run(t, func(w *hearthtest.World) {
		bob, carol := w.Person("bob"), w.Person("carol")
		alice, room := kitchen(w, bob, carol)
		w.Sleep(20 * time.Minute) // what follows joining is done
		m := turn(&stage{World: w}, carol, room)
		junk := func(traced bool) error {
			for range 60 {
				b := make([]byte, 600)
				rand.Read(b)
				p := wire.RoomPost{Room: m.Room, Epoch: wire.Epoch(m.Group.Epoch()), Token: m.token(m.Group), Payload: b, TTL: 3600}
				if traced {
					p.Seat, p.SeatSecret = &m.Seat, m.Secret
				}
				if err := m.raw.Ask(wire.OpRoomPost, p, new(wire.Appended)); err != nil {
					return err
				}
			}
			return nil
		}
		m.must(junk(false))
		alice.Notice(core.NoticeFlood)
		on := true
		if _, err := bob.Client.GroupSet(bob.Patience(), room, core.GroupSettings{Traced: &on}); !isCode(err, wire.Denied) {
			t.Errorf("a plain member traces posts: %v", err)
		}
		s, err := alice.Client.GroupSet(alice.Patience(), room, core.GroupSettings{Traced: &on})
		if err != nil || !s.Traced {
			t.Fatalf("got %+v, %v", s, err)
		}
		bob.Notice(core.NoticeChanged)
		// Carol's own client reads the commit, so that she may go on.
		w.Net.Online("carol")
		w.Sleep(2 * time.Minute)
		m = turn(&stage{World: w}, carol, room)
		if err := junk(false); err == nil {
			t.Error("the server takes a post without a seat")
		}
		m.raw = m.st.Raw("carol again")
		m.must(junk(true))
		e := alice.Await("who floods", func(e core.Event) bool { return e.Type == core.EventNotice && e.Code == core.NoticeFlooder })
		if e.Account != account(carol).String() {
			t.Errorf("alice is told of %s", e.From)
		}
		reaches(w, room, "we are traced", bob, alice)
		if _, err := alice.Client.GroupRemove(alice.Patience(), room, []string{"carol"}); err != nil {
			t.Error(err)
		}
		off := false
		if s, err := alice.Client.GroupSet(alice.Patience(), room, core.GroupSettings{Traced: &off}); err != nil || s.Traced {
			t.Errorf("got %+v, %v", s, err)
		}
		told(w, alice, core.NoticeFlood, core.NoticeFlooder)
		told(w, bob, core.NoticeChanged, core.NoticeChanged)
		reaches(w, room, "in peace", alice, bob)
	})
}

// TestTracedMoves: a successor of a traced room is traced.
func TestTracedMoves(t *testing.T) {
	hearthtest.Run(t, func(w *hearthtest.World) {
		bob := w.Person("bob")
		alice, room := kitchen(w, bob)
		on := true
		if _, err := alice.Client.GroupSet(alice.Patience(), room, core.GroupSettings{Traced: &on}); err != nil {
			t.Fatal(err)
		}
		if _, err := alice.Client.GroupMove(alice.Patience(), room, w.Server("away").URL); err != nil {
			t.Fatal(err)
		}
		reaches(w, room, "over here", alice, bob)
		w.Sleep(20 * time.Minute)
		traced := 0
		w.Net.Tamper(func(l *hearthtest.Link, d hearthtest.Direction, f wire.Frame) []wire.Frame {
			var e wire.Entry
			if l.Person == "alice" && d == hearthtest.ToClient && f.Op == wire.OpEntry && wire.Decode(f.Body, &e) == nil && e.Kind == wire.KindPost && e.Seat != nil {
				traced++
			}
			return []wire.Frame{f}
		})
		reaches(w, room, "and traced", bob, alice)
		if traced == 0 {
			t.Error("the successor does not show from which seat a post comes")
		}
	})
}
