package core

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"hearth/core/lane"
	"hearth/core/letter"
	"hearth/wire"
)

// notices posts notices of a kind that nobody knows from a home, and returns how
// many notices of the room the server has.
func (h *home) postNotices(room string, n int) {
	h.t.Helper()
	err := h.c.step(h.ctx(), func(s *step) error {
		id, _ := parseConv(room)
		cv, err := s.conv(id)
		if err != nil {
			return err
		}
		r, err := s.room(cv.Room)
		for i := range n {
			s.postNotice(r, 99, fmt.Append(nil, i))
		}
		s.putRoom(r)
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

// TestNoticesAreFourADay: more of them wait for the next day, across a restart
// too, and the server never has to refuse one.
func TestNoticesAreFourADay(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		posted := 0
		w.wrap = func(c wire.Conn) wire.Conn {
			return &tampered{Conn: c, f: func(f wire.Frame) []wire.Frame {
				if f.Op == wire.OpEntry {
					var e wire.Entry
					if wire.Decode(f.Body, &e) == nil && e.Kind == wire.KindNotice {
						posted++
					}
				}
				return []wire.Frame{f}
			}}
		}
		alice, bob := w.person("alice"), w.person("bob")
		room := groupOf(t, "kitchen", alice, bob)
		bob.stop() // so that each notice is counted once
		synctest.Wait()
		alice.postNotices(room, wire.NoticesPerDay+2)
		time.Sleep(time.Hour)
		if posted != wire.NoticesPerDay {
			t.Errorf("on the first day %d notices are posted, want %d", posted, wire.NoticesPerDay)
		}
		alice.stop()
		alice.start()
		time.Sleep(time.Hour)
		if posted != wire.NoticesPerDay {
			t.Errorf("after a restart %d notices are posted, want %d", posted, wire.NoticesPerDay)
		}
		time.Sleep(noticeDay)
		if posted != wire.NoticesPerDay+2 {
			t.Errorf("on the second day %d notices are posted, want %d", posted, wire.NoticesPerDay+2)
		}
	})
}

// TestNoticesAreOfLeaves: what does not open, or is not of a leaf, is passed
// over, and what comes behind it is read.
func TestNoticesAreOfLeaves(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob, carol := w.person("alice"), w.person("bob"), w.person("carol")
		room := groupOf(t, "kitchen", alice, bob)
		week := "7d"
		if _, err := alice.c.GroupSet(alice.ctx(), room, GroupSettings{Retention: &week}); err != nil {
			t.Fatal(err)
		}
		carolKey, carolChain, _, err := carol.c.Identity()
		if err != nil {
			t.Fatal(err)
		}
		in, err := alice.c.Inside(room)
		if err != nil {
			t.Fatal(err)
		}
		// number is the newest notice out of step that bob has heard.
		number := func() (n wire.Number) {
			t.Helper()
			if err := bob.c.look(bob.ctx(), func(s *step) error {
				_, err := s.get(stepNoticeName(in.Room), &n)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			return n
		}
		post := func(payload []byte) {
			t.Helper()
			err := alice.c.net.To(testServer, lane.Seats).Do(alice.ctx(), wire.OpRoomNotice,
				wire.RoomNotice{Room: in.Room, Seat: in.Seat, SeatSecret: in.Secret, Payload: payload}, new(wire.Appended))
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		var links []letter.LinkKey
		alice.c.look(alice.ctx(), func(s *step) (err error) {
			links, err = s.linkKeys(in.Room)
			return err
		})
		if len(links) != 2 || links[0].Epoch != links[1].Epoch+1 {
			t.Fatalf("alice keeps the link keys of %d epochs, want the last two", len(links))
		}
		post([]byte("nothing sealed"))
		ghost, err := letter.SealNotice(links[0], carolKey, letter.Notice{Kind: letter.NoticeOutOfStep, Room: in.Room,
			Leaf: uint32(in.Group.OwnLeaf()), Account: carolChain.Account()})
		if err != nil {
			t.Fatal(err)
		}
		post(ghost)
		if n := number(); n != 0 {
			t.Errorf("bob hears a notice of somebody who is no member, number %d", n)
		}
		key, chain, _, err := alice.c.Identity()
		if err != nil {
			t.Fatal(err)
		}
		for _, link := range links {
			before := number()
			good, err := letter.SealNotice(link, key, letter.Notice{Kind: letter.NoticeOutOfStep, Room: in.Room,
				Leaf: uint32(in.Group.OwnLeaf()), Account: chain.Account()})
			if err != nil {
				t.Fatal(err)
			}
			post(good)
			if n := number(); n <= before {
				t.Errorf("bob does not hear alice's notice under the key of epoch %d", link.Epoch)
			}
		}
		alice.send(room, "after them")
		if got := texts(bob.got()); len(got) == 0 || got[len(got)-1] != "after them" {
			t.Errorf("bob reads %q", got)
		}
	})
}
