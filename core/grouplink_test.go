package core

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth/core/letter"
	"hearth/wire"
)

// follow has somebody follow a group's link and waits a moment.
func (h *home) follow(link, text string) Joined {
	h.t.Helper()
	j, err := h.c.GroupJoin(h.ctx(), link, text)
	if err != nil {
		h.t.Fatalf("%s: follow a link: %v", h.name, err)
	}
	synctest.Wait()
	return j
}

func TestGroupLinkLetsIn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.person("alice"), w.person("bob")
		carol, dave := w.person(""), w.person("dave") // nobody can look carol up
		room := groupOf(t, "street", alice, bob)
		if _, err := bob.c.GroupLink(bob.ctx(), room, GroupLinkOptions{}); code(err) != wire.Denied {
			t.Errorf("a member made a link: %v", err)
		}
		inv, err := alice.c.GroupLink(alice.ctx(), room, GroupLinkOptions{Uses: 1, Expire: time.Hour})
		if err != nil || !strings.HasPrefix(inv.Link, testServer+"/g#") || inv.Expires == nil {
			t.Fatalf("group link: %+v, %v", inv, err)
		}
		if strings.Contains(inv.Link, room) {
			t.Error("the link names the group")
		}
		alice.send(room, "before")
		j := carol.follow(inv.Link, "")
		if j != (Joined{Room: room, Name: "street", State: JoinJoined}) {
			t.Fatalf("join: %+v", j)
		}
		time.Sleep(time.Minute)
		if got := texts(carol.got()); len(got) != 0 {
			t.Errorf("carol read %q from before she came", got)
		}
		carol.send(room, "here I am")
		if got := texts(bob.got()); !slices.Contains(got, "here I am") {
			t.Errorf("bob: got %q", got)
		}
		if s, err := carol.c.Safety(carol.ctx(), "alice"); err != nil || !s.Verified {
			t.Errorf("whose link was followed is not verified: %+v, %v", s, err)
		}
		// It took one use.
		if _, err := dave.c.GroupJoin(dave.ctx(), inv.Link, ""); code(err) != wire.Denied {
			t.Errorf("a link with one use was used twice: %v", err)
		}
	})
}

func TestGroupLinkWaitsForAWord(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob, carol, dave := w.person("alice"), w.person("bob"), w.person("carol"), w.person("dave")
		room := groupOf(t, "street", alice, bob)
		inv, err := alice.c.GroupLink(alice.ctx(), room, GroupLinkOptions{Approve: true})
		if err != nil {
			t.Fatal(err)
		}
		if j := carol.follow(inv.Link, "your neighbour"); j.State != JoinAsked || j.Room != "" {
			t.Fatalf("join: %+v", j)
		}
		if j := dave.follow(inv.Link, ""); j.State != JoinAsked {
			t.Fatalf("join: %+v", j)
		}
		if m := alice.members(room); len(m) != 2 {
			t.Fatalf("members before a word: %v", m)
		}
		rs, err := alice.c.Requests(alice.ctx())
		if err != nil || len(rs) != 2 || rs[0].Kind != KindJoin || rs[0].From != "carol@home.example" ||
			rs[0].Text != "your neighbour" || rs[0].Name != "street" || rs[0].Room != room {
			t.Fatalf("requests: %+v, %v", rs, err)
		}
		if a, err := alice.c.Accept(alice.ctx(), rs[0].ID); err != nil || a.State != "accepted" || a.Room != room {
			t.Fatalf("accept: %+v, %v", a, err)
		}
		if a, err := alice.c.Decline(alice.ctx(), rs[1].ID); err != nil || a.State != "declined" {
			t.Fatalf("decline: %+v, %v", a, err)
		}
		time.Sleep(time.Minute)
		carol.send(room, "thanks")
		if got := texts(bob.got()); !slices.Contains(got, "thanks") {
			t.Errorf("bob: got %q", got)
		}
		if rooms, _ := dave.c.Rooms(dave.ctx()); len(rooms) != 0 {
			t.Errorf("dave was declined and is in: %+v", rooms)
		}
		if rs, _ := alice.c.Requests(alice.ctx()); len(rs) != 0 {
			t.Errorf("requests that were answered are still there: %+v", rs)
		}
		// Whoever was taken out does not come back by a link alone, also one
		// that asks nobody.
		if _, err := alice.c.GroupRemove(alice.ctx(), room, []string{"carol"}); err != nil {
			t.Fatal(err)
		}
		open, err := alice.c.GroupLink(alice.ctx(), room, GroupLinkOptions{})
		if err != nil {
			t.Fatal(err)
		}
		carol.got()
		if j := carol.follow(open.Link, "sorry"); j.State != JoinAsked {
			t.Errorf("carol came back by herself: %+v", j)
		}
		if rs, _ := alice.c.Requests(alice.ctx()); len(rs) != 1 || rs[0].Text != "sorry" {
			t.Errorf("requests: %+v", rs)
		}
	})
}

func TestGroupLinkIsTakenBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob, carol := w.person("alice"), w.person("bob"), w.person("carol")
		room := groupOf(t, "street", alice, bob)
		inv, err := alice.c.GroupLink(alice.ctx(), room, GroupLinkOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := bob.c.Revoke(bob.ctx(), inv.Link); code(err) != wire.NotFound {
			t.Errorf("bob took alice's link back: %v", err)
		}
		if _, err := alice.c.Revoke(alice.ctx(), inv.Link); err != nil {
			t.Fatalf("revoke: %v", err)
		}
		if _, err := carol.c.GroupJoin(carol.ctx(), inv.Link, ""); code(err) != wire.Denied {
			t.Errorf("a link that was taken back leads in: %v", err)
		}
		// The two sorts of link are not taken for one another.
		if _, err := carol.c.AddContact(carol.ctx(), inv.Link); code(err) != wire.BadInput {
			t.Errorf("a group's link as a contact: %v", err)
		}
		person, err := alice.c.Invite(alice.ctx(), 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := carol.c.GroupJoin(carol.ctx(), person.Link, ""); code(err) != wire.BadInput {
			t.Errorf("a person's link into a group: %v", err)
		}
	})
}

// TestGroupLinkForged: a request to join opens nothing but what its link says,
// and an invitation nobody asked for stays a request.
func TestGroupLinkForged(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob, carol := w.person("alice"), w.person("bob"), w.person("carol")
		room := groupOf(t, "street", alice, bob)
		person, err := alice.c.Invite(alice.ctx(), 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		// A link to the person, dressed as one into a group.
		l, err := letter.ParseInvitation(person.Link)
		if err != nil {
			t.Fatal(err)
		}
		l.Group = true
		if j := carol.follow(l.String(), ""); j.State != JoinAsked {
			t.Errorf("join: %+v", j)
		}
		if m := alice.members(room); len(m) != 2 {
			t.Errorf("members: %v", m)
		}
		// Bob invites carol, who asked alice for something else: she decides.
		if g, err := bob.c.GroupNew(bob.ctx(), "trap", []string{"carol"}); err != nil || len(g.Skipped) != 0 {
			t.Fatalf("group new: %+v, %v", g, err)
		}
		if q := carol.request(); q.Name != "trap" {
			t.Errorf("request: %+v", q)
		}
		if rooms, _ := carol.c.Rooms(carol.ctx()); len(rooms) != 0 {
			t.Errorf("carol was put into %+v", rooms)
		}
	})
}

func TestRolesAndTransfer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob, carol := w.person("alice"), w.person("bob"), w.person("carol")
		room := groupOf(t, "street", alice, bob, carol)
		if _, err := bob.c.GroupRole(bob.ctx(), room, "bob", "admin"); code(err) != wire.Denied {
			t.Errorf("a member made himself admin: %v", err)
		}
		if m, err := alice.c.GroupRole(alice.ctx(), room, "bob", "admin"); err != nil || m.Role != "admin" || m.State != "joined" {
			t.Fatalf("role: %+v, %v", m, err)
		}
		if _, err := bob.c.GroupRole(bob.ctx(), room, "carol", "admin"); code(err) != wire.Denied {
			t.Errorf("an admin made an admin: %v", err)
		}
		if _, err := alice.c.GroupRole(alice.ctx(), room, "alice", "member"); code(err) != wire.Denied {
			t.Errorf("the last owner stepped down: %v", err)
		}
		if _, err := alice.c.GroupRole(alice.ctx(), room, "bob", "king"); code(err) != wire.BadInput {
			t.Errorf("a role that there is not: %v", err)
		}
		if m, err := alice.c.GroupTransfer(alice.ctx(), room, "carol"); err != nil || m.Role != "owner" {
			t.Fatalf("transfer: %+v, %v", m, err)
		}
		synctest.Wait()
		want := map[string]string{"alice@home.example": "admin joined", "bob@home.example": "admin joined", "carol@home.example": "owner joined"}
		for _, h := range []*home{alice, bob, carol} {
			for who, is := range want {
				if got := h.members(room)[who]; got != is {
					t.Errorf("%s sees %s as %q, want %q", h.name, who, got, is)
				}
			}
		}
		if _, err := alice.c.GroupTransfer(alice.ctx(), room, "alice"); code(err) != wire.Denied {
			t.Errorf("one who is no owner handed the group over: %v", err)
		}
		if m, err := bob.c.GroupRole(bob.ctx(), room, "bob", "member"); err != nil || m.Role != "member" {
			t.Errorf("an admin steps down: %+v, %v", m, err)
		}
		// The last owner leaves: the next in rank is owner.
		if _, err := carol.c.GroupLeave(carol.ctx(), room); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		for _, h := range []*home{alice, bob} {
			h.got()
			if m := h.members(room); len(m) != 2 || m["alice@home.example"] != "owner joined" {
				t.Errorf("%s: after the last owner went: %v", h.name, m)
			}
		}
	})
}
