package core

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth/core/lane"
	"hearth/wire"
)

func TestLinkIsAcceptedAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice := w.person("alice")
		bob := w.person("") // nobody can look him up
		inv, err := bob.c.Invite(bob.ctx(), 1, time.Hour)
		if err != nil || !strings.HasPrefix(inv.Link, testServer+"/i#") || inv.Expires == nil {
			t.Fatalf("invite: %+v, %v", inv, err)
		}
		ct, err := alice.c.AddContact(alice.ctx(), inv.Link)
		if err != nil || !ct.Verified || ct.Handle != "" {
			t.Fatalf("contact add: %+v, %v", ct, err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if rs, _ := bob.c.Requests(bob.ctx()); len(rs) != 0 {
			t.Errorf("a link's follower had to ask: %+v", rs)
		}
		alice.send(ct.Account, "hello")
		if got := texts(bob.got()); !slices.Equal(got, []string{"hello"}) {
			t.Errorf("bob: got %q", got)
		}
		bob.send("alice", "welcome")
		if got := texts(alice.got()); !slices.Equal(got, []string{"welcome"}) {
			t.Errorf("alice: got %q", got)
		}
		a, err := alice.c.Safety(alice.ctx(), ct.Account)
		b, err2 := bob.c.Safety(bob.ctx(), "alice")
		if err != nil || err2 != nil || a.Safety != b.Safety || !a.Verified || b.Verified || len(a.Safety) != 60 {
			t.Errorf("safety: %+v, %+v, %v, %v", a, b, err, err2)
		}
		// The link takes one use.
		carol := w.person("carol")
		if _, err := carol.c.AddContact(carol.ctx(), inv.Link); err == nil {
			synctest.Wait()
			if rs, _ := bob.c.Rooms(bob.ctx()); len(rs) > 1 {
				t.Error("a link with one use was used twice")
			}
		}
	})
}

func TestDecline(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob, carol := w.person("alice"), w.person("bob"), w.person("carol")
		g, err := alice.c.GroupNew(alice.ctx(), "club", []string{"bob", "carol"})
		if err != nil {
			t.Fatal(err)
		}
		carol.accept()
		if a, err := bob.c.Decline(bob.ctx(), bob.request().ID); err != nil || a.State != "declined" {
			t.Fatalf("decline: %+v, %v", a, err)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		for _, h := range []*home{alice, carol} {
			if m := h.members(g.Room); len(m) != 2 {
				t.Errorf("%s: members after a decline: %v", h.name, m)
			}
		}
		if rs, _ := bob.c.Requests(bob.ctx()); len(rs) != 0 {
			t.Error("the request is still there")
		}
		carol.send(g.Room, "without bob")
		if got := texts(alice.got()); !slices.Equal(got, []string{"without bob"}) {
			t.Errorf("alice: got %q", got)
		}
		// He may be invited again.
		if ch, err := alice.c.GroupAdd(alice.ctx(), g.Room, []string{"bob"}); err != nil || len(ch.Changed) != 1 {
			t.Errorf("add again: %+v, %v", ch, err)
		}
		bob.accept()
	})
}

func TestBothWriteFirst(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.person("alice"), w.person("bob")
		done := make(chan Sent, 2)
		go func() { done <- alice.send("bob", "from alice") }()
		go func() { done <- bob.send("alice", "from bob") }()
		a, b := <-done, <-done
		if a.Room != b.Room {
			t.Fatal("two conversations of the same two people")
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := texts(alice.got()); !slices.Equal(got, []string{"from bob"}) {
			t.Errorf("alice: got %q", got)
		}
		if got := texts(bob.got()); !slices.Equal(got, []string{"from alice"}) {
			t.Errorf("bob: got %q", got)
		}
		agree(t, a.Room, alice, bob)
		alice.send(a.Room, "more")
		bob.send(a.Room, "yes")
		if got := texts(bob.got()); !slices.Equal(got, []string{"more"}) {
			t.Errorf("bob: got %q", got)
		}
		if got := texts(alice.got()); !slices.Equal(got, []string{"yes"}) {
			t.Errorf("alice: got %q", got)
		}
	})
}

func TestBlocked(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob, carol := w.person("alice"), w.person("bob"), w.person("carol")
		room := groupOf(t, "club", alice, bob, carol)
		if b, err := carol.c.Block(carol.ctx(), "bob"); err != nil || b.State != "blocked" {
			t.Fatalf("block: %+v, %v", b, err)
		}
		bob.send(room, "noise")
		alice.send(room, "signal")
		bob.send("carol", "hello?")
		if got := texts(carol.got()); !slices.Equal(got, []string{"signal"}) {
			t.Errorf("carol: got %q", got)
		}
		if rs, _ := carol.c.Requests(carol.ctx()); len(rs) != 0 {
			t.Errorf("a blocked person's request is shown: %+v", rs)
		}
		// What the blocked commit counts as ever.
		if _, err := bob.c.GroupLeave(bob.ctx(), room); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		agree(t, room, alice, carol)
		if m := carol.members(room); len(m) != 2 {
			t.Errorf("carol: members %v", m)
		}
	})
}

// TestManyMessagesEndAtOnce: each is told of, however many writes it takes.
func TestManyMessagesEndAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const n = 300
		w := newWorld(t)
		alice, bob := w.person("alice"), w.person("bob")
		alice.receipts(false)
		bob.receipts(false)
		room := alice.send("bob", "hello").Room
		bob.accept()
		bob.got()
		now, cancel := context.WithCancel(context.Background())
		cancel()
		for i := range n {
			if _, err := alice.c.Send(now, SendOptions{To: room, Text: fmt.Sprint(i), Expire: time.Hour}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		if got := texts(bob.got()); len(got) != n {
			t.Fatalf("bob got %d messages, want %d", len(got), n)
		}
		time.Sleep(2 * time.Hour)
		ended := map[string]bool{}
		for _, e := range bob.got() {
			if e.Type == EventExpired {
				ended[e.ID] = true
			}
		}
		if len(ended) != n {
			t.Errorf("bob was told of %d ends, want %d", len(ended), n)
		}
	})
}

func TestMessagesEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.person("alice"), w.person("bob")
		sent := alice.send("bob", "hello")
		bob.accept()
		bob.got()
		if _, err := alice.c.Send(alice.ctx(), SendOptions{To: sent.Room, Text: "short", Expire: 30 * time.Second}); err != nil {
			t.Fatal(err)
		}
		events := bob.got()
		if got := texts(events); !slices.Equal(got, []string{"short"}) {
			t.Fatalf("bob: got %q", got)
		}
		time.Sleep(time.Minute)
		if es, err := bob.c.History(bob.ctx(), sent.Room, 0); err != nil || slices.Contains(texts(es), "short") {
			t.Errorf("bob still has it: %v, %v", texts(es), err)
		}
		after := bob.got()
		if !slices.ContainsFunc(after, func(e Event) bool { return e.Type == EventExpired && e.ID == events[len(events)-1].ID }) {
			t.Errorf("bob was not told: %+v", after)
		}
		// One that ends before bob comes is never shown; offline too.
		bob.stop()
		if _, err := alice.c.Send(alice.ctx(), SendOptions{To: sent.Room, Text: "missed", Expire: 30 * time.Second}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(31 * 24 * time.Hour)
		bob.start()
		if got := texts(bob.got()); len(got) != 0 {
			t.Errorf("bob: got %q after its end", got)
		}
		if es, _ := bob.c.History(bob.ctx(), sent.Room, 0); len(texts(es)) != 0 {
			t.Errorf("bob still has %q", texts(es))
		}
	})
}

func TestOfflineAndBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.person("alice"), w.person("bob")
		sent := alice.send("bob", "0")
		bob.accept()
		bob.got()
		w.cut()
		ctx, cancel := shortly()
		defer cancel()
		for _, text := range []string{"1", "2", "3"} {
			s, err := alice.c.Send(ctx, SendOptions{To: sent.Room, Text: text})
			if err != nil || s.State != StateQueued {
				t.Fatalf("send without a server: %+v, %v", s, err)
			}
		}
		alice.stop()
		alice.start() // what waits survives
		w.mend()
		time.Sleep(2 * time.Minute)
		if got := texts(bob.got()); !slices.Equal(got, []string{"1", "2", "3"}) {
			t.Errorf("bob: got %q, want 1 2 3 in order, once", got)
		}
		if es, _ := alice.c.History(alice.ctx(), sent.Room, 0); len(es) < 4 || es[len(es)-1].State == StateQueued {
			t.Errorf("alice: history %+v", es)
		}
	})
}

func TestInvitationsAreTakenBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob, carol := w.person("alice"), w.person("bob"), w.person("carol")
		g, err := alice.c.GroupNew(alice.ctx(), "club", []string{"bob", "carol"})
		if err != nil {
			t.Fatal(err)
		}
		bob.accept()
		late := carol.request().ID
		time.Sleep(30 * 24 * time.Hour)
		synctest.Wait()
		if m := alice.members(g.Room); len(m) != 3 {
			t.Errorf("taken back too early: %v", m)
		}
		time.Sleep(3 * 24 * time.Hour)
		synctest.Wait()
		for _, h := range []*home{alice, bob} {
			if m := h.members(g.Room); len(m) != 2 {
				t.Errorf("%s: after 33 days: %v", h.name, m)
			}
		}
		if a, err := carol.c.Accept(carol.ctx(), late); err != nil || a.State != "expired" {
			t.Errorf("accepting too late: %+v, %v", a, err)
		}
		agree(t, g.Room, alice, bob)
	})
}

func TestABlockChangesTheContactsKey(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob, carol := w.person("alice"), w.person("bob"), w.person("carol")
		for _, h := range []*home{bob, carol} {
			h.send("alice", "hello")
			alice.accept()
			synctest.Wait()
		}
		me, _ := alice.c.self(alice.ctx())
		key := func(h *home) (out wire.Secret) {
			h.c.look(context.Background(), func(s *step) error {
				p, _ := s.person(me.ID)
				if len(p.Doors) == 1 {
					out = p.Doors[0].Key
				}
				return nil
			})
			return out
		}
		before := key(bob)
		if before.Reveal() == nil || !before.Opens(key(carol).Hash()) {
			t.Fatal("contacts do not share one key")
		}
		if _, err := alice.c.Block(alice.ctx(), "bob"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(25 * time.Hour)
		synctest.Wait()
		if key(carol).Opens(before.Hash()) {
			t.Error("carol was not told the new key")
		}
		if !key(bob).Opens(before.Hash()) {
			t.Error("the blocked person was told the new key")
		}
		try := func(h *home) error {
			var at address
			h.c.look(context.Background(), func(s *step) error {
				p, err := s.person(me.ID)
				at = p.Doors[0]
				return err
			})
			return h.c.net.To(at.Server, lane.Posts).Do(h.ctx(), wire.OpDoorClaim, wire.DoorClaim{Door: at.ID, Key: at.Key}, new(wire.DoorClaimed))
		}
		time.Sleep(8 * 24 * time.Hour)
		synctest.Wait()
		if err := try(bob); code(err) != wire.Denied {
			t.Errorf("the old key still opens after a week: %v", err)
		}
		if err := try(carol); err != nil {
			t.Errorf("the new key does not open: %v", err)
		}
	})
}
