package core

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hearth/content"
	"hearth/core/roster"
	"hearth/wire"
)

// three is alice with a phone, and bob, who both write to each other.
func withPhone(t *testing.T) (w *world, alice, phone, bob *home, room string) {
	w = newWorld(t)
	alice, bob = w.person("alice"), w.person("bob")
	alice.send("bob", "hello bob")
	room = bob.accept()
	phone = w.link(alice, "phone")
	settle(alice, phone, bob)
	for _, h := range []*home{alice, phone, bob} {
		h.got()
	}
	return w, alice, phone, bob, room
}

func (h *home) requests() []Request {
	h.t.Helper()
	synctest.Wait()
	rs, err := h.c.Requests(h.ctx())
	if err != nil {
		h.t.Fatal(err)
	}
	return rs
}

// A request reaches every device; what one answers holds for all.
func TestSyncRequests(t *testing.T) {
	for _, c := range []struct {
		name           string
		accept, phones bool // phones: the phone is the one that answers
	}{{"accepted", true, false}, {"accepted on the phone", true, true}, {"declined", false, false}} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w, alice, phone, _, _ := withPhone(t)
				carol := w.person("carol")
				carol.send("alice", "it is carol")
				settle(carol)
				one, other := alice, phone
				if c.phones {
					one, other = phone, alice
				}
				if len(one.requests()) != 1 || len(other.requests()) != 1 {
					t.Fatalf("requests: %+v and %+v", one.requests(), other.requests())
				}
				answer := one.c.Accept
				if !c.accept {
					answer = one.c.Decline
				}
				if _, err := answer(one.ctx(), one.requests()[0].ID); err != nil {
					t.Fatal(err)
				}
				settle(one, other, carol)
				time.Sleep(10 * time.Second)
				synctest.Wait()
				if len(one.requests())+len(other.requests()) != 0 {
					t.Errorf("requests left: %+v and %+v", one.requests(), other.requests())
				}
				carol.c.Send(carol.ctx(), SendOptions{To: "alice", Text: "and again"})
				settle(carol)
				want := []string{"it is carol", "and again"}
				if !c.accept {
					want = nil
				}
				for _, h := range []*home{one, other} {
					if got := texts(h.got()); !slices.Equal(got, want) {
						t.Errorf("%s got %v, want %v", h.name, got, want)
					}
				}
				// Who has declined is invited once more, by the second text, on both devices.
				again := map[bool]int{true: 0, false: 1}[c.accept]
				if len(one.requests()) != again || len(other.requests()) != again {
					t.Errorf("requests after the second text: %+v and %+v", one.requests(), other.requests())
				}
				rooms, _ := carol.c.Rooms(carol.ctx())
				in, err := carol.c.Inside(rooms[0].Room)
				if err != nil || len(in.Roster.LeavesOf(roomPeer(t, alice))) != 2 {
					t.Errorf("carol sees %d leaves of alice", len(in.Roster.LeavesOf(roomPeer(t, alice))))
				}
			})
		})
	}
}

func roomPeer(t *testing.T, h *home) wire.AccountID {
	me, err := h.c.self(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return me.ID
}

// A decline takes out all leaves of the account, though each device knows its own
// only.
func TestSyncDeclineTakesAllLeavesOut(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, alice, phone, _, _ := withPhone(t)
		carol := w.person("carol")
		carol.send("alice", "it is carol")
		settle(carol)
		rooms, _ := carol.c.Rooms(carol.ctx())
		in, err := carol.c.Inside(rooms[0].Room)
		if err != nil || len(in.Roster.LeavesOf(roomPeer(t, alice))) != 2 {
			t.Fatalf("carol has invited %d devices, %v", len(in.Roster.LeavesOf(roomPeer(t, alice))), err)
		}
		phone.requests()
		phone.stop() // nothing is said in its name but by alice
		if _, err := alice.c.Decline(alice.ctx(), alice.requests()[0].ID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		in, err = carol.c.Inside(rooms[0].Room)
		if err != nil || len(in.Roster.LeavesOf(roomPeer(t, alice))) != 0 {
			t.Errorf("after the decline carol sees %d leaves of alice, %v", len(in.Roster.LeavesOf(roomPeer(t, alice))), err)
		}
	})
}

// gate keeps entries from a client while it is shut.
type gate struct {
	shut atomic.Bool
	open chan struct{}
}

type gated struct {
	wire.Conn
	*gate
}

func (c gated) Read(ctx context.Context) ([]byte, error) {
	b, err := c.Conn.Read(ctx)
	var f wire.Frame
	if err == nil && c.shut.Load() && wire.Decode(b, &f) == nil && f.Op == wire.OpEntry {
		<-c.open
	}
	return b, err
}

