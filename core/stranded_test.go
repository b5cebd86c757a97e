package core_test

import (
	"testing"
	"time"

	"hearth/core"
	"hearth/core/letter"
	"hearth/core/roster"
	"hearth/hearthtest"
	"hearth/mls"
	"hearth/wire"
)

// Some or all of those in step lose their places on the server, by a commit of
// mallory's. Whoever is left inside, whoever is lured, and whatever is done
// elsewhere meanwhile: in the end all are in one room, and nothing is lost.

// alsoOut has mallory say that she is out of step, too.
func alsoOut(m *insider, to string) {
	m.st.T.Helper()
	kp, _, err := mls.NewKeyPackage(core.Suite, m.member, mls.Lifetime{NotAfter: uint64(time.Now().Add(time.Hour).Unix())}, nil)
	m.must(err)
	_, _, door := m.claim(to)
	q, err := roster.NewRejoin(m.key, m.chain, m.Roster.State().ID, nil, kp, wire.Encode(door), wire.AccountID{})
	m.must(err)
	payload, err := letter.Seal(door, letter.KindRejoin, letter.Rejoin{Request: q.Encode(), Chain: m.chain.Entries()}.Encode())
	m.must(err)
	m.must(m.knock(door, payload))
}

// stripping is a house whose people are offline, some of them, while mallory takes
// the places of others.
func stripping(w *hearthtest.World, away []string, lose ...string) (*house, *insider) {
	w.T.Helper()
	h := newHouse(w, hostileRow{})
	for _, name := range away {
		h.Net.Offline(name)
	}
	m := turn(h.stage, h.mallory(), h.Group)
	var people []*hearthtest.Person
	for _, name := range lose {
		people = append(people, h.Person(name))
	}
	strips(h, m, people...)
	return h, m
}

func (h *house) online(names ...string) {
	for _, name := range names {
		h.Net.Online(name)
	}
}

// where returns the room that somebody is in.
func (h *house) where(name string) wire.RoomID {
	h.T.Helper()
	in, err := h.Person(name).Client.Inside(h.Group)
	if err != nil {
		h.T.Fatal(err)
	}
	return in.Room
}

// TestStrippedAlone: mallory takes carol's place and pretends that it was hers as
// well.
func TestStrippedAlone(t *testing.T) {
	t.Run("the others are there", func(t *testing.T) {
		hearthtest.Run(t, func(w *hearthtest.World) {
			h, m := stripping(w, nil, "carol")
			alsoOut(m, "carol")
			w.Sleep(time.Minute)
			h.agree(hostileRow{})
			w.Sleep(time.Hour)
			h.agree(hostileRow{})
			if h.where("carol") != m.Room {
				t.Error("carol has founded a successor")
			}
		})
	})
	t.Run("nobody else is there", func(t *testing.T) {
		hearthtest.Run(t, func(w *hearthtest.World) {
			away := []string{"alice", "bob", "dave", "erin"}
			h, m := stripping(w, away, "carol")
			alsoOut(m, "carol")
			w.Sleep(25 * time.Minute)
			h.Carol.Send(h.Group, "all alone")
			if h.where("carol") == m.Room {
				t.Fatal("carol waits")
			}
			w.Sleep(24 * time.Hour)
			h.online(away...)
			for _, name := range away {
				h.Person(name).Expect("all alone")
			}
			reaches(w, h.Group, "not any more", h.Carol, h.Alice, h.Bob, h.Person("dave"), h.Person("erin"))
			h.agree(hostileRow{})
			if h.where("carol") != m.Room {
				t.Error("carol has led the others away")
			}
		})
	})
}

// TestStrippedNotLured: mallory takes carol's place and invites her into a successor
// of her own. The others' answer comes first.
func TestStrippedNotLured(t *testing.T) {
	hearthtest.Run(t, func(w *hearthtest.World) {
		h := newHouse(w, hostileRow{})
		m := turn(h.stage, h.mallory(), h.Group)
		room := m.Room
		c := m.coup(h.Carol)
		m.found(c)
		strips(h, &c.old, h.Carol)
		w.Sleep(time.Minute)
		h.agree(hostileRow{})
		if h.where("carol") != room {
			t.Error("carol was lured away")
		}
		told(w, h.Carol, core.NoticeSeats, core.NoticeSeatLost, core.NoticeRejoined)
	})
}

// TestStrippedButTheLast: somebody keeps the place, the last of those who are asked.
// Nobody founds anything.
func TestStrippedButTheLast(t *testing.T) {
	hearthtest.Run(t, func(w *hearthtest.World) {
		h, m := stripping(w, nil, "alice", "bob", "carol", "dave")
		w.Sleep(5 * time.Minute)
		h.agree(hostileRow{})
		w.Sleep(time.Hour)
		reaches(w, h.Group, "all here", h.Carol, h.but(h.Carol)...)
		h.agree(hostileRow{})
		if h.where("carol") != m.Room {
			t.Error("they have moved")
		}
	})
}

