package core

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"hearth/core/lane"
	"hearth/identity"
	"hearth/mls"
	"hearth/wire"
)

// tampered is a connection whose server says what a test makes it say: each
// frame from the server may be changed, dropped or multiplied.
type tampered struct {
	wire.Conn
	f    func(wire.Frame) []wire.Frame
	rest [][]byte
}

func (c *tampered) Read(ctx context.Context) ([]byte, error) {
	for len(c.rest) == 0 {
		b, err := c.Conn.Read(ctx)
		if err != nil {
			return nil, err
		}
		var f wire.Frame
		if err := wire.Decode(b, &f); err != nil {
			return nil, err
		}
		for _, g := range c.f(f) {
			c.rest = append(c.rest, wire.Encode(g))
		}
	}
	b := c.rest[0]
	c.rest = c.rest[1:]
	return b, nil
}

// evil lets f change the entries that the server pushes; nil leaves them.
func evil(w *world, f func(e wire.Entry) []wire.Entry) {
	w.wrap = func(c wire.Conn) wire.Conn {
		return &tampered{Conn: c, f: func(fr wire.Frame) []wire.Frame {
			if fr.Op != wire.OpEntry {
				return []wire.Frame{fr}
			}
			var e wire.Entry
			if wire.Decode(fr.Body, &e) != nil {
				return []wire.Frame{fr}
			}
			var out []wire.Frame
			for _, x := range f(e) {
				out = append(out, wire.Frame{Op: wire.OpEntry, Body: wire.Encode(x)})
			}
			return out
		}}
	}
}

func codes(events []Event) (out []string) {
	for _, e := range events {
		if e.Type == EventNotice {
			out = append(out, e.Code)
		}
	}
	return out
}

// pair is two people who talk; from then on bob's server is what f makes it.
func pair(t *testing.T, f func(e wire.Entry) []wire.Entry) (w *world, alice, bob *home, room string) {
	w = newWorld(t)
	alice, bob = w.person("alice"), w.person("bob")
	room = alice.send("bob", "hello").Room
	bob.accept()
	time.Sleep(20 * time.Minute)
	bob.got()
	alice.got()
	bob.stop()
	evil(w, f)
	bob.start()
	synctest.Wait()
	w.wrap = nil
	return w, alice, bob, room
}

func TestServerWithholds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		withheld := map[wire.Number]bool{}
		_, alice, bob, room := pair(t, func(e wire.Entry) []wire.Entry {
			if e.Kind != wire.KindPost {
				return []wire.Entry{e}
			}
			if _, again := withheld[e.Number]; !again {
				withheld[e.Number] = len(withheld)%2 == 0
			}
			if withheld[e.Number] {
				return nil // every other one never comes, however often it is asked for
			}
			return []wire.Entry{e}
		})
		for _, text := range []string{"1", "2", "3"} {
			alice.send(room, text)
		}
		time.Sleep(5 * time.Minute)
		if got := codes(bob.got()); !slices.Contains(got, NoticeWithheld) {
			t.Errorf("bob was not told that messages are kept back: %q", got)
		}
	})
}

func TestServerReplaysAndInvents(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var shift wire.Number
		_, alice, bob, room := pair(t, func(e wire.Entry) []wire.Entry {
			if e.Kind != wire.KindPost {
				return []wire.Entry{e}
			}
			e.Number += shift
			again, junk := e, e
			again.Number++
			junk.Number += 2
			junk.Payload = []byte("not a message")
			shift += 2
			return []wire.Entry{e, e, again, junk}
		})
		alice.send(room, "once")
		alice.send(room, "only")
		synctest.Wait()
		events := bob.got()
		if got := texts(events); !slices.Equal(got, []string{"once", "only"}) {
			t.Errorf("bob: got %q", got)
		}
		if r := bob.room(room); len(r.Members) != 2 || r.State != RoomOK {
			t.Errorf("bob: room %+v", r)
		}
	})
}

func TestServerAddsSeats(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, alice, bob, room := pair(t, func(e wire.Entry) []wire.Entry {
			if e.Kind == wire.KindCommit {
				e.Add = append(e.Add, wire.NewSeatID(1))
			}
			return []wire.Entry{e}
		})
		keep := "7d"
		if _, err := alice.c.GroupSet(alice.ctx(), room, GroupSettings{Retention: &keep}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := codes(bob.got()); !slices.Contains(got, NoticeSeats) {
			t.Errorf("bob was not told of a foreign seat: %q", got)
		}
		r := bob.room(room)
		if len(r.Members) != 2 || r.State != RoomOK || r.Retention != "7d" {
			t.Errorf("bob: room %+v", r)
		}
	})
}

func TestServerChangesACommit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, alice, bob, room := pair(t, func(e wire.Entry) []wire.Entry {
			if e.Kind == wire.KindCommit {
				e.Payload = append([]byte(nil), e.Payload...)
				e.Payload[len(e.Payload)/2] ^= 1
			}
			return []wire.Entry{e}
		})
		keep := "7d"
		if _, err := alice.c.GroupSet(alice.ctx(), room, GroupSettings{Retention: &keep}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := codes(bob.got()); !slices.Contains(got, NoticeOutOfStep) {
			t.Errorf("bob was not told: %q", got)
		}
		if r := bob.room(room); r.State != RoomOutOfStep || r.Retention != "30d" {
			t.Errorf("bob: room %+v", r)
		}
	})
}