// Where two devices answer differently, the first answer in the self room's log
// is everybody's: neither has read the other's when it gives its own.
func TestSyncTheFirstAnswerDecides(t *testing.T) {
	for _, first := range []string{"accepted", "declined"} {
		t.Run(first, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w, alice, phone, _, _ := withPhone(t)
				carol := w.person("carol")
				carol.send("alice", "it is carol")
				settle(carol)
				g := &gate{open: make(chan struct{})}
				var of decision
				for _, h := range []*home{alice, phone} {
					h.stop()
					h.wrap = func(c wire.Conn) wire.Conn { return gated{c, g} }
					h.start()
				}
				settle(alice, phone)
				a, p := alice.requests()[0].ID, phone.requests()[0].ID
				alice.inRoomless(func(s *step) error {
					return s.scan("request", func(_ string, b []byte) (bool, error) {
						rq := new(request)
						err := decodeRecord(b, rq)
						of = rq.decision(true)
						return false, err
					})
				})
				time.Sleep(time.Minute)
				g.shut.Store(true)
				answers := make(chan string, 2)
				posts := []func() (Answered, error){
					func() (Answered, error) { return alice.c.Accept(alice.ctx(), a) },
					func() (Answered, error) { return phone.c.Decline(phone.ctx(), p) },
				}
				if first == "declined" {
					slices.Reverse(posts)
				}
				for _, f := range posts {
					go func() {
						got, err := f()
						if err != nil {
							t.Error(err)
						}
						answers <- got.State
					}()
					synctest.Wait() // it is in the log, and read by nobody
				}
				if len(answers) != 0 {
					t.Fatal("a device knows the answer before the log says it")
				}
				g.shut.Store(false)
				close(g.open)
				if one, other := <-answers, <-answers; one != first || other != first {
					t.Errorf("one device says %s, the other %s, want %s", one, other, first)
				}
				settle(alice, phone, carol)
				time.Sleep(10 * time.Second)
				synctest.Wait()
				if n := len(alice.requests()) + len(phone.requests()); n != 0 {
					t.Errorf("%d requests are left", n)
				}
				for _, h := range []*home{alice, phone} {
					var accept bool
					h.inRoomless(func(s *step) error {
						_, err := s.get(of.name(), &accept)
						return err
					})
					if accept != (first == "accepted") {
						t.Errorf("%s remembers the last answer", h.name)
					}
					if n, want := len(texts(h.got())), map[string]int{"accepted": 1, "declined": 0}[first]; n != want {
						t.Errorf("%s got %d messages, want %d", h.name, n, want)
					}
				}
			})
		})
	}
}

func TestSyncReadMarks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, alice, phone, bob, room := withPhone(t)
		unread := func(h *home) int {
			t.Helper()
			rooms, err := h.c.Rooms(h.ctx())
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range rooms {
				if r.Room == room {
					return r.Unread
				}
			}
			return -1
		}
		bob.send("alice", "one")
		bob.send("alice", "two")
		settle(bob)
		synctest.Wait()
		if unread(alice) != 2 || unread(phone) != 2 {
			t.Fatalf("unread: %d and %d", unread(alice), unread(phone))
		}
		if got := texts(alice.got()); len(got) != 2 {
			t.Fatal(got)
		}
		bob.send("alice", "three")
		settle(bob)
		if unread(phone) != 3 {
			t.Errorf("a mark came at once: %d unread", unread(phone))
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if unread(alice) != 1 || unread(phone) != 1 {
			t.Errorf("after a while: %d and %d unread, want 1 and 1", unread(alice), unread(phone))
		}
		// Own words count as read everywhere.
		alice.send("bob", "mine")
		settle(alice)
		synctest.Wait()
		if unread(phone) != 1 {
			t.Errorf("an own message counts as unread: %d", unread(phone))
		}
		// History is a look, too.
		if _, err := phone.c.History(phone.ctx(), room, 0); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if unread(alice) != 0 {
			t.Errorf("%d unread after the phone has looked", unread(alice))
		}
	})
}

func TestSyncBlocks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, alice, phone, bob, _ := withPhone(t)
		if _, err := phone.c.Block(phone.ctx(), "bob"); err != nil {
			t.Fatal(err)
		}
		settle(phone, alice)
		bob.send("alice", "do you hear me?")
		settle(bob)
		for _, h := range []*home{alice, phone} {
			if got := texts(h.got()); len(got) != 0 {
				t.Errorf("%s hears %v", h.name, got)
			}
		}
		// Both devices take the way in.
		for _, h := range []*home{alice, phone} {
			h.c.look(t.Context(), func(s *step) error {
				if _, d, _ := s.doors(); d.RotateAt == 0 {
					t.Errorf("%s keeps its contacts' key", h.name)
				}
				return nil
			})
		}
		if _, err := alice.c.Unblock(alice.ctx(), "bob"); err != nil {
			t.Fatal(err)
		}
		settle(alice, phone)
		bob.send("alice", "and now?")
		settle(bob)
		for _, h := range []*home{alice, phone} {
			if got := texts(h.got()); !slices.Equal(got, []string{"and now?"}) {
				t.Errorf("%s hears %v", h.name, got)
			}
		}
	})
}

