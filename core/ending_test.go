package core

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"hearth/core/lane"
	"hearth/identity"
	"hearth/wire"
)

func (h *home) toldOf(kind string) (who []string) {
	h.t.Helper()
	for _, e := range h.got() {
		if e.Type == kind {
			who = append(who, e.Who)
		}
	}
	return who
}

// leavers are alice, who goes, with bob in a direct conversation and in a group
// with carol.
func newLeavers(t *testing.T) (w *world, alice, bob, carol *home, group string) {
	w = newWorld(t)
	alice, bob, carol = w.person("alice"), w.person("bob"), w.person("carol")
	alice.send("bob", "hello")
	bob.accept()
	g, err := alice.c.GroupNew(alice.ctx(), "Sunday", []string{"bob", "carol"})
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range []*home{bob, carol} {
		synctest.Wait()
		rs, err := h.c.Requests(h.ctx())
		if err != nil || len(rs) != 1 {
			t.Fatalf("requests: %d, %v", len(rs), err)
		}
		if _, err := h.c.Accept(h.ctx(), rs[0].ID); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(time.Minute)
	for _, h := range []*home{alice, bob, carol} {
		h.got()
	}
	return w, alice, bob, carol, g.Room
}

func closed(t *testing.T, by *home, account string) bool {
	t.Helper()
	id, err := wire.ParseAccountID(account)
	if err != nil {
		t.Fatal(err)
	}
	var rec wire.AccountRecord
	if err := by.c.net.To(testServer, lane.Accounts).Do(by.ctx(), wire.OpAccountGet, wire.AccountGet{Account: &id}, &rec); err != nil {
		t.Fatal(err)
	}
	chain, err := identity.VerifyFor(id, rec.Chain)
	if err != nil {
		t.Fatal(err)
	}
	if chain.Closed() && len(rec.Knocks) > 0 {
		t.Error("a closed account has knock doors")
	}
	return chain.Closed()
}

func TestAccountIsDeleted(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, alice, bob, carol, group := newLeavers(t)
		me, err := alice.c.Whoami()
		if err != nil {
			t.Fatal(err)
		}
		for _, confirm := range []string{"", "bob", me.Device} {
			if _, err := alice.c.AccountDelete(alice.ctx(), confirm); code(err) != wire.BadInput {
				t.Errorf("confirmed with %q: %v", confirm, err)
			}
		}
		if _, err := alice.c.BackupCreate(alice.ctx(), BackupOptions{To: ServerPlace}); err != nil {
			t.Fatal(err)
		}
		if len(w.blobs.m) < 5 {
			t.Fatal("the backup is nowhere")
		}
		before := len(w.blobs.m)
		d, err := alice.c.AccountDelete(t.Context(), me.Handle)
		if n := before - len(w.blobs.m); n < 6 { // beacon, two slots, three pieces at least
			t.Errorf("only %d blobs of the backup were dropped", n)
		}
		if err != nil || d.State != StateDeleted || d.Account != me.Account || d.Left != 2 || d.Rooms != 2 {
			t.Fatalf("delete: %+v, %v", d, err)
		}
		if !closed(t, bob, me.Account) {
			t.Error("the chain is open")
		}
		items, err := alice.c.vault.Scan(t.Context(), "", "", 100)
		if err != nil || len(items) != 1 {
			t.Errorf("%d records are left, %v", len(items), err)
		}
		if _, err := alice.c.Whoami(); code(err) != wire.NotFound {
			t.Errorf("whoami: %v", err)
		}
		if _, err := alice.c.Register(alice.ctx(), RegisterOptions{Name: "eve", Server: testServer}); code(err) != wire.NotFound {
			t.Errorf("register: %v", err)
		}
		time.Sleep(time.Minute)
		for _, h := range []*home{bob, carol} {
			if left := h.toldOf(EventLeft); !slices.Contains(left, "alice@home.example") {
				t.Errorf("%s was not told: %q", h.name, left)
			}
		}
		// The others go on.
		bob.send(group, "still here")
		if got := texts(carol.got()); !slices.Equal(got, []string{"still here"}) {
			t.Errorf("carol: %q", got)
		}
		rooms, err := carol.c.Rooms(carol.ctx())
		if err != nil || len(rooms) != 1 || len(rooms[0].Members) != 2 {
			t.Errorf("carol's rooms: %+v, %v", rooms, err)
		}
		dave := bob.w.person("dave")
		if _, err := dave.c.Send(dave.ctx(), SendOptions{To: "alice", Text: "are you there"}); code(err) != wire.NotFound {
			t.Errorf("a stranger writes: %v", err)
		}
		// A restart changes nothing.
		alice.stop()
		alice.start()
		if _, err := alice.c.Whoami(); code(err) != wire.NotFound {
			t.Errorf("whoami: %v", err)
		}
	})
}

// TestDeletionGoesOn: it is killed at some moment, or the server is away; then it
// goes on by itself.
func TestDeletionGoesOn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, alice, bob, _, _ := newLeavers(t)
		me, err := alice.c.Whoami()
		if err != nil {
			t.Fatal(err)
		}
		w.cut()
		if _, err := alice.c.AccountDelete(alice.ctx(), me.Account); err == nil {
			t.Fatal("deleted without a server")
		}
		alice.kill()
		w.mend()
		alice.start()
		time.Sleep(2 * time.Minute)
		if _, err := alice.c.Whoami(); code(err) != wire.NotFound {
			t.Errorf("whoami: %v", err)
		}
		if !closed(t, bob, me.Account) {
			t.Error("the chain is open")
		}
	})
}