// TestMemberCommitsWithoutRight: a plain member's client removes another and
// does not ask the judge.
func TestMemberCommitsWithoutRight(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob, carol := w.person("alice"), w.person("bob"), w.person("carol")
		room := groupOf(t, "club", alice, bob, carol)
		alice.got()
		var req wire.RoomCommit
		err := bob.c.look(context.Background(), func(s *step) error {
			id, _ := parseConv(room)
			cv, _ := s.conv(id)
			r, _ := s.room(cv.Room)
			g, err := s.group(r.ID)
			if err != nil {
				return err
			}
			var victim mls.LeafIndex
			for _, m := range g.Members() {
				cred, _ := identity.ParseCredential(m.Leaf.Credential.Identity)
				if me, _ := s.me(); m.Index != 0 && cred.Account != me.ID {
					victim = m.Index
				}
			}
			pc, err := g.Commit(mls.CommitOptions{Remove: []mls.LeafIndex{victim}})
			if err != nil {
				return err
			}
			token, _ := postToken(g, r.ID)
			next, _ := postToken(pc.Staged(), r.ID)
			req = wire.RoomCommit{Room: r.ID, Epoch: r.Epoch, Seat: r.Seat.ID, SeatSecret: r.Seat.Secret, Token: token,
				Payload: pc.Message(), NewHash: next.Hash(), Remove: []wire.SeatID{wire.NewSeatID(1)}}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := bob.c.net.To(testServer, lane.Seats).Do(bob.ctx(), wire.OpRoomCommit, req, new(wire.Appended)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for _, h := range []*home{alice, carol} {
			if r := h.room(room); r.State != RoomOutOfStep || len(r.Members) != 3 {
				t.Errorf("%s follows a commit without right: %+v", h.name, r)
			}
		}
		if got := codes(alice.got()); !slices.Equal(got, []string{NoticeOutOfStep}) {
			t.Errorf("alice: got %q", got)
		}
	})
}

// TestHandleStaysWithItsAccount: a server that shows another account under a
// known handle changes no recipient and no safety number.
func TestHandleStaysWithItsAccount(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, _, mallory := w.person("alice"), w.person("bob"), w.person("mallory")
		before, err := alice.c.Safety(alice.ctx(), "bob")
		if err != nil {
			t.Fatal(err)
		}
		alice.stop()
		me, _ := mallory.c.self(mallory.ctx())
		w.wrap = func(c wire.Conn) wire.Conn {
			return &tampered{Conn: c, f: func(f wire.Frame) []wire.Frame {
				var rec wire.AccountRecord
				if f.Op == wire.OpAccountGet && wire.Decode(f.Body, &rec) == nil {
					rec.Chain = me.Chain
					f.Body = wire.Encode(rec)
				}
				return []wire.Frame{f}
			}}
		}
		alice.start()
		after, err := alice.c.Safety(alice.ctx(), "bob")
		if err != nil || after != before {
			t.Errorf("the safety number changed by the server's word: %+v, %v", after, err)
		}
		if s, err := alice.c.Send(alice.ctx(), SendOptions{To: "bob", Text: "for bob"}); err == nil && s.State == StateSent {
			synctest.Wait()
			if rs, _ := mallory.c.Requests(mallory.ctx()); len(rs) > 0 {
				t.Error("a message went to another account than before")
			}
		}
		// By account id the server cannot lie at all.
		if _, err := alice.c.Safety(alice.ctx(), "mallory"); err != nil {
			t.Logf("mallory herself: %v", err)
		}
	})
}

// TestWelcomeTwice: the same letter again, and another one for a KeyPackage that
// was used, have no effect.
func TestWelcomeTwice(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice := w.person("alice")
		var knocks []wire.DoorPost
		w.wrap = func(c wire.Conn) wire.Conn { return &listening{c, &knocks} }
		alice.stop()
		alice.start()
		bob := w.person("bob")
		alice.send("bob", "hello")
		synctest.Wait()
		if len(knocks) != 1 {
			t.Fatalf("%d letters left, want 1", len(knocks))
		}
		bob.accept()
		for range 2 {
			k := knocks[0]
			// Another entry with the same letter: the server's ids cannot tell.
			if err := alice.c.net.To(testServer, lane.Posts).Do(alice.ctx(), wire.OpDoorPost, k, new(wire.Appended)); err != nil {
				t.Logf("posted again: %v", err)
			}
		}
		synctest.Wait()
		if rs, _ := bob.c.Requests(bob.ctx()); len(rs) != 0 {
			t.Errorf("a Welcome came in twice: %+v", rs)
		}
		if rs, _ := bob.c.Rooms(bob.ctx()); len(rs) != 1 {
			t.Errorf("bob has %d rooms", len(rs))
		}
	})
}

type listening struct {
	wire.Conn
	knocks *[]wire.DoorPost
}

func (c *listening) Write(ctx context.Context, b []byte) error {
	var f wire.Frame
	var p wire.DoorPost
	if wire.Decode(b, &f) == nil && f.Op == wire.OpDoorPost && wire.Decode(f.Body, &p) == nil {
		*c.knocks = append(*c.knocks, p)
	}
	return c.Conn.Write(ctx, b)
}