func TestSyncContactsAndSettings(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, alice, phone, _, _ := withPhone(t)
		carol := w.person("carol")
		link, err := carol.c.Invite(carol.ctx(), 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := alice.c.AddContact(alice.ctx(), link.Link); err != nil {
			t.Fatal(err)
		}
		settle(alice, phone, carol)
		me := roomPeer(t, carol)
		got, err := phone.c.Safety(phone.ctx(), me.String())
		if err != nil || !got.Verified {
			t.Errorf("the phone knows carol as %+v, %v", got, err)
		}
		// A value that any feature keeps: the last one posted counts.
		value := func(h *home) (v string) {
			h.c.look(t.Context(), func(s *step) error {
				b, err := s.setting("draft/x")
				v = string(b)
				return err
			})
			return v
		}
		share := func(h *home, v string) {
			if err := h.c.step(t.Context(), func(s *step) error { return s.shareSetting("draft/x", []byte(v), 0) }); err != nil {
				t.Fatal(err)
			}
		}
		share(alice, "one")
		share(phone, "two")
		settle(alice, phone)
		if a, p := value(alice), value(phone); a != p || a == "" {
			t.Errorf("the devices keep %q and %q", a, p)
		}
		share(phone, "")
		settle(alice, phone)
		if a, p := value(alice), value(phone); a != "" || p != "" {
			t.Errorf("taken back, and the devices keep %q and %q", a, p)
		}
	})
}

// A new conversation has every device of both sides in it.
func TestSyncNewConversationsReachAllDevices(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, alice, phone, bob, _ := withPhone(t)
		carol := w.person("carol")
		g, err := bob.c.GroupNew(bob.ctx(), "Sunday", []string{"alice", "carol"})
		if err != nil {
			t.Fatal(err)
		}
		settle(bob)
		phone.requests()
		if _, err := phone.c.Accept(phone.ctx(), phone.requests()[0].ID); err != nil {
			t.Fatal(err)
		}
		carol.accept()
		settle(alice, phone, bob, carol)
		own, err := phone.c.GroupNew(phone.ctx(), "Monday", []string{"carol"})
		if err != nil {
			t.Fatal(err)
		}
		carol.accept()
		time.Sleep(time.Minute)
		settle(alice, phone, bob, carol)
		for i, room := range []string{g.Room, own.Room} {
			carol.send(room, fmt.Sprint("to room ", i))
		}
		settle(carol)
		for _, h := range []*home{alice, phone} {
			if got := texts(h.got()); !slices.Equal(got, []string{"to room 0", "to room 1"}) {
				t.Errorf("%s got %v", h.name, got)
			}
		}
		agree(t, g.Room, bob, alice, phone, carol)
		agree(t, own.Room, alice, phone, carol)
		// Leaving on one device is leaving.
		if _, err := alice.c.GroupLeave(alice.ctx(), g.Room); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		settle(alice, phone, bob, carol)
		rooms, _ := phone.c.Rooms(phone.ctx())
		for _, r := range rooms {
			if r.Room == g.Room && r.State != RoomLeft {
				t.Errorf("the phone is in a group that its person has left: %+v", r)
			}
		}
		in, err := bob.c.Inside(g.Room)
		if err != nil || len(in.Roster.LeavesOf(roomPeer(t, alice))) != 0 {
			t.Errorf("bob sees %d leaves of alice, %v", len(in.Roster.LeavesOf(roomPeer(t, alice))), err)
		}
	})
}

// What looks like a sibling's word from somebody else has no effect (attacks
// A10, A11).
func TestSyncIsHeardFromOwnLeavesOnly(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, alice, _, bob, room := withPhone(t)
		body := wire.Encode(syncBody{Version: syncVersion, Items: []syncItem{item(syncPerson,
			syncedPerson{Account: roomPeer(t, bob), Blocked: true})}})
		err := bob.c.step(t.Context(), func(s *step) error {
			id, _ := parseConv(room)
			cv, err := s.conv(id)
			if err != nil {
				return err
			}
			r, err := s.room(cv.Room)
			if err != nil {
				return err
			}
			_, err = s.enqueue(r, row{Kind: content.KindSync, Body: body})
			s.putRoom(r)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		settle(bob)
		blocked := func() (b bool) {
			alice.c.look(t.Context(), func(s *step) error {
				p, err := s.person(roomPeer(t, bob))
				b = p.Blocked
				return err
			})
			return b
		}
		if blocked() {
			t.Error("bob has made alice's devices block him")
		}
		// In a self conversation, from another account's leaf.
		alice.c.step(t.Context(), func(s *step) error {
			_, err := s.hearSync(&conversation{Kind: KindSelf}, roster.Leaf{Account: roomPeer(t, bob)}, body)
			return err
		})
		if blocked() {
			t.Error("another account's leaf is taken for a sibling")
		}
		// From an own leaf, in a conversation with others.
		own := roomPeer(t, alice)
		alice.c.step(t.Context(), func(s *step) error {
			_, err := s.hearSync(&conversation{Kind: KindDirect}, roster.Leaf{Account: own}, body)
			return err
		})
		if blocked() {
			t.Error("what is said elsewhere than in the self room is taken for a sibling's word")
		}
	})
}