// TestStrippedButOne: somebody keeps the place, and is offline meanwhile. Whoever
// comes back to a room where nobody is, finds out.
func TestStrippedButOne(t *testing.T) {
	hearthtest.Run(t, func(w *hearthtest.World) {
		h, m := stripping(w, []string{"dave"}, "alice", "bob", "carol", "erin")
		dave := h.Person("dave")
		w.Sleep(11 * time.Minute)
		h.Alice.Send(h.Group, "we go on")
		w.Sleep(24 * time.Hour)
		if h.where("alice") == m.Room {
			t.Fatal("alice waits")
		}
		h.online("dave")
		dave.TrySend(h.Group, "where is everybody?")
		w.Sleep(2 * time.Hour)
		for _, p := range h.but(dave) {
			p.Expect("where is everybody?")
		}
		reaches(w, h.Group, "here", h.Bob, h.but(h.Bob)...)
		h.agree(hostileRow{})
	})
}

// TestStrippedButAdmins: owner and admin keep their places, and are offline
// meanwhile. Those who went on without them come back.
func TestStrippedButAdmins(t *testing.T) {
	for _, first := range []string{"alice", "bob"} {
		t.Run(first+" first", func(t *testing.T) {
			hearthtest.Run(t, func(w *hearthtest.World) {
				h, m := stripping(w, []string{"alice", "bob"}, "carol", "dave", "erin")
				w.Sleep(25 * time.Minute)
				h.Carol.Send(h.Group, "without them")
				h.Person("dave").Expect("without them")
				if h.where("carol") == m.Room {
					t.Fatal("carol waits")
				}
				w.Sleep(24 * time.Hour)
				h.online(first)
				h.Person(first).Expect("without them")
				w.Sleep(10 * time.Minute)
				h.online("alice", "bob")
				w.Sleep(2 * time.Hour)
				reaches(w, h.Group, "together", h.Carol, h.but(h.Carol)...)
				h.agree(hostileRow{})
				if h.where("carol") != m.Room {
					t.Error("the owner was led away")
				}
			})
		})
	}
}

// TestStrippedAndRemoved: those who went on have removed mallory. An admin who kept
// the place, and knows nothing of it, does not bring them back to her.
func TestStrippedAndRemoved(t *testing.T) {
	hearthtest.Run(t, func(w *hearthtest.World) {
		h, m := stripping(w, []string{"bob"}, "alice", "carol", "dave", "erin")
		w.Sleep(11 * time.Minute)
		h.Alice.Send(h.Group, "we go on")
		removed(h, m)
		w.Sleep(24 * time.Hour)
		h.online("bob")
		h.Bob.TrySend(h.Group, "what has happened?")
		w.Sleep(2 * time.Hour)
		for _, p := range h.but(h.Bob) {
			p.Expect("what has happened?")
		}
		reaches(w, h.Group, "mallory", h.Alice, h.but(h.Alice)...)
		h.agree(hostileRow{gone: true})
		if h.where("bob") == m.Room {
			t.Error("all are where mallory is")
		}
	})
}

// TestRemovedTogether: two who were removed while nobody else was there do not go
// on for themselves once they are told.
func TestRemovedTogether(t *testing.T) {
	hearthtest.Run(t, func(w *hearthtest.World) {
		h := newHouse(w, hostileRow{})
		dave, erin := h.Person("dave"), h.Person("erin")
		for _, p := range []*hearthtest.Person{dave, erin} {
			w.Net.Offline(p.Name)
		}
		if _, err := h.Alice.Client.GroupRemove(h.Alice.Patience(), h.Group, []string{"dave", "erin"}); err != nil {
			t.Fatal(err)
		}
		w.Sleep(time.Minute)
		for _, p := range h.but(dave, erin) {
			w.Net.Offline(p.Name)
		}
		w.Net.Offline("mallory")
		h.online("dave", "erin")
		w.Sleep(time.Hour)
		h.online("alice", "bob", "carol")
		w.Sleep(time.Hour)
		for _, p := range []*hearthtest.Person{dave, erin} {
			if got := p.State(h.Group); got != core.RoomRemoved {
				t.Errorf("%s's room is %s", p.Name, got)
			}
		}
		for _, p := range []*hearthtest.Person{h.Alice, h.Bob, h.Carol} {
			if got := p.Room(h.Group); got.State != core.RoomOK || len(got.Members) != 4 {
				t.Errorf("%s sees %+v", p.Name, got)
			}
		}
	})
}
